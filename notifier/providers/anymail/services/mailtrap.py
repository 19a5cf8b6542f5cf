"""Mailtrap, email sending. https://docs.mailtrap.io/developers/email-sending/transactional"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from notifier.providers import base
from notifier.providers.anymail.config import EspConfig
from notifier.providers.anymail.provider import EmailService
from notifier.vocabulary.http import Request

ORIGINS = {"transactional": "https://send.api.mailtrap.io", "bulk": "https://bulk.api.mailtrap.io"}
#: the API beside the sending hosts
ACCOUNTS = "https://mailtrap.io"


@dataclass(frozen=True, kw_only=True)
class MailtrapConfig(EspConfig):
    api_token: str = base.secret()
    stream: str = base.choice("transactional", "bulk", label="Sending stream")
    webhook_secret: str = base.optional_secret(label="Webhook signing secret", help_text="Reports are checked with it.")


class Mailtrap(EmailService):
    name = "mailtrap"
    title = "Mailtrap"
    origin = ORIGINS["transactional"]
    api_path = "/api/"
    webhook_view = "mailtrap.MailtrapTrackingWebhookView"
    error_key = "errors"
    test_path = "/api/accounts"
    Config = MailtrapConfig
    config: MailtrapConfig

    def origin_of(self, config: MailtrapConfig) -> str:
        return ORIGINS[config.stream]

    def options(self) -> dict[str, Any]:
        return {"api_token": self.config.api_token}

    def signature_options(self) -> dict[str, Any]:
        return {"tracking_secret": self.config.webhook_secret} if self.config.webhook_secret else {}

    def test_request(self) -> Request | None:
        request = super().test_request()
        if request is None or self.base != self.origin_of(self.config):
            return request
        return replace(request, url=f"{ACCOUNTS}{self.test_path}")

    @staticmethod
    def is_hard_bounce(report: Mapping[str, Any]) -> bool:
        """Mailtrap has a kind of its own for soft bounces."""
        return report.get("event") == "bounce"
