"""Rules for single values of the settings; each gives the value or raises ValueError with a sentence."""

from ipaddress import ip_network
from urllib.parse import quote, urlsplit, urlunsplit

from gateway.domain import addresses, people, pseudonym
from gateway.domain.addresses import is_loopback
from gateway.domain.errors import Invalid
from gateway.domain.uids import is_valid_uid

_DATABASES = {
    "sqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
_BROKERS = {"amqp": 5672, "amqps": 5671}
_NO_PORT = "the port is not a number from 0 to 65535"


def check_ae_title(value: str) -> str:
    """1 to 16 printable ASCII characters, no backslash, not only spaces (PS3.5 6.2, VR AE)."""
    try:
        return addresses.check_ae_title(value)
    except Invalid as exc:
        raise ValueError(str(exc)) from exc


def check_uid(value: str) -> str:
    """A DICOM UID (PS3.5 9.1)."""
    if not is_valid_uid(value):
        raise ValueError("not a DICOM UID")
    return value


def check_prefix(value: str) -> str:
    """What a pseudonym may begin with."""
    try:
        return pseudonym.check_prefix(value)
    except Invalid as exc:
        raise ValueError(str(exc)) from exc


def check_base_url(value: str) -> str:
    """Empty, or an absolute http(s) URL without credentials, query or fragment; the trailing slash is dropped."""
    if not value:
        return value
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be empty or an absolute http:// or https:// URL")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must hold no credentials, query or fragment")
    return value.rstrip("/")


def check_issuer(value: str) -> str:
    """Empty, or an https URL as it is, since it is compared exactly (OpenID Core 3.1.3.7); http on this machine."""
    if check_base_url(value) and urlsplit(value).scheme != "https" and not is_loopback(urlsplit(value).hostname or ""):
        raise ValueError("must be https, but for a provider on this machine")
    return value


def check_role(value: str) -> str:
    """A role as `people.read_grant` reads it."""
    try:
        people.read_grant(value)
    except Invalid as exc:
        raise ValueError(str(exc)) from exc
    return value


def check_network(value: str) -> str:
    """An IP address, or a network such as 10.0.0.0/24."""
    try:
        return str(ip_network(value))
    except ValueError:
        raise ValueError("must be an IP address or a network such as 10.0.0.0/24") from None


def check_database_url(value: str) -> str:
    """Empty, or a URL of SQLite or PostgreSQL, the latter with the driver that comes with the gateway."""
    if not value:
        return value
    scheme, _, rest = value.partition("://")
    if scheme not in _DATABASES or not rest:
        raise ValueError("must be empty, sqlite:///FILE or postgresql+psycopg://USER@HOST:PORT/DATABASE")
    try:
        _ = urlsplit(value).port
    except ValueError:
        raise ValueError(_NO_PORT) from None
    return f"{_DATABASES[scheme]}://{rest}"


def check_broker_url(value: str) -> str:
    """Empty, or the URL of a broker that speaks AMQP, in the clear or over TLS."""
    if value:
        broker_address(value)
    return value


def broker_address(url: str) -> tuple[str, int]:
    """Host and port of the broker (https://www.iana.org/assignments/service-names-port-numbers). Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in _BROKERS or not parts.hostname:
        raise ValueError("must be empty, amqp://USER@HOST:PORT// or amqps://USER@HOST:PORT//")
    try:
        return parts.hostname, parts.port or _BROKERS[parts.scheme]
    except ValueError:
        raise ValueError(_NO_PORT) from None


def with_password(url: str, password: str) -> str:
    """The URL with this password in its user information, percent-encoded. ValueError when it names no user."""
    parts = urlsplit(url)
    if not parts.username:
        raise ValueError("the URL names no user for the password")
    _, _, address = parts.netloc.rpartition("@")
    netloc = f"{parts.username}:{quote(password, safe='')}@{address}"
    return urlunsplit(parts._replace(netloc=netloc))
