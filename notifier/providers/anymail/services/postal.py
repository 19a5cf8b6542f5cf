"""Postal, a mail server of one's own. https://docs.postalserver.io/developer/api"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from notifier.providers import base
from notifier.providers.anymail.answers import detail_of, text_at
from notifier.providers.anymail.config import EspConfig, check_origin
from notifier.providers.anymail.provider import EmailService
from notifier.vocabulary.verdicts import Misconfigured, Permanent, Temporary, Verdict

#: https://docs.postalserver.io/developer/api; "NoRecipients" and the like concern the message
_ACCOUNT = frozenset(
    {"AccessDenied", "InvalidServerAPIKey", "ServerSuspended", "FromAddressMissing", "UnauthenticatedFromAddress"}
)


@dataclass(frozen=True, kw_only=True)
class PostalConfig(EspConfig):
    server_url: str = base.setting(label="Server URL", help_text="Such as https://postal.example.com.")
    api_key: str = base.secret(help_text="A credential of the kind API.")
    webhook_key: str = base.optional_secret(
        label="Public webhook key",
        help_text="The key of the DKIM record, without header lines. Reports are checked with it.",
    )

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Self:
        config = super().parse(raw)
        return replace(config, server_url=check_origin(config.server_url, "server_url"))

    @classmethod
    def sandbox_values(cls, origin: str) -> dict[str, str]:
        return {"server_url": origin}


class Postal(EmailService):
    name = "postal"
    title = "Postal"
    origin = "https://"
    webhook_view = "postal.PostalTrackingWebhookView"
    unsigned_options = {"webhook_key": "-"}
    carrier = "tags"
    error_key = "status"
    Config = PostalConfig
    config: PostalConfig

    def origin_of(self, config: PostalConfig) -> str:
        return config.server_url

    def options(self) -> dict[str, Any]:
        return {"api_key": self.config.api_key}

    def signature_options(self) -> dict[str, Any]:
        return {"webhook_key": self.config.webhook_key} if self.config.webhook_key else {}

    def verdict_of_accepted(self, document: Any) -> Verdict | None:
        """Postal answers 200 to errors, too."""
        status = text_at(document, "status")
        if status in ("", "success"):
            return None
        code = text_at(document, "data", "code")
        detail = detail_of(200, None) + f" {status} {code}"[:200]
        if code in _ACCOUNT:
            return Misconfigured(detail)
        return Permanent(detail) if status in ("parameter-error", "error") else Temporary(detail)
