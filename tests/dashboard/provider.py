"""An OpenID Connect provider on loopback that signs in whoever `email` says, and asks nothing."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "dashboard", "provider-secret"


class Provider:
    """Serves while the context lasts; `email` may be changed meanwhile."""

    def __init__(self) -> None:
        self.email = ""
        self._nonces: dict[str, str] = {}
        self._key = RSAKey.generate_key(2048, {"kid": "1", "use": "sig", "alg": "RS256"})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self.metadata = f"{self.address}/.well-known/openid-configuration"

    def __enter__(self) -> Provider:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, path: str, fields: Mapping[str, list[str]]) -> dict[str, object] | str:
        """A JSON answer, or the address to go to."""
        if path == "/authorize":
            code = f"code-{len(self._nonces)}"
            self._nonces[code] = fields["nonce"][0]
            return f"{fields['redirect_uri'][0]}?{urlencode({'code': code, 'state': fields['state'][0]})}"
        if path == "/token":
            now = int(time.time())
            claims = {"iss": self.address, "aud": CLIENT, "sub": self.email, "email": self.email, "iat": now}
            claims |= {"exp": now + 600, "nonce": self._nonces.pop(fields["code"][0])}
            token = jwt.encode({"alg": "RS256", "kid": "1"}, claims, self._key)
            return {"access_token": "a", "token_type": "Bearer", "expires_in": 600, "id_token": token}
        if path == "/keys":
            return {"keys": [self._key.as_dict(private=False)]}
        return {
            "issuer": self.address,
            "authorization_endpoint": f"{self.address}/authorize",
            "token_endpoint": f"{self.address}/token",
            "jwks_uri": f"{self.address}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
                parts = urlsplit(self.path)
                answer = provider._answer(parts.path, parse_qs(parts.query) | parse_qs(body))
                self.send_response(302 if isinstance(answer, str) else 200)
                if isinstance(answer, str):
                    self.send_header("Location", answer)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                if not isinstance(answer, str):
                    self.wfile.write(json.dumps(answer).encode())

            do_POST = do_GET

            def log_message(self, *_: object) -> None:
                pass

        return Handler
