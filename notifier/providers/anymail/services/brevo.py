"""Brevo (once Sendinblue). https://developers.brevo.com/reference/sendtransacemail"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from notifier.providers import base
from notifier.providers.anymail.config import EspConfig
from notifier.providers.anymail.provider import EmailService


@dataclass(frozen=True, kw_only=True)
class BrevoConfig(EspConfig):
    api_key: str = base.secret(label="API key (v3)")


class Brevo(EmailService):
    name = "brevo"
    title = "Brevo"
    origin = "https://api.brevo.com"
    api_path = "/v3/"
    rate_per_s = 1000  # of all plans: https://developers.brevo.com/docs/api-limits
    reset_header = "x-sib-ratelimit-reset"
    webhook_view = "brevo.BrevoTrackingWebhookView"
    # https://developers.brevo.com/docs/how-it-works#error-codes
    account_codes = frozenset({"unauthorized", "permission_denied", "account_under_validation", "not_enough_credits"})
    test_path = "/v3/account"
    Config = BrevoConfig
    config: BrevoConfig

    def options(self) -> dict[str, Any]:
        return {"api_key": self.config.api_key}

    @staticmethod
    def is_hard_bounce(report: Mapping[str, Any]) -> bool:
        return report.get("event") in ("hard_bounce", "invalid_email")

    @staticmethod
    def is_machine(report: Mapping[str, Any]) -> bool:
        return report.get("event") in ("proxy_open", "unique_proxy_open")
