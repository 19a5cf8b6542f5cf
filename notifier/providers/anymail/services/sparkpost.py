"""SparkPost (Bird). https://developers.sparkpost.com/api/transmissions/"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from notifier.providers import base
from notifier.providers.anymail.answers import Refusal
from notifier.providers.anymail.config import EspConfig
from notifier.providers.anymail.provider import EmailService
from notifier.vocabulary.http import Response
from notifier.vocabulary.verdicts import Throttled, Verdict

ORIGINS = {"us": "https://api.sparkpost.com", "eu": "https://api.eu.sparkpost.com"}
#: "Exceed Sending Limit": https://developers.sparkpost.com/api/#header-errors
SENDING_LIMIT = 420


@dataclass(frozen=True, kw_only=True)
class SparkPostConfig(EspConfig):
    api_key: str = base.secret(help_text="With the right Transmissions: Read/Write.")
    region: str = base.choice("us", "eu")
    subaccount: str = base.setting("", label="Subaccount ID")


class SparkPost(EmailService):
    name = "sparkpost"
    title = "SparkPost"
    origin = ORIGINS["us"]
    api_path = "/api/v1/"
    webhook_view = "sparkpost.SparkPostTrackingWebhookView"
    error_key = "errors"
    code_path = ("errors", 0, "code")
    # 7001: the sending domain is not configured; 1902 and others concern the message
    account_codes = frozenset({"7000", "7001"})
    test_path = "/api/v1/account"
    Config = SparkPostConfig
    config: SparkPostConfig

    def origin_of(self, config: SparkPostConfig) -> str:
        return ORIGINS[config.region]

    def options(self) -> dict[str, Any]:
        return {"api_key": self.config.api_key, "subaccount": self.config.subaccount or None}

    def verdict_of_refusal(self, response: Response, refusal: Refusal | None, document: Any) -> Verdict:
        if response.status == SENDING_LIMIT and refusal is not None:
            return Throttled(None, "420 the sending limit of this account is reached")
        return super().verdict_of_refusal(response, refusal, document)

    @staticmethod
    def is_hard_bounce(report: Mapping[str, Any]) -> bool:
        """Classes 10 and 30: https://support.sparkpost.com/docs/deliverability/bounce-classification-codes"""
        return str(_event(report).get("bounce_class")) in ("10", "30")

    @staticmethod
    def is_machine(report: Mapping[str, Any]) -> bool:
        return _event(report).get("is_prefetched") is True


def _event(report: Mapping[str, Any]) -> Mapping[str, Any]:
    """`{"msys": {class: event}}`"""
    events = report.get("msys")
    inner = next(iter(events.values()), None) if isinstance(events, Mapping) else None
    return inner if isinstance(inner, Mapping) else {}
