"""What `consilium doctor` looks at on this machine; each check gives one step with its remedy."""

import contextlib
import errno
import importlib
import os
import shutil
import socket
import stat
import subprocess
import sys
import zoneinfo
from collections.abc import Callable, Iterator
from pathlib import Path

from config.settings import Settings
from gateway.cli.exposure import exposure, is_open
from gateway.cli.probes import Address, is_gateway, is_gateway_node
from gateway.cli.stored_checks import stored
from gateway.cli.worker_checks import broker
from gateway.domain.diagnosis import Step, step

OLDEST_PYTHON = (3, 11)
OWN_PACKAGES = ("config", "workers", "gateway", "dicom_node", "fhir_mappings")
_SYSTEM_REMEDY = "Run tools/system-packages.sh runtime, or install Pango, HarfBuzz, Fontconfig and the Noto fonts."


def checked(settings: Settings) -> Iterator[Step]:
    """Every check in turn; one that fails does not stop the others."""
    yield _python()
    yield _own_packages()
    yield _pango()
    yield _fonts()
    yield _time_zones()
    yield _data_folder(settings)
    yield _key_file(settings.pseudonym_key_path, is_made=settings.makes_own_key)
    yield exposure(settings)
    yield from stored(settings)
    if settings.broker_address:
        yield broker(settings)
    yield from _ports(settings)


def _python() -> Step:
    version = ".".join(map(str, sys.version_info[:3]))
    remedy = "Install Python 3.11 or newer and make the environment anew."
    return step("Python", sys.version_info[:2] >= OLDEST_PYTHON, version, remedy)


def _own_packages() -> Step:
    """`config` and `workers` are names that other distributions use as well."""
    home = Path(__file__).resolve().parents[2]
    strangers = [name for name in OWN_PACKAGES if _home_of(name) != home]
    if not strangers:
        return Step("packages", True, f"all of ours, in {home}")
    remedy = "Another distribution brings packages of these names: uninstall it, then install consilium-gateway again."
    return Step("packages", False, f"not ours: {', '.join(strangers)}", remedy)


def _home_of(name: str) -> Path | None:
    try:
        file = importlib.import_module(name).__file__
    except ImportError:
        return None
    return Path(file).resolve().parents[1] if file else None


def _pango() -> Step:
    try:
        from weasyprint.text.ffi import pango

        version = pango.pango_version()
    except (ImportError, OSError):
        return Step("Pango", False, "WeasyPrint finds no Pango", _SYSTEM_REMEDY)
    return Step("Pango", True, f"{version // 10000}.{version // 100 % 100}.{version % 100}")


def _fonts() -> Step:
    command = shutil.which("fc-list")
    if command is None:
        return Step("fonts", False, "fc-list is not there", _SYSTEM_REMEDY)
    listed = subprocess.run([command, "Noto Sans", "family"], capture_output=True, text=True, check=False)
    return step(
        "fonts", bool(listed.stdout.strip()), "Noto Sans" if listed.stdout.strip() else "no Noto Sans", _SYSTEM_REMEDY
    )


def _time_zones() -> Step:
    count = len(zoneinfo.available_timezones())
    return step("time zones", count > 0, f"{count} known", "Install the system's package tzdata.")


def _data_folder(settings: Settings) -> Step:
    folder = _existing(settings.data_dir)
    if not os.access(folder, os.W_OK | os.X_OK):
        remedy = f"Give the user of this process the folder, or set data_dir elsewhere: {settings.data_dir}"
        return Step("data folder", False, f"{folder} is not writable", remedy)
    free = shutil.disk_usage(folder).free
    detail = f"{settings.data_dir}, {free // 2**20} MiB free"
    remedy = "Free some space, move data_dir to a larger disk, or lower storage.min_free_bytes."
    return step("data folder", free > settings.storage.min_free_bytes, detail, remedy)


def _existing(folder: Path) -> Path:
    return next(each for each in (folder, *folder.parents) if each.exists())


def _key_file(path: Path, *, is_made: bool) -> Step:
    try:
        status = path.stat()
    except FileNotFoundError:
        remedy = "Restore it from its copy or from another machine; a new installation makes one: openssl rand -out"
        detail = f"{path} does not exist" + (" yet; it is created at the first start" if is_made else "")
        return step("pseudonym key", is_made, detail, f"{remedy} {path} 32")
    except OSError as exc:
        return Step("pseudonym key", False, f"{path} cannot be looked at ({exc.strerror})", "Check the folder's mode.")
    remedy = f"chmod 600 {path}, and chown it to the user of the gateway"
    is_readable = os.access(path, os.R_OK)
    detail = f"{path}, mode {stat.S_IMODE(status.st_mode):o}{'' if is_readable else ', not readable'}"
    return step("pseudonym key", not is_open(path) and is_readable, detail, remedy)


def _ports(settings: Settings) -> Iterator[Step]:
    dicom = settings.dicom
    web, node = (settings.web.host, settings.web.port), (dicom.host, dicom.port)
    yield _port("HTTP port", web, lambda: is_gateway(web))
    yield _port("DICOM port", node, lambda: is_gateway_node(node, dicom.ae_title))
    if dicom.tls_port:  # the node that has the one port has the other
        yield _port("DICOM TLS port", (dicom.host, dicom.tls_port), lambda: is_gateway_node(node, dicom.ae_title))


def _port(name: str, address: Address, is_ours: Callable[[], bool]) -> Step:
    host, port = address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.closing(socket.socket(family, socket.SOCK_STREAM)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError as exc:
            if exc.errno == errno.EADDRINUSE and is_ours():
                return Step(name, True, f"{host}:{port} is in use by this gateway")
            remedy = "Stop what listens there, or set another port."
            return Step(name, False, f"{host}:{port} cannot be had ({exc.strerror})", remedy)
    return Step(name, True, f"{host}:{port} is free")
