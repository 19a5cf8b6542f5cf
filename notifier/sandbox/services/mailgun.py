"""Mailgun: POST /v3/{domain}/messages (a form) and GET /v3/domains/{domain}. Reports are signed with the key."""

from __future__ import annotations

import hmac
import re
import secrets
import time
from base64 import b64decode
from collections import defaultdict
from collections.abc import Mapping
from email import message_from_bytes
from email.policy import HTTP
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl

import orjson

from notifier.sandbox.email_service import INVALID, KEY, LINK, THROTTLED, EmailService, Mail, Report, words_of
from notifier.sandbox.fake_service import Answer, Incoming, json_answer
from notifier.sandbox.outbox import Attachment

PATH = re.compile(r"/v3/([^/]+)/messages")
DOMAIN = re.compile(r"/v3/domains/([^/]+)")
UNKNOWN_DOMAIN = "unknown.example"
_ADDRESS = re.compile(r"[^\s<>@]+@[^\s<>@]+")
#: our word -> Mailgun's event, with the fields that only this event has
EVENTS: dict[str, dict[str, Any]] = {
    "delivered": {"event": "delivered", "delivery-status": {"code": 250, "message": "OK"}},
    "deferred": {
        "event": "failed",
        "severity": "temporary",
        "reason": "generic",
        "delivery-status": {"code": 450, "message": "4.2.1 try again later"},
    },
    "bounced": {
        "event": "failed",
        "severity": "permanent",
        "reason": "bounce",
        "delivery-status": {"code": 550, "message": "5.1.1 no such mailbox", "bounce-type": "hard"},
    },
    "soft_bounced": {
        "event": "failed",
        "severity": "permanent",
        "reason": "generic",
        "delivery-status": {"code": 552, "message": "5.2.2 mailbox full", "bounce-type": "soft"},
    },
    "dropped": {
        "event": "failed",
        "severity": "permanent",
        "reason": "suppress-bounce",
        "delivery-status": {"code": 605},
    },
    "complained": {"event": "complained"},
    "unsubscribed": {"event": "unsubscribed"},
    "opened": {"event": "opened", "client-info": {"user-agent": "Sandbox", "bot": ""}, "ip": "192.0.2.1"},
    "clicked": {
        "event": "clicked",
        "url": LINK,
        "client-info": {"user-agent": "Sandbox", "bot": ""},
        "ip": "192.0.2.1",
    },
}


class Mailgun(EmailService):
    def serves(self, path: str) -> bool:
        return bool(PATH.fullmatch(path) or DOMAIN.fullmatch(path))

    def answer(self, incoming: Incoming) -> Answer:
        return self._domain(incoming) if DOMAIN.fullmatch(incoming.path) else super().answer(incoming)

    def answer_message(self, incoming: Incoming) -> Answer:
        if not self._may(incoming):
            return Answer(401, b"Forbidden", content_type="text/plain")
        domain = incoming.path.split("/")[2]
        if domain == UNKNOWN_DOMAIN:
            return json_answer(404, {"message": f"Domain not found: {domain}"})
        fields, files = read_form(incoming)
        recipients = [address for text in fields.get("to", ()) for address in _ADDRESS.findall(text)]
        if not recipients or any(INVALID in words_of(address) for address in recipients):
            return json_answer(400, {"message": "to parameter is not a valid address. please check documentation"})
        for name in ("from", "subject"):
            if not fields.get(name):
                return json_answer(400, {"message": f"{name} parameter is missing"})
        if not fields.get("text") and not fields.get("html"):
            return json_answer(
                400, {"message": "Need at least one of 'text', 'html', 'amp-html' or 'template' parameters"}
            )
        if any(THROTTLED in words_of(address) for address in recipients):
            return json_answer(
                429, {"message": "Domain is not allowed to send: rate limit exceeded"}, self.retry_after()
            )
        reference = f"{secrets.token_hex(12)}@{domain}"
        for address in recipients:
            self.take(_mail(fields, files, address, reference, incoming.body), incoming)
        return self.slowly(json_answer(200, {"id": f"<{reference}>", "message": "Queued. Thank you."}), *recipients)

    def _may(self, incoming: Incoming) -> bool:
        scheme, _, encoded = incoming.headers.get("authorization", "").partition(" ")
        try:
            login = b64decode(encoded).decode()
        except ValueError:
            return False
        return scheme == "Basic" and login == f"api:{KEY}" and not self.state.faults.reject_auth

    def _domain(self, incoming: Incoming) -> Answer:
        if not self._may(incoming):
            return Answer(401, b"Forbidden", content_type="text/plain")
        name = incoming.path.rpartition("/")[2]
        if name == UNKNOWN_DOMAIN:
            return json_answer(404, {"message": "Domain not found"})
        return json_answer(200, {"domain": {"name": name, "state": "active"}})

    def report(self, report: Report, callback: str, delay: float) -> None:
        mail = report.mail
        data = {
            "id": report.event_id[:22],
            "timestamp": report.at,
            "recipient": mail.address,
            "message": {"headers": {"to": mail.address, "message-id": mail.reference, "subject": mail.subject}},
            "user-variables": {"delivery_id": mail.delivery},
            "tags": [],
            **EVENTS[report.kind],
        }
        stamp, token = str(int(time.time())), report.event_id + "0" * 18
        signature = hmac.new(KEY.encode(), f"{stamp}{token}".encode(), sha256).hexdigest()
        body = {"signature": {"timestamp": stamp, "token": token, "signature": signature}, "event-data": data}
        headers = {"content-type": "application/json", "user-agent": "mailgun/treq"}
        self.state.callbacks.post(callback, headers, orjson.dumps(body), delay)


def read_form(incoming: Incoming) -> tuple[Mapping[str, list[str]], list[Attachment]]:
    """The fields and the files of a form, in both encodings that Mailgun takes."""
    fields: dict[str, list[str]] = defaultdict(list)
    files: list[Attachment] = []
    kind = incoming.headers.get("content-type", "")
    if not kind.startswith("multipart/form-data"):
        for name, value in parse_qsl(incoming.body.decode("utf-8", "replace"), keep_blank_values=True):
            fields[name].append(value)
        return fields, files
    form = message_from_bytes(b"Content-Type: %b\r\n\r\n%b" % (kind.encode(), incoming.body), policy=HTTP)
    for part in form.walk():
        name = str(part.get_param("name", "", header="content-disposition"))
        content = part.get_payload(decode=True)
        if not isinstance(content, bytes) or not name:
            continue
        if (filename := part.get_filename()) is None:
            fields[name].append(content.decode("utf-8", "replace"))
        else:
            content_id = filename if name == "inline" else ""
            files.append(Attachment(filename, part.get_content_type(), content, content_id))
    return fields, files


def _mail(
    fields: Mapping[str, list[str]], files: list[Attachment], address: str, reference: str, source: bytes
) -> Mail:
    headers = [(name[2:], value) for name, values in fields.items() if name.startswith("h:") for value in values]
    delivery = fields["v:delivery_id"][0] if fields.get("v:delivery_id") else reference
    text, html = (fields[name][0] if fields.get(name) else "" for name in ("text", "html"))
    return Mail(
        address, reference, delivery, fields["subject"][0], text, html, fields["from"][0], headers, files, source
    )
