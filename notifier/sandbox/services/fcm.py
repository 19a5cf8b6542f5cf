"""FCM HTTP v1: POST /v1/projects/{project}/messages:send, with FCM's own checks and error bodies.

An address chooses its answer by its first or last word between hyphens: `unregistered-1`, or `cX1:APA91b-throttled`.
"""

from __future__ import annotations

import re
import secrets
from typing import Any

import orjson

from notifier.sandbox.fake_service import INTERNAL_ERROR, REFUSED_STREAM, Answer, Incoming, MessageService, json_answer
from notifier.sandbox.outbox import OutboxItem
from notifier.sandbox.push_checks.fcm_schema import violation
from notifier.sandbox.push_checks.fcm_topics import address_of, topic_fault
from notifier.sandbox.state import SandboxState

PATH = re.compile(r"/v1/projects/([^/]+)/messages:send")
FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"
LARGEST = 4096  #: bytes of notification and data together
FLAKY_KEPT = 100_000

#: word of the address -> (HTTP status, error.status, FCM's errorCode, message)
REFUSALS = {
    "unregistered": (404, "NOT_FOUND", "UNREGISTERED", "Requested entity was not found."),
    "mismatch": (403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH", "SenderId mismatch"),
    "throttled": (429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", "Quota exceeded for this device."),
    "unavailable": (503, "UNAVAILABLE", "UNAVAILABLE", "The service is currently unavailable."),
    "internal": (500, "INTERNAL", "INTERNAL", "Internal error encountered."),
    "thirdparty": (401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR", "Auth error from APNS or Web Push Service"),
}
#: word of the address -> what happens after the message was accepted
BROKEN = {"reset": Answer(0, reset=INTERNAL_ERROR), "hangup": Answer(0, hangup=True)}
#: word of the address -> an answer that is not FCM's own, but of a proxy in front of FCM or of another server
PAGES = {"page": b"<!DOCTYPE html><title>Error 404 (Not Found)!!1</title>", "empty": b""}


class Fcm(MessageService):
    channel = "push"

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self._tokens, self._arrivals, self._faults = state.tokens, state.arrivals, state.faults
        self._outbox = state.outbox
        self._failed_once: set[str] = set()

    def serves(self, path: str) -> bool:
        return PATH.fullmatch(path) is not None

    def answer_message(self, incoming: Incoming) -> Answer:
        if incoming.method != "POST":
            return _error(404, "NOT_FOUND", "", "Not found.")
        scheme, _, token = incoming.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not self._tokens.is_valid(token):
            return _error(401, "UNAUTHENTICATED", "", "Request had invalid authentication credentials.")
        try:
            document = orjson.loads(incoming.body)
        except orjson.JSONDecodeError as error:
            return _invalid("", f"Invalid JSON payload received. {error}")
        if fault := violation(document):
            return _invalid(*fault)
        return self._answer_valid(incoming, document)

    def _answer_valid(self, incoming: Incoming, document: dict[str, Any]) -> Answer:
        message = document["message"]
        if fault := topic_fault(message):
            return _invalid(*fault, fcm=True)
        address = address_of(message)
        if payload_size(message) > LARGEST:
            return _invalid("message", "Message is too big", fcm=True)
        words = address.partition("-")[0], address.rpartition("-")[2]
        if refusal := self._refusal(address, words):
            return refusal
        name = orjson.dumps({"name": f"projects/{incoming.path.split('/')[3]}/messages/{secrets.token_hex(8)}"})
        if not (document.get("validate_only") or document.get("validateOnly")):
            self._take(address, message, incoming.body)
        if broken := BROKEN.get(words[0]) or BROKEN.get(words[1]):
            return broken
        return Answer(200, name, delay=self._faults.slow_ms / 1000 if "slow" in words else 0.0)

    def _refusal(self, address: str, words: tuple[str, str]) -> Answer | None:
        for word in words:
            if refusal := REFUSALS.get(word):
                return self._refuse(*refusal)
            if (page := PAGES.get(word)) is not None:
                return Answer(404, page)
        if "badarg" in words or not address.isascii():
            text = "The registration token is not a valid FCM registration token"
            return _invalid("message.token", text, fcm=True)
        if "refused" in words:
            return Answer(0, reset=REFUSED_STREAM)
        flaky = "flaky" in words and address not in self._failed_once
        if flaky and len(self._failed_once) < FLAKY_KEPT:
            self._failed_once.add(address)
        return self.unavailable() if flaky else None

    def unavailable(self) -> Answer:
        return self._refuse(*REFUSALS["unavailable"])

    def _refuse(self, status: int, code: str, fcm_code: str, message: str) -> Answer:
        answer = _error(status, code, fcm_code, message)
        if status in (429, 503) and (wait := self._faults.retry_after_text) is not None:
            return answer._replace(headers=(("retry-after", wait),))
        return answer

    def _take(self, address: str, message: dict[str, Any], body: bytes) -> None:
        notification = message.get("notification") or {}
        delivery = (message.get("data") or {}).get("delivery_id")
        if delivery is None:
            delivery = ((message.get("android") or {}).get("notification") or {}).get("tag", "")
        title, text = notification.get("title", ""), notification.get("body", "")
        self._arrivals.take(address, delivery, title)
        image, link = notification.get("image", ""), (message.get("data") or {}).get("link", "")
        item = OutboxItem("push", address, delivery, title, text, source=body, service="fcm", image=image, link=link)
        self._outbox.add(item)


def payload_size(message: dict[str, Any]) -> int:
    """Bytes of notification and data, as FCM counts them."""
    shown: dict[str, str] = message.get("notification") or {}
    data: dict[str, str] = message.get("data") or {}
    return sum(len(text.encode()) for part in (shown, data) for pair in part.items() for text in pair)


def _error(status: int, code: str, fcm_code: str, message: str, *details: dict[str, Any]) -> Answer:
    error: dict[str, Any] = {"code": status, "message": message, "status": code}
    if fcm_code:
        details = ({"@type": FCM_ERROR, "errorCode": fcm_code}, *details)
    if details:
        error["details"] = details
    return json_answer(status, {"error": error})


def _invalid(field: str, why: str, *, fcm: bool = False) -> Answer:
    detail = {"@type": BAD_REQUEST, "fieldViolations": [{"field": field, "description": why}]}
    return _error(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT" if fcm else "", why, detail)
