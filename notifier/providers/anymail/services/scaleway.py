"""Scaleway Transactional Email. https://www.scaleway.com/en/developers/api/transactional-email/"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from notifier.providers import base
from notifier.providers.anymail.config import EspConfig
from notifier.providers.anymail.provider import EmailService


@dataclass(frozen=True, kw_only=True)
class ScalewayConfig(EspConfig):
    secret_key: str = base.secret(help_text="Of an API key with the right TransactionalEmailEmailFullAccess.")
    project_id: str = base.setting()
    region: str = base.choice("fr-par")

    @classmethod
    def sandbox_values(cls, origin: str) -> dict[str, str]:
        return {"project_id": "sandbox"}


class Scaleway(EmailService):
    # Anymail has no view for Scaleway's reports, which come by Scaleway's Topics and Events
    name = "scaleway"
    title = "Scaleway"
    origin = "https://api.scaleway.com"
    code_path = ("type",)
    field_path = ("details", 0, "argument_name")
    account_codes = frozenset({"denied_authentication", "permissions_denied", "quotas_exceeded"})
    Config = ScalewayConfig
    config: ScalewayConfig

    @property
    def api_path(self) -> str:  # type: ignore[override]
        return f"/transactional-email/v1alpha1/regions/{self.config.region}/"

    @property
    def test_path(self) -> str:  # type: ignore[override]
        return f"{self.api_path}domains"

    def options(self) -> dict[str, Any]:
        config = self.config
        return {"secret_key": config.secret_key, "project_id": config.project_id, "region": config.region}
