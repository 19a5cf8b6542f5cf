"""Twilio SendGrid. https://www.twilio.com/docs/sendgrid/api-reference/mail-send"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from notifier.providers import base
from notifier.providers.anymail.config import EspConfig
from notifier.providers.anymail.provider import EmailService

ORIGINS = {"global": "https://api.sendgrid.com", "eu": "https://api.eu.sendgrid.com"}


@dataclass(frozen=True, kw_only=True)
class SendGridConfig(EspConfig):
    api_key: str = base.secret(help_text="With the right Mail Send.")
    region: str = base.choice("global", "eu")
    webhook_verification_key: str = base.optional_secret(
        help_text="Of the signed event webhook (Settings, Mail Settings). Reports are checked with it."
    )


class SendGrid(EmailService):
    # SendGrid publishes no number of requests a second; its 429 names the time of the next one:
    # https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/rate-limits
    name = "sendgrid"
    title = "SendGrid"
    origin = ORIGINS["global"]
    api_path = "/v3/"
    webhook_view = "sendgrid.SendGridTrackingWebhookView"
    reference_header = "x-message-id"
    reset_header = "x-ratelimit-reset"
    error_key = "errors"
    code_path = ("errors", 0, "error_id")
    field_path = ("errors", 0, "field")
    test_path = "/v3/scopes"
    Config = SendGridConfig
    config: SendGridConfig

    def origin_of(self, config: SendGridConfig) -> str:
        return ORIGINS[config.region]

    def options(self) -> dict[str, Any]:
        # our id travels in custom_args, so SendGrid's events need no id of Anymail's
        return {"api_key": self.config.api_key, "generate_message_id": False}

    def signature_options(self) -> dict[str, Any]:
        key = self.config.webhook_verification_key
        return {"tracking_webhook_verification_key": key} if key else {}

    @staticmethod
    def is_hard_bounce(report: Mapping[str, Any]) -> bool:
        """`blocked` is a refusal that concerns this message only."""
        return report.get("event") == "bounce" and report.get("type") == "bounce"

    @staticmethod
    def is_machine(report: Mapping[str, Any]) -> bool:
        """Apple's mail privacy proxy."""
        return report.get("sg_machine_open") is True
