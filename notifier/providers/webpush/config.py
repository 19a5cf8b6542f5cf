"""The settings of a Web Push account: its VAPID keys, and how a push service reaches the sender."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from notifier.errors import InvalidInput
from notifier.providers import base
from notifier.providers.webpush.vapid import VapidKey, new_key, read_key

#: rotations whose keys are kept: a browser may come back after a long time
MOST_PREVIOUS = 20
_SUBJECT = re.compile(r"mailto:[^\s@<>]+@[^\s@<>.]+(\.[^\s@<>.]+)+|https://[^\s/?#@:]+(\.[^\s/?#@:.]+)+(/\S*)?")
_HELP = "32 bytes in base64url, or PEM. Leave empty for a new one."


@dataclass(frozen=True)
class WebPushConfig(base.Config):
    subject: str = base.setting(
        label="Contact",
        help_text="How a push service reaches you: mailto:push@example.com, or an https address. Apple refuses a name"
        " that is not real, such as localhost.",
    )
    private_key: str = base.optional_secret(label="Private VAPID key", help_text=_HELP)
    previous_keys: str = base.optional_secret(
        label="Previous VAPID keys",
        help_text="For browsers that subscribed with them; the newest first, separated by spaces. A rotation fills this"
        " in.",
    )

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Self:
        config = super().parse(raw)
        if not _SUBJECT.fullmatch(config.subject) or len(config.subject) > 200:
            raise InvalidInput(
                "The contact is mailto: with an email address, or an https address of yours.", field="subject"
            )
        if config.private_key:
            _read(config.private_key, "private_key")
        previous = config.previous_keys.split()
        if len(previous) > MOST_PREVIOUS:
            raise InvalidInput(f"At most {MOST_PREVIOUS} previous keys are kept.", field="previous_keys")
        for text in previous:
            _read(text, "previous_keys")
        return config

    @classmethod
    def sandbox(cls, origin: str) -> Self:
        return cls(subject="mailto:sandbox@example.com")

    @classmethod
    def complete(cls, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        return raw if raw.get("private_key") else {**raw, "private_key": new_key().text}

    @classmethod
    def rotate(cls, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        config = cls.parse(raw)
        kept = [key.text for key in config.keys][:MOST_PREVIOUS]
        return {**raw, "private_key": new_key().text, "previous_keys": " ".join(kept)}

    @cached_property
    def keys(self) -> tuple[VapidKey, ...]:
        """The current key pair, then the previous ones, each once. Empty: the account has no settings (sandbox)."""
        texts = [self.private_key, *self.previous_keys.split()]
        keys = [read_key(text) for text in texts if text]
        return tuple({key.key_id: key for key in keys}.values())


def _read(text: str, field: str) -> VapidKey:
    try:
        return read_key(text)
    except ValueError:
        raise InvalidInput("This is no private key of P-256: 32 bytes in base64url, or PEM.", field=field) from None
