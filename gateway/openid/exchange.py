"""One request to the identity provider and its answer: bounded in time and size, no redirect followed."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import httpx
from authlib.oauth2.auth import ClientAuth

from gateway.deadline import Deadline
from gateway.domain.errors import NotAsked, Unreachable
from gateway.domain.hooks import reach
from gateway.reachability import tls_context

_OPERATION_TIMEOUT_S = 5.0
_TOTAL_TIMEOUT_S = 10.0
_MOST_BYTES = 1024 * 1024
_AWAY = "your identity provider does not answer as it should; try again, or ask your administrator"

_NO_CA = "your identity provider cannot be asked: the CA file that the settings name cannot be used"


class Exchange:
    """What Authlib's client takes for a session, and what fetches documents; nothing of the environment is read."""

    def __init__(self, ca_file: str) -> None:
        self._ca_file = ca_file

    def get(self, url: str) -> httpx.Response:
        """A document. Raises Unreachable."""
        return self._send("GET", url, {"Accept": "application/json"}, None)

    def post(self, url: str, *, data: Mapping[str, str], headers: Mapping[str, str], auth: ClientAuth) -> Any:
        """A form with our credentials, as Authlib's client wants it sent. Raises Unreachable."""
        url, signed, body = auth.prepare("POST", url, dict(headers), urlencode(data))
        return self._send("POST", url, signed, body)

    def _send(self, method: str, url: str, headers: Mapping[str, str], body: str | None) -> httpx.Response:
        asked_plainly = {**headers, "Accept-Encoding": "identity"}
        try:
            with httpx.Client(
                verify=tls_context(self._ca_file), timeout=_OPERATION_TIMEOUT_S, trust_env=False, follow_redirects=False
            ) as client:
                request = client.build_request(method, url, headers=asked_plainly, content=body)
                with Deadline(request, _TOTAL_TIMEOUT_S):
                    reach("openid.before_send")
                    response = client.send(request, stream=True)
                    reach("openid.after_send")
                    return httpx.Response(response.status_code, content=_read(response), request=request)
        except NotAsked as exc:  # its text names a path of this machine, and a stranger reads it
            raise Unreachable(_NO_CA) from exc
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as exc:
            raise Unreachable(_AWAY) from exc


def _read(response: httpx.Response) -> bytes:
    body = bytearray()
    for piece in response.iter_raw():
        body += piece
        if len(body) > _MOST_BYTES:
            raise Unreachable(_AWAY)
    return bytes(body)
