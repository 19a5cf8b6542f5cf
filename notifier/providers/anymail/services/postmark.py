"""Postmark. https://postmarkapp.com/developer/api/email-api"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from notifier.channels.email import EmailMessage
from notifier.providers import base
from notifier.providers.anymail.answers import parse_json, text_at
from notifier.providers.anymail.config import EspConfig
from notifier.providers.anymail.provider import EmailService
from notifier.providers.common.batches import BatchProvider
from notifier.vocabulary.http import Request, Response

#: bad token, no sender signature, sender not confirmed, no credit, account not approved, stream unknown or archived:
#: https://postmarkapp.com/developer/api/overview#error-codes
ACCOUNT_CODES = frozenset({"10", "100", "400", "401", "402", "405", "412", "413", "1226", "1235"})
#: kinds of bounces after which the address takes no message
_HARD = frozenset({"HardBounce", "BadEmailAddress"})


@dataclass(frozen=True, kw_only=True)
class PostmarkConfig(EspConfig):
    server_token: str = base.secret(label="Server API token")
    message_stream: str = base.setting("", help_text="Such as outbound or broadcast; empty: the server's default.")


class Postmark(BatchProvider[EmailMessage], EmailService):
    """No refusal says that an address is dead. ErrorCode 406 (inactive recipient) stands for a hard bounce, a
    complaint, an unsubscription and a suppression by hand alike, in one message stream; bounces and complaints come as
    reports: https://postmarkapp.com/developer/api/suppressions-api"""

    # Postmark publishes no number of requests a second
    name = "postmark"
    title = "Postmark"
    origin = "https://api.postmarkapp.com"
    api_path = "/"
    # 500 messages and 50 MB: https://postmarkapp.com/developer/user-guide/send-email-with-api/batch-emails
    largest_batch = 500
    webhook_view = "postmark.PostmarkTrackingWebhookView"
    error_key = "ErrorCode"
    code_path = ("ErrorCode",)
    account_codes = ACCOUNT_CODES
    test_path = "/server"
    Config = PostmarkConfig
    config: PostmarkConfig

    def options(self) -> dict[str, Any]:
        stream = self.config.message_stream or None
        return {"server_token": self.config.server_token, "message_stream": stream}

    def refusal_in(self, document: Any) -> Any:
        refusal = super().refusal_in(document)
        return None if refusal is None else type(refusal)(text_at(document, "Message"), refusal.code)

    def combine(self, requests: Sequence[Request]) -> Request:
        first = requests[0]
        body = b"[%b]" % b",".join(request.body for request in requests)
        return Request(first.method, f"{self.base}/email/batch", first.headers, body, first.timeout)

    def entries(self, response: Response) -> Sequence[Response]:
        """The status is 200; each entry has an ErrorCode of its own."""
        document = parse_json(response.body)
        if not isinstance(document, list):
            return []
        return [Response(_status_of(entry), response.headers, orjson.dumps(entry)) for entry in document]

    @staticmethod
    def is_hard_bounce(report: Mapping[str, Any]) -> bool:
        return report.get("Type") in _HARD or report.get("SuppressionReason") == "HardBounce"


def _status_of(entry: Any) -> int:
    """The status that Postmark gives the same answer to a single message."""
    code = text_at(entry, "ErrorCode")
    return 200 if code in ("", "0") else 429 if code == "429" else 422
