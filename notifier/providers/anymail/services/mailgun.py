"""Mailgun. https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/messages"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from notifier.errors import InvalidInput
from notifier.providers import base
from notifier.providers.anymail.config import EspConfig
from notifier.providers.anymail.provider import EmailService
from notifier.vocabulary.http import Response
from notifier.vocabulary.verdicts import Misconfigured, Verdict

ORIGINS = {"us": "https://api.mailgun.net", "eu": "https://api.eu.mailgun.net"}
_DOMAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{1,251}[A-Za-z0-9]")


@dataclass(frozen=True, kw_only=True)
class MailgunConfig(EspConfig):
    api_key: str = base.secret()
    domain: str = base.setting(label="Sending domain", help_text="As it is named in Mailgun, such as mg.example.com.")
    region: str = base.choice("us", "eu")
    webhook_signing_key: str = base.optional_secret(
        label="HTTP webhook signing key", help_text="Reports are checked with it."
    )

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Self:
        config = super().parse(raw)
        if not _DOMAIN.fullmatch(config.domain):
            raise InvalidInput("domain looks like mg.example.com.", field="domain")
        return config

    @classmethod
    def sandbox_values(cls, origin: str) -> dict[str, str]:
        # the sandbox signs its reports with its API key
        return {"domain": "sandbox.example", "webhook_signing_key": "notifier-sandbox"}


class Mailgun(EmailService):
    name = "mailgun"
    title = "Mailgun"
    origin = ORIGINS["us"]
    api_path = "/v3/"
    webhook_view = "mailgun.MailgunTrackingWebhookView"
    unsigned_options = {"webhook_signing_key": "-"}
    keeps_message_id = True  # as h:Message-Id
    Config = MailgunConfig
    config: MailgunConfig

    def origin_of(self, config: MailgunConfig) -> str:
        return ORIGINS[config.region]

    @property
    def test_path(self) -> str:  # type: ignore[override]
        return f"/v3/domains/{self.config.domain}"

    def options(self) -> dict[str, Any]:
        return {"api_key": self.config.api_key, "sender_domain": self.config.domain}

    def signature_options(self) -> dict[str, Any]:
        key = self.config.webhook_signing_key
        return {"webhook_signing_key": key} if key else {}

    def verdict_of(self, response: Response) -> Verdict:
        """Mailgun answers 200 with a text of its own to addresses that are none of its API."""
        if response.status == 200 and b"Mailgun Magnificent API" in response.body[:200]:
            return Misconfigured("Mailgun does not know the address; check the sending domain and the region")
        return super().verdict_of(response)

    @staticmethod
    def is_hard_bounce(report: Mapping[str, Any]) -> bool:
        """`bounce` and `suppress-bounce` name the mailbox; `generic` and the others a policy. A code of 5.7 is a
        policy, too, and Mailgun calls some of these bounces soft."""
        data = report.get("event-data") or {}
        status = data.get("delivery-status") or {}
        return (
            data.get("severity") == "permanent"
            and data.get("reason") in ("bounce", "suppress-bounce")
            and status.get("bounce-type", "hard") == "hard"
        )

    @staticmethod
    def is_machine(report: Mapping[str, Any]) -> bool:
        client = (report.get("event-data") or {}).get("client-info") or {}
        return bool(client.get("bot"))
