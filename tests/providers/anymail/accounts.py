"""Accounts of the email services, as tests need them."""

from __future__ import annotations

from typing import Any

from notifier.providers import provider_class, providers
from notifier.providers.anymail.provider import EmailService

SERVICES = sorted(name for name, kind in providers().items() if issubclass(kind, EmailService))


def account(name: str, **settings: Any) -> EmailService:
    """An account of the real service, with the sandbox's settings and these: nothing is sent. It has no key for
    reports, unless `settings` has one."""
    kind: Any = provider_class(name)
    no_keys = dict.fromkeys(optional_secrets(name), "")
    values = vars(kind.Config.sandbox("https://postal.example.com")) | no_keys | settings
    service: EmailService = kind(kind.Config.parse(values))
    return service


def optional_secrets(name: str) -> list[str]:
    fields = provider_class(name).Config.__dataclass_fields__
    return [field for field, f in fields.items() if f.metadata.get("secret") and f.default == ""]
