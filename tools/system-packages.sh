#!/bin/sh
# Installs the Debian or Ubuntu packages that Consilium needs and that are not there yet.
#
#   tools/system-packages.sh runtime   what rendering a report needs (Pango, HarfBuzz, Fontconfig, fonts), and venv
#   tools/system-packages.sh test      the same, and the peers the tests talk to (curl, dcmtk, Orthanc, PostgreSQL, RabbitMQ)
#
# PYTHON names the interpreter that will make the virtual environment (default: python3). Needs root or sudo without
# a password only when something is missing. No service is started or enabled: the tests run their own.
set -eu

RUNTIME_PACKAGES="libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz0b libharfbuzz-subset0 fontconfig fonts-noto-core tzdata"
TEST_PACKAGES="curl dcmtk orthanc postgresql rabbitmq-server"
SERVICES="orthanc postgresql rabbitmq-server" # of the packages above, none is wanted as a service
POLICY=/usr/sbin/policy-rc.d # asked by invoke-rc.d and deb-systemd-invoke before they start anything
POLICY_MARK="written by system-packages.sh of consilium"

python=${PYTHON:-python3}

say() { printf '%s\n' "system-packages: $*" >&2; }

is_installed() {
    dpkg-query -W -f='${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed
}

# The package that makes `python -m venv` work: Debian and Ubuntu ship ensurepip apart from the interpreter.
venv_package() {
    if ! command -v "$python" >/dev/null 2>&1; then
        echo "python3 python3-venv"
    elif ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        "$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'
    fi
}

missing_packages() {
    for package in "$@"; do
        is_installed "$package" || printf '%s ' "$package"
    done
}

has_candidate() {
    LC_ALL=C apt-cache policy "$1" 2>/dev/null | grep -q '^ *Candidate: [^(]'
}

apt_get() {
    $as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
        apt-get -q -y -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "$@" >&2
}

forbid_service_starts() {
    [ -e "$POLICY" ] && return
    trap allow_service_starts EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\n# %s\nexit 101\n' "$POLICY_MARK" | $as_root tee "$POLICY" >/dev/null
    $as_root chmod 755 "$POLICY"
}

allow_service_starts() {
    if grep -q "$POLICY_MARK" "$POLICY" 2>/dev/null; then
        $as_root rm -f "$POLICY"
    fi
}

install_packages() {
    for package in "$@"; do
        has_candidate "$package" || { apt_get update; break; }
    done
    apt_get install --no-install-recommends "$@" && return
    say "trying once more with fresh package lists"
    apt_get update
    apt_get install --no-install-recommends "$@"
}

case "${1:-}" in
runtime) wanted="$RUNTIME_PACKAGES" ;;
test) wanted="$RUNTIME_PACKAGES $TEST_PACKAGES" ;;
*)
    say "usage: $0 runtime|test"
    exit 2
    ;;
esac

if ! command -v dpkg-query >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1; then
    say "this is no Debian or Ubuntu system. Install what these packages hold: $wanted"
    exit 1
fi

# shellcheck disable=SC2046,SC2086 # package names hold no spaces
missing=$(missing_packages $wanted $(venv_package))
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -eq 0 ]; then
    as_root=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    say "these packages are missing, and neither root nor sudo without a password is at hand: $missing"
    say "install them and try again: sudo apt-get install --no-install-recommends $missing"
    exit 1
fi

say "installing: $missing"
forbid_service_starts
# shellcheck disable=SC2086
install_packages $missing

for service in $SERVICES; do
    case " $missing " in
    *" $service "*)
        if command -v systemctl >/dev/null 2>&1; then
            $as_root systemctl disable "$service.service" >/dev/null 2>&1 ||
                say "could not keep $service.service from starting at the next boot; see: systemctl disable $service"
        fi
        ;;
    esac
done

# shellcheck disable=SC2046,SC2086
still_missing=$(missing_packages $wanted $(venv_package))
[ -z "$still_missing" ] || {
    say "still missing after the installation: $still_missing"
    exit 1
}
