"""The settings of a provider account as a class: what the admin's form asks for, what is a secret, and their checks."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

from notifier.errors import InvalidInput


@dataclasses.dataclass(frozen=True)
class Config:
    """A provider's settings. Mark secrets with `secret()`: a secret is never shown again and never printed."""

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Self:
        """The settings from stored or typed values. Raises InvalidInput naming the field."""
        fields = {f.name: f for f in dataclasses.fields(cls)}
        for name in raw:
            if name not in fields:
                raise InvalidInput(f"Unknown setting {name!r}; known: {', '.join(fields)}.", field=name)
        for name, f in fields.items():
            required = f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
            if required and not raw.get(name):
                raise InvalidInput(f"{name} is required.", field=name)
        return cls(**raw)

    @classmethod
    def complete(cls, raw: Mapping[str, Any], stored: Mapping[str, Any]) -> Mapping[str, Any]:
        """Checked settings as they are stored: with what the provider makes where the owner left it empty, such as a
        key pair. `stored`: the account's settings until now."""
        return raw

    @classmethod
    def sandbox(cls, origin: str) -> Self:
        """Settings that reach the sandbox at `origin` (https://host:port) without real credentials."""
        raise InvalidInput("This provider has no sandbox.", field="provider")


def setting(default: Any = dataclasses.MISSING, *, label: str = "", help_text: str = "") -> Any:
    """A field of a Config; required without `default`. The admin's form shows `label` (empty: the name in words) and
    `help_text`."""
    return dataclasses.field(default=default, metadata={"label": label, "help": help_text})


def secret(*, label: str = "", help_text: str = "") -> Any:
    """A required secret field of a Config."""
    return dataclasses.field(repr=False, metadata={"secret": True, "label": label, "help": help_text})


def optional_secret(*, label: str = "", help_text: str = "") -> Any:
    """A secret field of a Config that may stay empty."""
    return dataclasses.field(default="", repr=False, metadata={"secret": True, "label": label, "help": help_text})


def choice(default: str, *alternatives: str, label: str = "", help_text: str = "") -> Any:
    """A field of a Config that is one of these texts."""
    metadata = {"choices": (default, *alternatives), "label": label, "help": help_text}
    return dataclasses.field(default=default, metadata=metadata)
