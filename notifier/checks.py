"""System checks with ids and hints, and the refusal to boot in production with default secrets."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register, run_checks

from notifier.settings import INSECURE_ENCRYPTION_KEY, INSECURE_SECRET_KEY


@register(Tags.security)
def secrets_are_own(**_: Any) -> Sequence[CheckMessage]:
    """notifier.E001, E002: production needs secrets of its own. E003: an encryption key has a wrong form."""
    found: list[CheckMessage] = []
    if not settings.DEBUG and settings.SECRET_KEY == INSECURE_SECRET_KEY:
        hint = "Set SECRET_KEY to a long random value."
        found.append(Error("SECRET_KEY is the public default.", hint=hint, id="notifier.E001"))
    if not settings.DEBUG and INSECURE_ENCRYPTION_KEY in settings.ENCRYPTION_KEYS:
        hint = "Set ENCRYPTION_KEYS to 32 random bytes in urlsafe base64 (comma-separated to rotate, newest first)."
        found.append(Error("ENCRYPTION_KEYS holds the public default.", hint=hint, id="notifier.E002"))
    if not settings.ENCRYPTION_KEYS or not all(map(_is_key, settings.ENCRYPTION_KEYS)):
        hint = "Each key is 32 bytes in urlsafe base64."
        found.append(Error("ENCRYPTION_KEYS is malformed.", hint=hint, id="notifier.E003"))
    return found


@register(Tags.security)
def leases_outlast_providers(**_: Any) -> Sequence[CheckMessage]:
    """notifier.E004: a lease that ends while a provider may still answer lets two workers send the same."""
    if settings.LEASE_SECONDS > settings.PROVIDER_TIMEOUT_SECONDS:
        return []
    hint = "Raise LEASE_SECONDS above PROVIDER_TIMEOUT_SECONDS."
    return [Error("A lease is no longer than a provider may take to answer.", hint=hint, id="notifier.E004")]


@register(Tags.security)
def something_leaves(**_: Any) -> Sequence[CheckMessage]:
    """notifier.E005: settings with which nothing would ever be sent, without an error anywhere."""
    return [
        Error(f"{name} is less than 1.", hint=f"Set {name} to a positive number.", id="notifier.E005")
        for name in ("PROVIDER_CONNECTIONS", "SHARD_SIZE")
        if getattr(settings, name) < 1
    ]


def _is_key(value: str) -> bool:
    try:
        return len(base64.urlsafe_b64decode(value)) == 32
    except (binascii.Error, ValueError):
        return False


def refuse_insecure_boot() -> None:
    """Servers do not run the checks by themselves. Raises SystemExit with all errors and hints."""
    errors = [m for m in run_checks(tags=[Tags.security]) if m.id and m.id.startswith("notifier.E")]
    if errors:
        raise SystemExit("\n".join(str(e) for e in errors))
