"""Postmark: POST /email, POST /email/batch, GET /server. Each report has the fields of its record type."""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from notifier.sandbox.email_service import (
    INACTIVE,
    INVALID,
    KEY,
    LINK,
    THROTTLED,
    EmailService,
    Mail,
    Report,
    words_of,
)
from notifier.sandbox.fake_service import Answer, Incoming, json_answer
from notifier.sandbox.outbox import Attachment

SINGLE, BATCH, SERVER = "/email", "/email/batch", "/server"
MOST, LARGEST = 500, 50_000_000
_ADDRESS = re.compile(r"[^\s<>@,]+@[^\s<>@,]+")


class Postmark(EmailService):
    def serves(self, path: str) -> bool:
        return path in (SINGLE, BATCH, SERVER)

    def answer(self, incoming: Incoming) -> Answer:
        return self._server(incoming) if incoming.path == SERVER else super().answer(incoming)

    def answer_message(self, incoming: Incoming) -> Answer:
        if not self._may(incoming):
            return _refuse(401, 10, "Bad or missing Server API token.")
        if len(incoming.body) > LARGEST:
            return _refuse(413, 0, "Payload too large")
        try:
            document = orjson.loads(incoming.body)
        except orjson.JSONDecodeError:
            return _refuse(422, 402, "Invalid JSON")
        if incoming.path == BATCH:
            return self._batch(document, incoming)
        entry, address = self._entry(document, incoming)
        status = 200 if entry["ErrorCode"] == 0 else 429 if entry["ErrorCode"] == 429 else 422
        return self.slowly(json_answer(status, entry, self.retry_after() if status == 429 else ()), address)

    def _batch(self, documents: Any, incoming: Incoming) -> Answer:
        if not isinstance(documents, list):
            return _refuse(422, 402, "Invalid JSON")
        if len(documents) > MOST:
            return _refuse(422, 410, "Too many messages: at most 500 in a batch.")
        entries = [self._entry(document, incoming) for document in documents]
        return self.slowly(json_answer(200, [entry for entry, _ in entries]), *(address for _, address in entries))

    def _entry(self, document: Any, incoming: Incoming) -> tuple[dict[str, Any], str]:
        """The answer to one message, and its address."""
        match = _ADDRESS.search(str(document.get("To", ""))) if isinstance(document, dict) else None
        if match is None or INVALID in words_of(match[0]):
            return _error(300, "Invalid 'To' address: 'that address'."), ""
        address, words = match[0], words_of(match[0])
        for name in ("From", "Subject"):
            if not document.get(name):
                return _error(300, f"Zero recipients specified, or {name} missing."), address
        if not document.get("TextBody") and not document.get("HtmlBody"):
            return _error(300, "Provide either email TextBody or HtmlBody or both."), address
        if THROTTLED in words:
            return _error(429, "Rate limit exceeded."), address
        if INACTIVE in words:
            text = "You tried to send to recipient(s) that have been marked as inactive. Found inactive addresses: "
            return _error(
                406, f"{text}{address}. Inactive recipients are ones that have generated a hard bounce."
            ), address
        reference = str(uuid.uuid4())
        self.take(_mail(document, address, reference), incoming)
        accepted = {"To": address, "SubmittedAt": _time(), "MessageID": reference, "ErrorCode": 0, "Message": "OK"}
        return accepted, address

    def _may(self, incoming: Incoming) -> bool:
        return incoming.headers.get("x-postmark-server-token") == KEY and not self.state.faults.reject_auth

    def _server(self, incoming: Incoming) -> Answer:
        if not self._may(incoming):
            return _refuse(401, 10, "Bad or missing Server API token.")
        return json_answer(200, {"ID": 1, "Name": "Notifier sandbox", "ApiTokens": [], "Color": "blue"})

    def report(self, report: Report, callback: str, delay: float) -> None:
        mail, at = report.mail, _time(report.at)
        common = {
            "MessageID": mail.reference,
            "MessageStream": "outbound",
            "ServerID": 1,
            "Tag": "",
            "Metadata": {"delivery_id": mail.delivery},
        }
        number = int(report.event_id[:8], 16)
        record = RECORDS[report.kind](mail.address, at, number)
        headers = {"content-type": "application/json", "user-agent": "Postmark"}
        self.state.callbacks.post(callback, headers, orjson.dumps(common | record), delay)


def _bounce(kind: str, code: int, text: str) -> Callable[[str, str, int], dict[str, Any]]:
    def record(address: str, at: str, number: int) -> dict[str, Any]:
        return {
            "RecordType": "Bounce",
            "ID": number,
            "Type": kind,
            "TypeCode": code,
            "Name": kind,
            "Description": text,
            "Details": text,
            "Email": address,
            "BouncedAt": at,
            "Inactive": kind == "HardBounce",
            "CanActivate": True,
        }

    return record


def _seen(kind: str, **more: Any) -> Callable[[str, str, int], dict[str, Any]]:
    def record(address: str, at: str, number: int) -> dict[str, Any]:
        client = {"UserAgent": "Sandbox", "Client": {"Name": "Sandbox"}, "OS": {}, "Geo": {}, "Platform": "Desktop"}
        return {"RecordType": kind, "Recipient": address, "ReceivedAt": at, **client, **more}

    return record


def _complaint(address: str, at: str, number: int) -> dict[str, Any]:
    record = _bounce("SpamComplaint", 100_001, "The subscriber explicitly marked this message as spam.")
    return record(address, at, number) | {"RecordType": "SpamComplaint"}


def _unsubscribed(address: str, at: str, number: int) -> dict[str, Any]:
    return {
        "RecordType": "SubscriptionChange",
        "Recipient": address,
        "ChangedAt": at,
        "Origin": "Recipient",
        "SuppressSending": True,
        "SuppressionReason": "ManualSuppression",
    }


#: our word -> the fields of Postmark's record, from address, time and number
RECORDS: Mapping[str, Callable[[str, str, int], dict[str, Any]]] = {
    "delivered": lambda address, at, number: {
        "RecordType": "Delivery",
        "Recipient": address,
        "DeliveredAt": at,
        "Details": "250 OK",
    },
    "deferred": _bounce("Transient", 2, "450 4.2.1 try again later"),
    "bounced": _bounce("HardBounce", 1, "550 5.1.1 no such mailbox"),
    "soft_bounced": _bounce("SoftBounce", 4096, "552 5.2.2 mailbox full"),
    "dropped": _bounce("BadEmailAddress", 100_000, "The address is not valid"),
    "complained": _complaint,
    "unsubscribed": _unsubscribed,
    "opened": _seen("Open", FirstOpen=True),
    "clicked": _seen("Click", OriginalLink=LINK, ClickLocation="HTML"),
}


def _mail(document: dict[str, Any], address: str, reference: str) -> Mail:
    delivery = (document.get("Metadata") or {}).get("delivery_id", reference)
    return Mail(
        address,
        reference,
        str(delivery),
        document["Subject"],
        document.get("TextBody") or "",
        document.get("HtmlBody") or "",
        document["From"],
        [(header["Name"], str(header["Value"])) for header in document.get("Headers") or ()],
        [_attachment(each) for each in document.get("Attachments") or ()],
        orjson.dumps(document),
    )


def _attachment(each: dict[str, Any]) -> Attachment:
    content_id = str(each.get("ContentID") or "").removeprefix("cid:")
    return Attachment(each["Name"], each["ContentType"], base64.b64decode(each["Content"]), content_id)


def _time(at: float | None = None) -> str:
    moment = datetime.now(UTC) if at is None else datetime.fromtimestamp(at, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _error(code: int, message: str) -> dict[str, Any]:
    return {"ErrorCode": code, "Message": message}


def _refuse(status: int, code: int, message: str) -> Answer:
    return json_answer(status, _error(code, message))
