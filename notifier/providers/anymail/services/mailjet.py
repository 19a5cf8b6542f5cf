"""Mailjet, Send API v3.1. https://dev.mailjet.com/email/reference/send-emails/"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from notifier.channels.email import EmailMessage
from notifier.providers import base
from notifier.providers.anymail.answers import Refusal, parse_json, text_at, texts_in
from notifier.providers.anymail.config import EspConfig
from notifier.providers.anymail.provider import EmailService
from notifier.providers.common.batches import BatchProvider
from notifier.vocabulary.http import Request, Response


@dataclass(frozen=True, kw_only=True)
class MailjetConfig(EspConfig):
    api_key: str = base.secret()
    secret_key: str = base.secret()


class Mailjet(BatchProvider[EmailMessage], EmailService):
    name = "mailjet"
    title = "Mailjet"
    origin = "https://api.mailjet.com"
    api_path = "/v3.1/"
    largest_batch = 50  # https://dev.mailjet.com/email/reference/send-emails/
    webhook_view = "mailjet.MailjetTrackingWebhookView"
    test_path = "/v3/REST/sender"
    Config = MailjetConfig
    config: MailjetConfig

    def options(self) -> dict[str, Any]:
        return {"api_key": self.config.api_key, "secret_key": self.config.secret_key}

    def refusal_in(self, document: Any) -> Refusal | None:
        """Of the request, or of its first message."""
        if not isinstance(document, dict):
            return None
        error = document
        if text_at(document, "Messages", 0, "Status"):
            errors = document["Messages"][0].get("Errors")
            error = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
        if "ErrorMessage" not in error and "ErrorCode" not in error:
            return None
        field = text_at(error, "ErrorRelatedTo", 0)
        return Refusal(" ".join(texts_in(error.get("ErrorMessage", ""))), text_at(error, "ErrorCode"), field)

    def combine(self, requests: Sequence[Request]) -> Request:
        """Anymail puts all but the recipient into Globals, which hold for all messages of a request."""
        messages = []
        for request in requests:
            data = orjson.loads(request.body)
            messages.append({**data["Globals"], **data["Messages"][0]})
        first = requests[0]
        return Request(first.method, first.url, first.headers, orjson.dumps({"Messages": messages}), first.timeout)

    def entries(self, response: Response) -> Sequence[Response]:
        """An answer to several messages has the status 400 when one of them is refused."""
        document = parse_json(response.body)
        messages = document.get("Messages") if isinstance(document, dict) else None
        if not isinstance(messages, list):
            return []
        return [
            Response(_status_of(message), response.headers, orjson.dumps({"Messages": [message]}))
            for message in messages
        ]

    @staticmethod
    def is_hard_bounce(report: Mapping[str, Any]) -> bool:
        return bool(report.get("hard_bounce")) and report.get("error_related_to") in ("recipient", "domain")


def _status_of(message: Any) -> int:
    if text_at(message, "Status") == "success":
        return 200
    code = text_at(message, "Errors", 0, "StatusCode")
    return int(code) if code.isdigit() and 400 <= int(code) < 600 else 400
