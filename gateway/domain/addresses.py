"""What a party's name, country and addresses may look like. Each rule gives the value or raises Invalid."""

import ipaddress
import re
from urllib.parse import urlsplit

from gateway.domain.errors import Invalid

AE_TITLE_LENGTH = 16
PORTS = range(1, 65536)
NAME_LENGTH = 60

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_HOST_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?")
_HOST_LENGTH = 253
_LABEL_LENGTH = 63

COUNTRIES = frozenset(
    """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV
    BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES
    ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE
    IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY
    MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU
    NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM
    SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE
    VG VI VN VU WF WS YE YT ZA ZM ZW
    """.split()  # noqa: SIM905 - a list of 249 lines reads worse
)
"""ISO 3166-1 alpha-2, the officially assigned ones."""


def check_name(name: str) -> str:
    """A name typed on command lines and shown in logs: letters, digits, dot, dash, underscore; at most 60."""
    if len(name) > NAME_LENGTH or not _NAME.fullmatch(name):
        raise Invalid("a name has letters, digits, '.', '-' and '_' only, and at most 60 of them", at="name")
    return name


def check_ae_title(title: str) -> str:
    """PS3.5 6.2, VR AE: 1 to 16 printable ASCII characters, no backslash, spaces around do not count."""
    stripped = title.strip(" ")
    is_printable = all(" " <= letter <= "~" and letter != "\\" for letter in stripped)
    if not stripped or len(stripped) > AE_TITLE_LENGTH or not is_printable:
        raise Invalid("an AE title has 1 to 16 printable ASCII characters and no backslash", at="AE title")
    return stripped


def check_host(host: str) -> str:
    """A host name (RFC 1123, underscores tolerated) or an IP address, without a port."""
    if _is_ip_address(host):
        return host
    labels = host.removesuffix(".").split(".")
    is_name = all(len(label) <= _LABEL_LENGTH and _HOST_LABEL.fullmatch(label) for label in labels)
    if len(host) > _HOST_LENGTH or not is_name or labels[-1].isdigit():
        raise Invalid("not a host name or an IP address", at="host")
    return host


def check_port(port: int) -> int:
    """1 to 65535."""
    if port not in PORTS:
        raise Invalid("a port is a number from 1 to 65535", at="port")
    return port


def check_country(country: str) -> str:
    """ISO 3166-1 alpha-2, in capitals."""
    if country not in COUNTRIES:
        raise Invalid("a country is an ISO 3166-1 code of two capital letters, such as TR or DE", at="country")
    return country


def check_identifier_system(system: str) -> str:
    """An absolute URI, as Identifier.system wants it (https://hl7.org/fhir/R4/datatypes.html#Identifier)."""
    if not urlsplit(system).scheme or any(letter.isspace() for letter in system):
        raise Invalid("an identifier's system is an absolute URI, such as urn:oid:1.2.3", at="identifier.system")
    return system


def check_url(url: str, *, is_plain_http_allowed: bool) -> str:
    """An absolute https URL without credentials, query or fragment; gives it without a trailing slash.

    Plain http is for this machine only (loopback), unless allowed: what is sent there is patient data.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Invalid("must be an absolute https:// URL", at="URL")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise Invalid("must hold no credentials, query or fragment", at="URL")
    _check_url_port(url)
    check_host(parts.hostname)
    if parts.scheme == "http" and not (is_plain_http_allowed or is_loopback(parts.hostname)):
        raise Invalid("plain http would send patient data unencrypted; use https, or allow it expressly", at="URL")
    return url.rstrip("/")


def _check_url_port(url: str) -> None:
    try:
        port = urlsplit(url).port
    except ValueError as exc:
        raise Invalid("a port is a number from 1 to 65535", at="URL") from exc
    if port is not None:
        check_port(port)


def _is_ip_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether the host is this machine itself: nobody listens on the way (RFC 6761 6.3, RFC 1122 3.2.1.3)."""
    return host == "localhost" or (_is_ip_address(host) and ipaddress.ip_address(host).is_loopback)
