"""An identity provider over HTTP that says what a test has it say, true or not."""

import base64
import hashlib
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

Claims = dict[str, Any]


class Liar:
    """Signs with `key`, of the id "one". What is in `metadata` goes over the true description of itself."""

    def __init__(self) -> None:
        self.key = ECKey.generate_key("P-256", parameters={"kid": "one", "use": "sig"})
        self.published: list[ECKey] = [self.key]
        self.metadata: Claims = {}
        self.token: Callable[[str], Claims] = self.plain
        self.claims: Claims = {}
        self.seen: list[dict[str, str]] = []
        self.keys_asked = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.05])
        self._thread.start()

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def signed(self, claims: Claims, header: Claims | None = None) -> str:
        return jwt.encode({"alg": "ES256", "kid": "one", **(header or {})}, claims, self.key)

    def plain(self, id_token: str) -> Claims:
        return {"access_token": "opaque", "token_type": "Bearer", "id_token": id_token}

    def answer(self, path: str) -> Claims | None:
        if path == "/.well-known/openid-configuration":
            names = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
            places = {name: f"{self.issuer}/{place}" for name, place in names.items()}
            return {"issuer": self.issuer, **places, "end_session_endpoint": f"{self.issuer}/end", **self.metadata}
        if path == "/keys":
            self.keys_asked += 1
            return dict(KeySet([*self.published]).as_dict())
        return self.token(self.signed(self.claims)) if path == "/token" else None


def challenge(verifier: str) -> str:
    """RFC 7636, 4.2."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def _handler(liar: Liar) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._give(liar.answer(self.path))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            liar.seen.append(form | {"authorization": self.headers.get("Authorization", "")})
            self._give(liar.answer(self.path))

        def log_message(self, *arguments: Any) -> None:
            """Nothing."""

        def _give(self, content: Claims | None) -> None:
            body = json.dumps(content).encode()
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler
