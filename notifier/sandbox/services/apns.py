"""APNs: POST /3/device/<token>, with Apple's own checks, reasons and headers.

Both of Apple's environments are here: a request whose host is Apple's development server is of the development
environment, any other of production. A device token chooses its answer: see `push_checks/apns_tokens.py`.

    https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Mapping
from typing import Any

import orjson

from notifier.sandbox.fake_service import Answer, Incoming, MessageService, json_answer
from notifier.sandbox.outbox import OutboxItem
from notifier.sandbox.push_checks.apns_provider_token import ProviderTokens
from notifier.sandbox.push_checks.apns_tokens import (
    BROKEN,
    DEVELOPMENT_DEVICE,
    FLAKY,
    PAGES,
    PREFIX_SIZE,
    REFUSALS,
    REFUSED,
    SLOW,
    gone_since,
)
from notifier.sandbox.state import SandboxState

PATH = "/3/device/"
DEVELOPMENT_HOSTS = frozenset({"api.sandbox.push.apple.com", "api.development.push.apple.com"})
TOKEN = re.compile(r"[0-9a-fA-F]{64,200}")
TOPIC = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
UUID_TEXT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
EXPIRATION = re.compile(r"[0-9]{1,10}")
#: push type -> how its topic ends
PUSH_TYPES: Mapping[str, str] = {
    "alert": "", "background": "", "location": ".location-query", "voip": ".voip", "complication": ".complication",
    "fileprovider": ".pushkit.fileprovider", "mdm": "", "liveactivity": ".push-type.liveactivity",
    "pushtotalk": ".voip-ptt", "widgets": ".push-type.widgets", "controls": ".push-type.controls",
}  # fmt: skip
PRIORITIES = frozenset({"1", "5", "10"})
LARGEST, LARGEST_VOIP, LONGEST_COLLAPSE_ID = 4096, 5120, 64  #: bytes
IMPOSSIBLE_TOKEN = "0" * 64
FLAKY_KEPT = 100_000


class Apns(MessageService):
    channel = "push"
    many_paths = True

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self._tokens = ProviderTokens()
        self._failed_once: set[str] = set()

    def serves(self, path: str) -> bool:
        return path.startswith(PATH)

    def answer_message(self, incoming: Incoming) -> Answer:
        headers = incoming.headers
        message_id = headers.get("apns-id") or str(uuid.uuid4())
        if fault := self._fault(incoming):
            return self._refuse(*fault, message_id)
        token = incoming.path[len(PATH) :].lower()
        development = headers.get(":authority", headers.get("host", "")) in DEVELOPMENT_HOSTS
        if answer := self._answer_of_device(token, message_id, development=development):
            return answer
        document = orjson.loads(incoming.body)
        self._take(incoming, token, message_id, document)
        self.state.counters[f"apns {'development' if development else 'production'}"] += 1
        prefix = token[:PREFIX_SIZE]
        if broken := BROKEN.get(prefix):
            return broken
        answer_headers = [("apns-id", message_id)]
        if development:
            answer_headers.append(("apns-unique-id", str(uuid.uuid4())))
        delay = self.state.faults.slow_ms / 1000 if prefix == SLOW else 0.0
        return Answer(200, headers=tuple(answer_headers), delay=delay)

    # -- the checks --

    def _fault(self, incoming: Incoming) -> tuple[int, str] | None:
        """Status and reason with which APNs refuses the request, whatever the device."""
        if incoming.method != "POST":
            return 405, "MethodNotAllowed"
        if self.state.faults.reject_auth:
            return 403, "InvalidProviderToken"
        known = self._tokens.seen
        if reason := self._tokens.refusal(incoming.headers.get("authorization", "")):
            return 403, reason
        if self._tokens.seen != known:
            self.state.counters["apns provider tokens"] += 1
        token = incoming.path[len(PATH) :]
        if not token:
            return 400, "MissingDeviceToken"
        if not TOKEN.fullmatch(token) or token == IMPOSSIBLE_TOKEN:
            return 400, "BadDeviceToken"
        return header_fault(incoming.headers) or payload_fault(incoming.headers, incoming.body)

    def _answer_of_device(self, token: str, message_id: str, *, development: bool) -> Answer | None:
        """The answer that the device's token asks for; None when it takes the message."""
        prefix = token[:PREFIX_SIZE]
        if (prefix == DEVELOPMENT_DEVICE) != development:
            return self._refuse(400, "BadDeviceToken", message_id)
        if not prefix.startswith("fff"):
            return None
        if refusal := REFUSALS.get(prefix):
            return self._refuse(*refusal, message_id, token)
        if prefix == FLAKY and token not in self._failed_once and len(self._failed_once) < FLAKY_KEPT:
            self._failed_once.add(token)
            return self._refuse(503, "ServiceUnavailable", message_id)
        return PAGES.get(prefix) or REFUSED.get(prefix)

    # -- the answers --

    def unavailable(self) -> Answer:
        return self._refuse(503, "ServiceUnavailable", str(uuid.uuid4()))

    def _refuse(self, status: int, reason: str, message_id: str, token: str = "") -> Answer:
        document: dict[str, Any] = {"reason": reason}
        if status == 410:
            document["timestamp"] = gone_since(token, time.time())
        headers = [("apns-id", message_id)]
        if status == 503 and (wait := self.state.faults.retry_after_text) is not None:
            headers.append(("retry-after", wait))
        return json_answer(status, document, tuple(headers))

    def _take(self, incoming: Incoming, token: str, message_id: str, document: dict[str, Any]) -> None:
        alert = document["aps"].get("alert", "")
        if not isinstance(alert, dict):
            alert = {"body": alert}
        title, text = _text(alert.get("title")), _text(alert.get("body"))
        self.state.arrivals.take(token, message_id, title)
        item = OutboxItem(
            self.channel,
            token,
            message_id,
            title,
            text,
            headers=[pair for pair in incoming.headers.items() if pair[0].startswith("apns-")],
            source=incoming.body,
            service=self.name(),
            image=_text(document.get("image")),
            link=_text(document.get("link")),
        )
        self.state.outbox.add(item)


def header_fault(headers: Mapping[str, str]) -> tuple[int, str] | None:
    """Status and reason for headers that APNs refuses."""
    topic, kind = headers.get("apns-topic", ""), headers.get("apns-push-type", "alert")
    priority = headers.get("apns-priority", "10")
    message_id, expiration = headers.get("apns-id"), headers.get("apns-expiration")
    if not topic:
        return 400, "MissingTopic"
    suffix = PUSH_TYPES.get(kind)
    if suffix is None:
        return 400, "InvalidPushType"
    if not TOPIC.fullmatch(topic) or not topic.endswith(suffix):
        return 400, "BadTopic"
    if priority not in PRIORITIES or (kind == "background" and headers.get("apns-priority", "5") == "10"):
        return 400, "BadPriority"
    if message_id is not None and not UUID_TEXT.fullmatch(message_id):
        return 400, "BadMessageId"
    if expiration is not None and not EXPIRATION.fullmatch(expiration):
        return 400, "BadExpirationDate"
    if len(headers.get("apns-collapse-id", "").encode()) > LONGEST_COLLAPSE_ID:
        return 400, "BadCollapseId"
    return None


def payload_fault(headers: Mapping[str, str], body: bytes) -> tuple[int, str] | None:
    """Status and reason for a payload that APNs refuses."""
    if len(body) > (LARGEST_VOIP if headers.get("apns-push-type") == "voip" else LARGEST):
        return 413, "PayloadTooLarge"
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return 400, "PayloadEmpty"
    aps = document.get("aps") if isinstance(document, dict) else None
    return None if isinstance(aps, dict) and aps else (400, "PayloadEmpty")


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
