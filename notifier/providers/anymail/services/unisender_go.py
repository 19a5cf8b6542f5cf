"""Unisender Go. https://godocs.unisender.ru/web-api-ref#email-send"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from notifier.providers import base
from notifier.providers.anymail.answers import text_at
from notifier.providers.anymail.config import EspConfig
from notifier.providers.anymail.provider import EmailService
from notifier.vocabulary.http import Request

ORIGINS = {"go1": "https://go1.unisender.ru", "go2": "https://go2.unisender.ru"}
_DEAD = frozenset({"err_user_unknown", "err_user_inactive", "err_domain_inactive", "err_mailbox_discarded"})


@dataclass(frozen=True, kw_only=True)
class UnisenderGoConfig(EspConfig):
    api_key: str = base.secret(help_text="It also signs the reports.")
    data_center: str = base.choice("go1", "go2")


class UnisenderGo(EmailService):
    name = "unisender_go"
    title = "Unisender Go"
    origin = ORIGINS["go1"]
    api_path = "/ru/transactional/api/v1/"
    webhook_view = "unisender_go.UnisenderGoTrackingWebhookView"
    Config = UnisenderGoConfig
    config: UnisenderGoConfig

    def origin_of(self, config: UnisenderGoConfig) -> str:
        return ORIGINS[config.data_center]

    def options(self) -> dict[str, Any]:
        return {"api_key": self.config.api_key, "generate_message_id": False}

    def signature_options(self) -> dict[str, Any]:
        return {"api_key": self.config.api_key}

    def is_dead(self, document: Any) -> bool:
        failed = document.get("failed_emails") if isinstance(document, dict) else None
        return isinstance(failed, dict) and "permanent_unavailable" in failed.values()

    def test_request(self) -> Request:
        url = f"{self.base}{self.api_path}system/info.json"
        headers = (("content-type", "application/json"), ("x-api-key", self.config.api_key))
        return Request("POST", url, headers, b"{}", self.timeout)

    @staticmethod
    def is_hard_bounce(report: Mapping[str, Any]) -> bool:
        return text_at(report, "delivery_info", "delivery_status") in _DEAD
