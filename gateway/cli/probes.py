"""Who listens at an address of this machine: asked before the programs count as ready, and by the doctor."""

import http.client
import json
import socket
from contextlib import closing

from gateway.domain.errors import GatewayError
from gateway.domain.party import DicomAddress

Address = tuple[str, int]
SOFTWARE = "Consilium"
_TIMEOUT_S = 1.0
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - a lookup, nothing is bound


def listens(address: Address) -> bool:
    """Somebody accepts connections there."""
    try:
        socket.create_connection(_reachable(address), timeout=_TIMEOUT_S).close()
    except OSError:
        return False
    return True


def is_ready(address: Address) -> bool:
    """A gateway's HTTP server there says that it can work."""
    status, _ = _answer(address, "/readyz")
    return status == http.HTTPStatus.OK


def is_gateway(address: Address) -> bool:
    """The HTTP server there is a gateway: its CapabilityStatement says so (https://hl7.org/fhir/R4/http.html#capabilities)."""
    status, body = _answer(address, "/fhir/metadata")
    try:
        return status == http.HTTPStatus.OK and json.loads(body)["software"]["name"] == SOFTWARE
    except (ValueError, KeyError, TypeError):
        return False


def is_gateway_node(address: Address, ae_title: str) -> bool:
    """The DICOM node there answers to our AE title.

    A C-ECHO that calls itself by that title succeeds, or is refused as our node refuses whom nobody registered: only
    after the called AE title was found right.
    """
    from dicom_node.scu import Timeouts, UnknownCaller, echo

    host, port = _reachable(address)
    try:
        echo(DicomAddress(ae_title, host, port), ae_title, Timeouts(_TIMEOUT_S, _TIMEOUT_S, _TIMEOUT_S))
    except UnknownCaller:
        return True
    except GatewayError:
        return False
    return True


def _answer(address: Address, path: str) -> tuple[int, bytes]:
    host, port = _reachable(address)
    with closing(http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)) as connection:
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            return 0, b""


def _reachable(address: Address) -> Address:
    return _ANY_ADDRESS.get(address[0], address[0]), address[1]
