"""Expo's push service: POST /--/api/v2/push/send and /--/api/v2/push/getReceipts.

A token chooses its answer by the first or last word, between hyphens, of what stands in its brackets:
`ExponentPushToken[unregistered-1]`. A token with the word `other` belongs to another project.
"""

from __future__ import annotations

import secrets
import uuid
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from notifier.sandbox.fake_service import INTERNAL_ERROR, Answer, Incoming, MessageService, json_answer
from notifier.sandbox.outbox import OutboxItem
from notifier.sandbox.push_checks.expo_schema import violation
from notifier.sandbox.state import SandboxState

SEND, RECEIPTS = "/--/api/v2/push/send", "/--/api/v2/push/getReceipts"
ACCESS_TOKEN = "notifier-sandbox"  # noqa: S105
MOST, MOST_RECEIPTS = 100, 1000
LARGEST = 4096  #: bytes of what Expo hands on to Apple and Google
LARGEST_REQUEST = 2_000_000  #: bytes without compression
RECEIPTS_KEPT = 200_000
REQUEST_KEPT = 100_000
PROJECT, OTHER_PROJECT = "@notifier/sandbox", "@notifier/other"

#: word of the token -> details.error and message of its ticket
TICKET_ERRORS = {
    "unregistered": ("DeviceNotRegistered", '"{token}" is not a registered push notification recipient'),
    "busy": ("MessageRateExceeded", "Message rate exceeded."),
    "mismatch": ("MismatchSenderId", "The FCM credentials do not belong to the sender of the token."),
    "credentials": ("InvalidCredentials", "The APNs credentials of the project are not valid."),
}
#: word of the token -> details.error and message of its receipt
RECEIPT_ERRORS = {
    "gone": ("DeviceNotRegistered", '"{token}" is not a registered push notification recipient'),
    "undelivered": ("ProviderError", "The push service did not take the message."),
    "revoked": ("InvalidCredentials", "The APNs credentials of the project are not valid."),
}
NO_RECEIPT, LATE_RECEIPT = "noreceipt", "laterreceipt"  #: never; from the second request on


class Expo(MessageService):
    channel = "push"

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self._receipts: dict[str, dict[str, Any]] = {}
        self._late: dict[str, dict[str, Any]] = {}

    def serves(self, path: str) -> bool:
        return path in (SEND, RECEIPTS)

    def answer(self, incoming: Incoming) -> Answer:
        """Requests for receipts count as no messages."""
        return self._answer_receipts(incoming) if incoming.path == RECEIPTS else super().answer(incoming)

    def unavailable(self) -> Answer:
        answer = _refuse(503, "SERVICE_UNAVAILABLE", "The service is not available.", isTransient=True)
        return answer._replace(headers=super().unavailable().headers)

    def answer_message(self, incoming: Incoming) -> Answer:
        document, refusal = self._read(incoming)
        if refusal:
            return refusal
        messages = document if isinstance(document, list) else [document]
        if fault := violation(messages):
            return _refuse(400, "VALIDATION_ERROR", fault)
        tokens = [token for message in messages for token in _tokens_of(message)]
        if refusal := self._refusal_of_tokens(tokens, incoming):
            return refusal
        tickets = [self._ticket(token, message, incoming.path) for message in messages for token in _tokens_of(message)]
        answer = json_answer(200, {"data": tickets if isinstance(document, list) or len(tickets) > 1 else tickets[0]})
        words = {word for token in tokens for word in words_of(token)}
        if "hangup" in words:
            return Answer(0, hangup=True)
        if "reset" in words:
            return Answer(0, reset=INTERNAL_ERROR)
        return answer._replace(delay=self.state.faults.slow_ms / 1000) if "slow" in words else answer

    def _read(self, incoming: Incoming) -> tuple[Any, Answer | None]:
        """The request's document, or the refusal of the request."""
        if incoming.method != "POST":
            return None, _refuse(404, "NOT_FOUND", "Not found.")
        scheme, _, token = incoming.headers.get("authorization", "").partition(" ")
        if scheme and (scheme.lower() != "bearer" or token != ACCESS_TOKEN or self.state.faults.reject_auth):
            return None, _refuse(401, "UNAUTHORIZED", "The bearer token is invalid.")
        try:
            return orjson.loads(_body(incoming)), None
        except ValueError:
            return None, _refuse(400, "INVALID_JSON", "The body is not valid JSON.")

    def _refusal_of_tokens(self, tokens: list[str], incoming: Incoming) -> Answer | None:
        words = {word for token in tokens for word in words_of(token)}
        if len(tokens) > MOST:
            text = f"You are trying to send {len(tokens)} push notifications; at most {MOST} are allowed."
            return _refuse(400, "PUSH_TOO_MANY_NOTIFICATIONS", text)
        projects: dict[str, list[str]] = {}
        for token in tokens:
            projects.setdefault(OTHER_PROJECT if "other" in words_of(token) else PROJECT, []).append(token)
        if len(projects) > 1:
            text = "All push notification messages in the same request must be for the same project."
            return _refuse(400, "PUSH_TOO_MANY_EXPERIENCE_IDS", text, details=projects)
        if "protected" in words and "authorization" not in incoming.headers:
            return _refuse(401, "UNAUTHORIZED", "The project requires an access token.")
        if "throttled" in words:
            after = self.state.faults.retry_after_text
            headers = () if after is None else (("retry-after", after),)
            return _refuse(429, "TOO_MANY_REQUESTS", "Too many requests.")._replace(headers=headers)
        return None

    def _ticket(self, token: str, message: dict[str, Any], path: str) -> dict[str, Any]:
        words = words_of(token)
        for word in words:
            if word in TICKET_ERRORS:
                return _error(token, *TICKET_ERRORS[word])
        if payload_size(message) > LARGEST:
            return _error(token, "MessageTooBig", "The message is too big.")
        ticket = str(uuid.uuid4())
        self._keep_receipt(ticket, token)
        self._take(token, message)
        return {"status": "ok", "id": ticket}

    def _keep_receipt(self, ticket: str, token: str) -> None:
        words = words_of(token)
        if NO_RECEIPT in words:
            return
        receipt: dict[str, Any] = {"status": "ok"}
        for word in words:
            if word in RECEIPT_ERRORS:
                receipt = _error(token, *RECEIPT_ERRORS[word])
        kept = self._late if LATE_RECEIPT in words else self._receipts
        kept[ticket] = receipt
        if len(kept) > RECEIPTS_KEPT:
            del kept[next(iter(kept))]

    def _take(self, token: str, message: dict[str, Any]) -> None:
        data = message.get("data") or {}
        delivery = str(data.get("delivery_id") or secrets.token_hex(8))
        title, text = str(message.get("title") or ""), str(message.get("body") or "")
        self.state.arrivals.take(token, delivery, title)
        image = str((message.get("richContent") or {}).get("image") or "")
        source = orjson.dumps(message)[:REQUEST_KEPT]
        link = str(data.get("link") or "")
        self.state.outbox.add(
            OutboxItem("push", token, delivery, title, text, source=source, service="expo", image=image, link=link)
        )

    def _answer_receipts(self, incoming: Incoming) -> Answer:
        document, refusal = self._read(incoming)
        if refusal:
            return refusal
        ids = document.get("ids") if isinstance(document, dict) else None
        if not isinstance(ids, list) or not all(isinstance(each, str) for each in ids):
            return _refuse(400, "VALIDATION_ERROR", '"ids" must be an array of strings')
        if len(ids) > MOST_RECEIPTS:
            text = f"You are trying to get {len(ids)} push receipts; at most {MOST_RECEIPTS} are allowed."
            return _refuse(400, "PUSH_TOO_MANY_RECEIPTS", text)
        receipts = {each: self._receipts[each] for each in ids if each in self._receipts}
        for each in ids:
            if each in self._late:
                self._receipts[each] = self._late.pop(each)
        return json_answer(200, {"data": receipts})


def words_of(token: str) -> tuple[str, str]:
    """The first and the last word of what stands in the token's brackets."""
    inner = token.partition("[")[2].rstrip("]")
    return inner.partition("-")[0], inner.rpartition("-")[2]


def payload_size(message: Mapping[str, Any]) -> int:
    """Bytes of what Expo hands on."""
    handed_on = ("title", "subtitle", "body", "data", "richContent")
    return len(orjson.dumps({name: message[name] for name in handed_on if name in message}))


def _tokens_of(message: Mapping[str, Any]) -> Iterator[str]:
    to = message["to"]
    yield from to if isinstance(to, list) else [to]


def _body(incoming: Incoming) -> bytes:
    """The body without its compression. Raises ValueError."""
    if incoming.headers.get("content-encoding", "") != "gzip":
        return incoming.body
    decoder = zlib.decompressobj(31)
    try:
        body = decoder.decompress(incoming.body, LARGEST_REQUEST)
    except zlib.error:
        raise ValueError("the body is no gzip") from None
    if not decoder.eof:
        raise ValueError("the body is too large")
    return body


def _error(token: str, code: str, message: str) -> dict[str, Any]:
    details = {"error": code, "expoPushToken": token}
    return {"status": "error", "message": message.format(token=token), "details": details}


def _refuse(status: int, code: str, message: str, **more: Any) -> Answer:
    return json_answer(status, {"errors": [{"code": code, "message": message, "isTransient": False, **more}]})
