"""MailerSend. https://developers.mailersend.com/api/v1/email"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from notifier.providers import base
from notifier.providers.anymail.answers import Refusal, text_at
from notifier.providers.anymail.config import EspConfig
from notifier.providers.anymail.provider import EmailService


@dataclass(frozen=True, kw_only=True)
class MailerSendConfig(EspConfig):
    api_token: str = base.secret()
    custom_headers: bool = base.setting(
        False, help_text="The plan allows headers of one's own (Professional and Enterprise)."
    )
    signing_secret: str = base.optional_secret(label="Webhook signing secret", help_text="Reports are checked with it.")


class MailerSend(EmailService):
    # an account's limits differ by plan; a 429 says so: https://developers.mailersend.com/general
    name = "mailersend"
    title = "MailerSend"
    origin = "https://api.mailersend.com"
    api_path = "/v1/"
    webhook_view = "mailersend.MailerSendTrackingWebhookView"
    unsigned_options = {"signing_secret": "-"}
    carrier = "tags"
    test_path = "/v1/api-quota"  # does not count as a call
    Config = MailerSendConfig
    config: MailerSendConfig

    def options(self) -> dict[str, Any]:
        return {"api_token": self.config.api_token}

    def extras(self, headers: dict[str, str]) -> dict[str, Any]:
        """A plan without custom headers refuses a message that has one. List-Unsubscribe is a parameter of its own:
        https://www.mailersend.com/help/custom-headers"""
        if not self.config.custom_headers:
            return {"extra_headers": {}}
        url = headers.pop("List-Unsubscribe", "").strip("<>")
        return {"extra_headers": headers, "esp_extra": {"list_unsubscribe": url} if url else {}}

    def signature_options(self) -> dict[str, Any]:
        return {"signing_secret": self.config.signing_secret} if self.config.signing_secret else {}

    def refusal_in(self, document: Any) -> Refusal | None:
        """`errors` has the refused fields as its keys."""
        refusal = super().refusal_in(document)
        errors = document.get("errors") if isinstance(document, dict) else None
        if refusal is None or not isinstance(errors, dict) or not errors:
            return refusal
        return Refusal(refusal.words, field=str(next(iter(errors))))

    def is_dead(self, document: Any) -> bool:
        return text_at(document, "warnings", 0, "recipients", 0, "reasons", 0) == "hard_bounced" or (
            text_at(document, "warnings", 0, "recipients", 0, "reason", 0) == "hard_bounced"
        )

    @staticmethod
    def is_hard_bounce(report: Mapping[str, Any]) -> bool:
        return text_at(report, "data", "type") == "hard_bounced"
