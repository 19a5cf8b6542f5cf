"""The settings that every email service over HTTP has: the sender. A service's own settings are beside its class."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import urlsplit

from notifier.errors import InvalidInput
from notifier.providers import base
from notifier.vocabulary.mail import ADDRESS

LONGEST_NAME = 200
#: required settings of an account in the sandbox
SANDBOX_VALUE = "notifier-sandbox"


@dataclasses.dataclass(frozen=True, kw_only=True)
class EspConfig(base.Config):
    from_address: str = base.setting(help_text="A sender that the service has verified.")
    from_name: str = ""

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Self:
        """Surrounding blanks are removed: keys are pasted."""
        config = super().parse({name: v.strip() if isinstance(v, str) else v for name, v in raw.items()})
        if not ADDRESS.fullmatch(config.from_address):
            raise InvalidInput("from_address looks like name@example.com.", field="from_address")
        if not config.from_name.isprintable() or len(config.from_name) > LONGEST_NAME:
            raise InvalidInput(
                f"from_name has at most {LONGEST_NAME} characters, and no line break or control character.",
                field="from_name",
            )
        for field in dataclasses.fields(cls):
            config._check(field)
        return config

    @classmethod
    def sandbox(cls, origin: str) -> Self:
        required = {f.name: SANDBOX_VALUE for f in dataclasses.fields(cls) if f.default is dataclasses.MISSING}
        return cls(**(required | {"from_address": "notifier@sandbox.example"} | cls.sandbox_values(origin)))

    @classmethod
    def sandbox_values(cls, origin: str) -> dict[str, str]:
        """Required settings for which SANDBOX_VALUE is not a valid text."""
        return {}

    def _check(self, field: dataclasses.Field[Any]) -> None:
        """Secrets travel in headers of HTTP; a menu's text is one of the menu."""
        value = getattr(self, field.name)
        if field.metadata.get("secret") and not (value.isascii() and value.isprintable()):
            raise InvalidInput(
                f"{field.name} has printable ASCII characters only; copy it again from the service.", field=field.name
            )
        if (choices := field.metadata.get("choices")) and value not in choices:
            raise InvalidInput(f"{field.name} is one of {', '.join(choices)}.", field=field.name)


def check_origin(url: str, field: str) -> str:
    """`https://host` or `https://host:port`, without a path. Raises InvalidInput for anything else."""
    try:
        parts = urlsplit(url.rstrip("/"))
        good = parts.scheme == "https" and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good or parts.path or parts.query or parts.fragment or "@" in parts.netloc or not url.isascii():
        raise InvalidInput(f"{field} looks like https://postal.example.com, without a path.", field=field)
    return url.rstrip("/")
