"""System checks with ids and hints; production does not start with secrets that can be guessed."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register, run_checks

from notifier.settings import INSECURE_ENCRYPTION_KEY, INSECURE_SECRET_KEY

_SECRET_KEY_LENGTH = 50
_PASSWORD_LENGTH = 12
_DISTINCT = 5
#: what `django-admin startproject` writes
_GENERATED = "django-insecure-"
_MAKE_SECRET = "Make one: openssl rand -hex 32 (deploy/make-env writes a whole .env)."  # noqa: S105
_MAKE_KEY = "import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())"


#: of one web process to the database
FEWEST_CONNECTIONS = 8


@register(Tags.security)
def secrets_are_own(**_: Any) -> Sequence[CheckMessage]:
    """notifier.E001, E002: production needs secrets of its own. E003: an encryption key is malformed."""
    errors: list[CheckMessage] = []
    if not settings.DEBUG and settings.SECRET_KEY == INSECURE_SECRET_KEY:
        hint = "Set SECRET_KEY to a long random value."
        errors.append(Error("SECRET_KEY is the public default.", hint=hint, id="notifier.E001"))
    if not settings.DEBUG and INSECURE_ENCRYPTION_KEY in settings.ENCRYPTION_KEYS:
        hint = "Set ENCRYPTION_KEYS to 32 random bytes in urlsafe base64 (comma-separated to rotate, newest first)."
        errors.append(Error("ENCRYPTION_KEYS holds the public default.", hint=hint, id="notifier.E002"))
    if not settings.ENCRYPTION_KEYS or not all(_key_bytes(key) for key in settings.ENCRYPTION_KEYS):
        hint = "Each key is 32 bytes in urlsafe base64."
        errors.append(Error("ENCRYPTION_KEYS is malformed.", hint=hint, id="notifier.E003"))
    return errors


@register(Tags.security)
def secrets_cannot_be_guessed(**_: Any) -> Sequence[CheckMessage]:
    """notifier.E006 to E008, in production only. SECRET_KEY signs sessions and which tenants the web role may read,
    ENCRYPTION_KEYS encrypt provider accounts, and Flower's password gives control of the workers."""
    if settings.DEBUG:
        return []
    errors: list[CheckMessage] = []
    for name, key in _signing_keys():
        if reason := _weakness(key, _SECRET_KEY_LENGTH):
            errors.append(Error(f"{name} {reason}.", hint=_MAKE_SECRET, id="notifier.E006"))
    if any(0 < len(set(_key_bytes(key))) < _DISTINCT for key in settings.ENCRYPTION_KEYS):
        hint = f"Make a key: python -c '{_MAKE_KEY}' (or take deploy/make-env's)."
        errors.append(Error("ENCRYPTION_KEYS holds a key of almost one byte repeated.", hint=hint, id="notifier.E007"))
    password = settings.FLOWER_BASIC_AUTH.partition(":")[2]
    if settings.FLOWER_BASIC_AUTH and (reason := _weakness(password, _PASSWORD_LENGTH)):
        errors.append(Error(f"The password in FLOWER_BASIC_AUTH {reason}.", hint=_MAKE_SECRET, id="notifier.E008"))
    return errors


@register(Tags.security, deploy=True)
def people_reach_the_site_by_https(**_: Any) -> Sequence[CheckMessage]:
    """notifier.W001, by `check --deploy`: mail programs show a button for List-Unsubscribe for https links only (RFC
    8058, section 3.1), and the links in messages are rights by themselves."""
    if settings.SITE_URL.startswith("https://"):
        return []
    hint = "Set SITE_URL to the https address of the site."
    return [Warning("SITE_URL is no https address.", hint=hint, id="notifier.W001")]


@register(Tags.security, deploy=True)
def scrapes_need_a_token(**_: Any) -> Sequence[CheckMessage]:
    """notifier.W003, by `check --deploy`: without a token, a proxy of this machine that adds no header opens /metrics
    to everybody."""
    if settings.METRICS_TOKEN:
        return []
    hint = "Set METRICS_TOKEN to a long random value, and give it to Prometheus."
    return [Warning("METRICS_TOKEN is not set.", hint=hint, id="notifier.W003")]


@register(Tags.security)
def measurements_can_be_kept(**_: Any) -> Sequence[CheckMessage]:
    """notifier.W004: a process that cannot write into METRICS_DIR keeps what it measures to itself."""
    if not settings.METRICS_DIR:
        return []
    folder = Path(settings.METRICS_DIR)
    # the first process makes it
    place = next(each for each in (folder, *folder.absolute().parents) if os.access(each, os.F_OK))
    if place.is_dir() and os.access(place, os.W_OK | os.X_OK):
        return []
    hint = "Make METRICS_DIR a folder that the user of the processes may write into."
    return [Warning(f"METRICS_DIR cannot be used: {place} is no folder to write into.", hint=hint, id="notifier.W004")]


@register(Tags.security)
def hosts_are_named(**_: Any) -> Sequence[CheckMessage]:
    """notifier.E009: with a wildcard, the Host header of a request decides where links and redirects lead."""
    if settings.DEBUG or "*" not in settings.ALLOWED_HOSTS:
        return []
    hint = "Set ALLOWED_HOSTS to the names under which the site is reached, comma-separated."
    return [Error("ALLOWED_HOSTS admits every host.", hint=hint, id="notifier.E009")]


@register(Tags.security)
def the_login_server_is_reached_by_https(**_: Any) -> Sequence[CheckMessage]:
    """notifier.E010: the provider's keys, which sign each login, come from OIDC_ISSUER (OpenID Connect Discovery 1.0,
    section 4)."""
    if settings.DEBUG or not settings.OIDC_ISSUER or settings.OIDC_ISSUER.startswith("https://"):
        return []
    hint = "Set OIDC_ISSUER to the https address of the provider."
    return [Error("OIDC_ISSUER is no https address.", hint=hint, id="notifier.E010")]


@register(Tags.security)
def leases_outlast_providers(**_: Any) -> Sequence[CheckMessage]:
    """notifier.E004: if a lease ends while a provider may still answer, two workers can send the same message."""
    if settings.LEASE_SECONDS > settings.PROVIDER_TIMEOUT_SECONDS:
        return []
    hint = "Raise LEASE_SECONDS above PROVIDER_TIMEOUT_SECONDS."
    return [Error("A lease is no longer than a provider may take to answer.", hint=hint, id="notifier.E004")]


@register(Tags.security)
def sending_is_possible(**_: Any) -> Sequence[CheckMessage]:
    """notifier.E005: settings with which no message is ever sent, and no error is reported."""
    return [
        Error(f"{name} is less than 1.", hint=f"Set {name} to a positive number.", id="notifier.E005")
        for name in ("PROVIDER_CONNECTIONS", "SHARD_SIZE")
        if getattr(settings, name) < 1
    ]


@register(Tags.security)
def web_can_answer(**_: Any) -> Sequence[CheckMessage]:
    """notifier.E011: threads that accept notifications, answer views and look keys up have a connection each."""
    if settings.WEB_DATABASE_POOL >= FEWEST_CONNECTIONS:
        return []
    hint = f"Set WEB_DATABASE_POOL to {FEWEST_CONNECTIONS} or more; its default is 20."
    return [Error("WEB_DATABASE_POOL is too small.", hint=hint, id="notifier.E011")]


@register(Tags.security)
def no_process_dies_on_purpose(**_: Any) -> Sequence[CheckMessage]:
    """notifier.E012: a failpoint is for tests, and ends the processes of a site again and again."""
    if settings.DEBUG or settings.FAILPOINTS_ALLOWED or not settings.FAILPOINT:
        return []
    hint = "Remove NOTIFIER_FAILPOINT. On a site for tests, set FAILPOINTS_ALLOWED=1."
    return [Error("NOTIFIER_FAILPOINT is set in production.", hint=hint, id="notifier.E012")]


@register(Tags.security, deploy=True)
def failpoints_are_refused(**_: Any) -> Sequence[CheckMessage]:
    """notifier.W002, by `check --deploy`: with FAILPOINTS_ALLOWED one more variable ends the processes of a site."""
    if settings.DEBUG or not settings.FAILPOINTS_ALLOWED:
        return []
    hint = "Remove FAILPOINTS_ALLOWED. It is for sites of tests."
    return [Warning("FAILPOINTS_ALLOWED is set in production.", hint=hint, id="notifier.W002")]


@register(Tags.security)
def the_pooler_is_known(**_: Any) -> Sequence[CheckMessage]:
    """notifier.E013: another mode, or a pooler without a way around it: locks of a session would then be left in
    sessions of other processes."""
    if settings.DATABASE_POOLER not in ("", "transaction"):
        hint = "Set DATABASE_POOLER to transaction, or leave it empty."
        return [Error("DATABASE_POOLER is neither empty nor transaction.", hint=hint, id="notifier.E013")]
    if settings.DATABASE_POOLER and settings.DATABASE_ROLE != "web" and not settings.DATABASE_DIRECT_URL:
        hint = "Set DATABASE_DIRECT_URL to the address of PostgreSQL itself, with the engine role."
        return [Error("DATABASE_POOLER is set, DATABASE_DIRECT_URL is not.", hint=hint, id="notifier.E013")]
    return []


def _signing_keys() -> list[tuple[str, str]]:
    older = [("A key in SECRET_KEY_FALLBACKS", key) for key in settings.SECRET_KEY_FALLBACKS]
    # E001 reports the default
    return [("SECRET_KEY", settings.SECRET_KEY), *older] if settings.SECRET_KEY != INSECURE_SECRET_KEY else older


def _weakness(secret: str, length: int) -> str:
    """Why the secret can be guessed; empty if it cannot. The thresholds are those of Django's security.W009."""
    if len(secret) < length:
        return f"has {len(secret)} characters and needs {length}"
    if len(set(secret)) < _DISTINCT:
        return f"has fewer than {_DISTINCT} different characters"
    return f"begins with {_GENERATED!r}: it was made for development" if secret.startswith(_GENERATED) else ""


def _key_bytes(value: str) -> bytes:
    """The 32 bytes of an encryption key; empty if it is malformed."""
    try:
        key = base64.urlsafe_b64decode(value)
    except (binascii.Error, ValueError):
        return b""
    return key if len(key) == 32 else b""


def refuse_insecure_boot() -> None:
    """Run the checks, because servers do not run them. Raises SystemExit with all errors and hints."""
    errors = [m for m in run_checks(tags=[Tags.security]) if m.id and m.id.startswith("notifier.E")]
    if errors:
        raise SystemExit("\n".join(str(e) for e in errors))
