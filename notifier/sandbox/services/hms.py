"""Huawei Push Kit: POST /oauth2/v3/token and POST /v1/{app id}/messages:send, with Huawei's codes in the body.

A token chooses its answer by its first or last word between hyphens: `unregistered-000000000001`.
"""

from __future__ import annotations

import re
import secrets
from typing import Any
from urllib.parse import parse_qs

import orjson

from notifier.sandbox.fake_service import INTERNAL_ERROR, Answer, Incoming, MessageService, json_answer
from notifier.sandbox.outbox import OutboxItem
from notifier.sandbox.push_checks.hms_schema import violation

TOKENS, SEND = "/oauth2/v3/token", re.compile(r"/v1/([0-9]{1,20})/messages:send")
APP, SECRET = "100000001", "notifier-sandbox"
LARGEST, MOST = 4096, 1000  #: bytes of a message without its tokens; tokens of one message

#: word of the token -> Huawei's code and text
REFUSALS = {
    "unregistered": ("80300007", "All tokens are invalid"),
    "sensitive": ("80100016", "The message contains sensitive information"),
    "forbidden": ("80300002", "The app has no permission to send messages"),
    "internal": ("81000001", "System inner error"),
}


class Hms(MessageService):
    channel = "push"

    def serves(self, path: str) -> bool:
        return path == TOKENS or SEND.fullmatch(path) is not None

    def answer(self, incoming: Incoming) -> Answer:
        """Requests for an access token count as no messages."""
        return self._grant(incoming) if incoming.path == TOKENS else super().answer(incoming)

    def _grant(self, incoming: Incoming) -> Answer:
        form = parse_qs(incoming.body.decode("utf-8", "replace"))
        first = {name: values[0] for name, values in form.items()}
        fault = ""
        if incoming.method != "POST" or first.get("grant_type") != "client_credentials":
            fault = "invalid grant_type"
        elif first.get("client_id") != APP:
            fault = "invalid client_id"
        elif first.get("client_secret") != SECRET or self.state.faults.reject_grants:
            fault = "invalid client_secret"
        self.state.tokens.grants["refused" if fault else "granted"] += 1
        if fault:
            return json_answer(400, {"error": 1101, "sub_error": 12304, "error_description": fault})
        token, life = self.state.tokens.issue()
        return json_answer(200, {"access_token": token, "expires_in": life, "token_type": "Bearer"})

    def unavailable(self) -> Answer:
        return super().unavailable()._replace(body=b"")

    def answer_message(self, incoming: Incoming) -> Answer:
        if incoming.method != "POST":
            return Answer(404)
        if refusal := self._refusal_of_token(incoming):
            return refusal
        try:
            document = orjson.loads(incoming.body)
        except orjson.JSONDecodeError:
            return _refuse("80100003", "The message body is not valid JSON", status=400)
        if fault := violation(document):
            return _refuse("80100003", fault, status=400)
        return self._answer_valid(document, incoming.body)

    def _refusal_of_token(self, incoming: Incoming) -> Answer | None:
        """Huawei says with 401 that a token is missing or wrong, and with 200 that it is over."""
        scheme, _, token = incoming.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return _refuse("80200001", "Oauth authentication error", status=401)
        if not self.state.tokens.is_valid(token):
            return _refuse("80200003", "Oauth Token expired")
        matched = SEND.fullmatch(incoming.path)
        if matched is None or matched[1] != APP:
            return _refuse("80200001", "The token is of another app", status=401)
        return None

    def _answer_valid(self, document: dict[str, Any], body: bytes) -> Answer:
        message = document["message"]
        tokens: list[str] = message["token"]
        if len(tokens) > MOST:
            return _refuse("80300010", "The number of tokens is too large")
        if len(body) - sum(map(len, tokens)) > LARGEST:
            return _refuse("80300008", "The message is too large")
        words = {word for token in tokens for word in (token.partition("-")[0], token.rpartition("-")[2])}
        for word in words & REFUSALS.keys():
            return _refuse(*REFUSALS[word])
        if "busy" in words:
            return self.unavailable()
        if "illegal" in words:
            counts = {"success": 0, "failure": len(tokens), "illegal_tokens": tokens}
            return _refuse("80100000", orjson.dumps(counts).decode())
        if not document.get("validate_only"):
            for token in tokens:
                self._take(token, message, body)
        if "hangup" in words:
            return Answer(0, hangup=True)
        if "reset" in words:
            return Answer(0, reset=INTERNAL_ERROR)
        answer = _refuse("80000000", "Success")
        return answer._replace(delay=self.state.faults.slow_ms / 1000) if "slow" in words else answer

    def _take(self, token: str, message: dict[str, Any], body: bytes) -> None:
        shown = message.get("notification") or {}
        data = _data(message)
        delivery = str(data.get("delivery_id") or secrets.token_hex(8))
        title, text = shown.get("title", ""), shown.get("body", "")
        self.state.arrivals.take(token, delivery, title)
        image, link = shown.get("image", ""), str(data.get("link") or "")
        self.state.outbox.add(
            OutboxItem("push", token, delivery, title, text, source=body, service="hms", image=image, link=link)
        )


def _data(message: dict[str, Any]) -> dict[str, Any]:
    """The message's data, if it is a JSON object."""
    try:
        data = orjson.loads(message.get("data") or "{}")
    except orjson.JSONDecodeError:
        return {}
    return data if isinstance(data, dict) else {}


def _refuse(code: str, text: str, *, status: int = 200) -> Answer:
    return json_answer(status, {"code": code, "msg": text, "requestId": f"{secrets.randbelow(10**18):018}"})
