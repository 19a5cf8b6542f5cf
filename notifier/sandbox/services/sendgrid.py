"""SendGrid: POST /v3/mail/send, GET /v3/scopes. Events come in JSON arrays, those of a tenth of a second together."""

from __future__ import annotations

import asyncio
import base64
import secrets
import time
from collections import defaultdict
from typing import Any

import orjson

from notifier.sandbox.email_service import (
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
from notifier.sandbox.state import SandboxState

SEND, SCOPES = "/v3/mail/send", "/v3/scopes"
LARGEST = 30_000_000  #: bytes of a message
GATHER_SECONDS, MOST_EVENTS = 0.1, 500
#: our word -> SendGrid's event, with the fields that only this event has
EVENTS: dict[str, dict[str, Any]] = {
    "delivered": {"event": "delivered", "response": "250 OK"},
    "deferred": {"event": "deferred", "response": "450 4.2.1 try again later", "attempt": "1"},
    "bounced": {"event": "bounce", "type": "bounce", "status": "5.1.1", "reason": "550 5.1.1 no such mailbox"},
    "soft_bounced": {"event": "bounce", "type": "blocked", "status": "5.2.2", "reason": "552 5.2.2 mailbox full"},
    "dropped": {"event": "dropped", "reason": "Bounced Address"},
    "complained": {"event": "spamreport"},
    "unsubscribed": {"event": "unsubscribe"},
    "opened": {"event": "open", "useragent": "Sandbox", "ip": "192.0.2.1", "sg_machine_open": False},
    "clicked": {"event": "click", "url": LINK, "useragent": "Sandbox", "ip": "192.0.2.1"},
}


class SendGrid(EmailService):
    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self._gathered: dict[str, list[dict[str, Any]]] = defaultdict(list)

    def serves(self, path: str) -> bool:
        return path in (SEND, SCOPES)

    def answer(self, incoming: Incoming) -> Answer:
        return super().answer(incoming) if incoming.path == SEND else self._scopes(incoming)

    def answer_message(self, incoming: Incoming) -> Answer:
        if incoming.method != "POST":
            return _refuse(405, "method not allowed")
        if not self._may(incoming):
            return _refuse(401, "The provided authorization grant is invalid, expired, or revoked")
        if len(incoming.body) > LARGEST:
            return _refuse(413, "The total size of the request is too large.")
        try:
            document = orjson.loads(incoming.body)
        except orjson.JSONDecodeError:
            return _refuse(400, "Bad Request")
        if fault := violation(document):
            return _refuse(400, fault[1], fault[0])
        recipients = [to["email"] for part in document["personalizations"] for to in part["to"]]
        if any(THROTTLED in words_of(address) for address in recipients):
            reset = (("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", str(int(time.time()) + 1)))
            return _refuse(429, "too many requests", headers=reset)
        reference = secrets.token_urlsafe(16)
        for part in document["personalizations"]:
            for to in part["to"]:
                self.take(_mail(document, part, to, reference, incoming.body), incoming)
        return self.slowly(Answer(202, b"", (("x-message-id", reference),)), *recipients)

    def _may(self, incoming: Incoming) -> bool:
        return incoming.headers.get("authorization") == f"Bearer {KEY}" and not self.state.faults.reject_auth

    def _scopes(self, incoming: Incoming) -> Answer:
        if not self._may(incoming):
            return _refuse(401, "authorization required")
        return json_answer(200, {"scopes": ["mail.send"]})

    # -- events --

    def report(self, report: Report, callback: str, delay: float) -> None:
        mail = report.mail
        event = {
            "email": mail.address,
            "timestamp": int(report.at),
            "smtp-id": f"<{mail.reference}@geopod-ismtpd-0>",
            "sg_event_id": report.event_id,
            "sg_message_id": f"{mail.reference}.recvd-sandbox-1",
            "delivery_id": mail.delivery,
            **EVENTS[report.kind],
        }
        loop = asyncio.get_running_loop()
        loop.call_later(delay, self._gather, callback, event)

    def _gather(self, callback: str, event: dict[str, Any]) -> None:
        events = self._gathered[callback]
        events.append(event)
        if len(events) == 1:
            asyncio.get_running_loop().call_later(GATHER_SECONDS, self._flush, callback)
        elif len(events) >= MOST_EVENTS:
            self._flush(callback)

    def _flush(self, callback: str) -> None:
        if events := self._gathered.pop(callback, []):
            headers = {"content-type": "application/json", "user-agent": "SendGrid Event API"}
            self.state.callbacks.post(callback, headers, orjson.dumps(events))


def violation(document: Any) -> tuple[str, str] | None:
    """The first fault for which SendGrid would refuse the request, as (field, message)."""
    if not isinstance(document, dict):
        return "", "Bad Request"
    parts = document.get("personalizations")
    if not isinstance(parts, list) or not 1 <= len(parts) <= 1000:
        return "personalizations", "The personalizations field is required and must have at least one personalization."
    for n, part in enumerate(parts):
        recipients = part.get("to") if isinstance(part, dict) else None
        if not isinstance(recipients, list) or not recipients:
            return f"personalizations.{n}.to", "The to array is required for all personalization objects."
        for m, to in enumerate(recipients):
            if not _is_address(to) or INVALID in words_of(to["email"]):
                return f"personalizations.{n}.to.{m}.email", "Does not contain a valid address."
    if not _is_address(document.get("from")):
        return "from.email", "The from email does not contain a valid address."
    if not document.get("subject"):
        return "subject", "The subject is required."
    content = document.get("content")
    if not isinstance(content, list) or not all(isinstance(c, dict) and c.get("value") for c in content) or not content:
        return "content", "Unless a valid template_id is provided, the content parameter is required."
    return None


def _is_address(value: Any) -> bool:
    return isinstance(value, dict) and "@" in str(value.get("email", ""))


def _mail(document: dict[str, Any], part: dict[str, Any], to: dict[str, Any], reference: str, source: bytes) -> Mail:
    contents = {content.get("type"): content["value"] for content in document["content"]}
    arguments = {**(document.get("custom_args") or {}), **(part.get("custom_args") or {})}
    headers = {**(document.get("headers") or {}), **(part.get("headers") or {})}
    sender = document["from"]
    return Mail(
        to["email"],
        reference,
        str(arguments.get("delivery_id", reference)),
        document["subject"],
        contents.get("text/plain", ""),
        contents.get("text/html", ""),
        f"{sender.get('name', '')} <{sender['email']}>".strip(),
        [(str(name), str(value)) for name, value in headers.items()],
        [_attachment(each) for each in document.get("attachments") or ()],
        source,
    )


def _attachment(each: dict[str, Any]) -> Attachment:
    content = base64.b64decode(each.get("content", ""))
    return Attachment(each.get("filename", ""), each.get("type", ""), content, each.get("content_id", ""))


def _refuse(status: int, message: str, field: str = "", headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    return json_answer(status, {"errors": [{"message": message, "field": field or None, "help": None}]}, headers)
