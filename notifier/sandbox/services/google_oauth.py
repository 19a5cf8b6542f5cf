"""Google's OAuth 2.0 token endpoint, JWT-bearer grant (RFC 7523): POST /token.

The endpoint knows two issuers: the demo service account in DIR (RS256, as at Google), and `sandbox@notifier`, whose
assertion is HS256 with the public key below. The second issuer exists because a provider does no I/O and so cannot
read DIR: a new tenant reaches the sandbox with nothing but the sandbox's address. The public key protects nothing, on
purpose.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import jwt

from notifier.sandbox.fake_service import Answer, FakeService, Incoming, json_answer
from notifier.sandbox.identity import ACCOUNT
from notifier.sandbox.state import SandboxState

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
GOOGLE = "https://oauth2.googleapis.com/token"
SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
OPEN_ISSUER = "sandbox@notifier"
OPEN_KEY = "notifier-sandbox: anybody may send here"


class GoogleOAuth(FakeService):
    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        port = state.url.rpartition(":")[2]
        # Google's own auth library uses Google's endpoint as the audience, even with another token_uri
        self._audiences = [GOOGLE, *(f"https://{host}:{port}/token" for host in ("127.0.0.1", "localhost", "sandbox"))]

    def serves(self, path: str) -> bool:
        return path == "/token"

    def answer(self, incoming: Incoming) -> Answer:
        if incoming.method != "POST":
            return json_answer(405, {"error": "invalid_request", "error_description": "POST only"})
        host = incoming.headers.get(":authority") or incoming.headers.get("host", "")
        form = parse_qs(incoming.body.decode("utf-8", "replace"))
        if form.get("grant_type") != [GRANT]:
            return _refuse("unsupported_grant_type", f"grant_type must be {GRANT}")
        try:
            self._check(form.get("assertion", [""])[0], host)
        except (jwt.PyJWTError, ValueError) as error:
            self.state.tokens.grants["refused"] += 1
            return _refuse("invalid_grant", f"Invalid JWT: {error}")
        self.state.tokens.grants["granted"] += 1
        token, life = self.state.tokens.issue()
        return json_answer(200, {"access_token": token, "expires_in": life, "token_type": "Bearer"})

    def _check(self, assertion: str, host: str) -> None:
        """`host`: as the client names the server; a proxy may stand before it."""
        claims: dict[str, Any] = jwt.decode(assertion, options={"verify_signature": False})
        algorithm, key = ("HS256", OPEN_KEY) if claims.get("iss") == OPEN_ISSUER else ("RS256", self.state.account_key)
        claims = jwt.decode(
            assertion,
            key,
            algorithms=[algorithm],
            audience=[*self._audiences, f"https://{host}/token"],
            options={"require": ["iss", "aud", "iat", "exp"]},
            leeway=10,
        )
        if claims["iss"] not in (OPEN_ISSUER, ACCOUNT):
            raise ValueError("unknown issuer")
        if claims["exp"] - claims["iat"] > 3600:
            raise ValueError("exp may be at most one hour after iat")
        if SCOPE not in str(claims.get("scope", "")).split():
            raise ValueError(f"scope must hold {SCOPE}")
        if self.state.faults.reject_grants:
            raise ValueError("the fault reject_grants is on")


def _refuse(error: str, why: str) -> Answer:
    return json_answer(400, {"error": error, "error_description": why})
