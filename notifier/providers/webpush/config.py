"""The settings of a Web Push account: its VAPID keys, and how a push service reaches the sender."""

from __future__ import annotations

import re
import time
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
        " in, each with the time in seconds at which it ended: key@1767225600.",
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
        if len(config.previous_keys.split()) > MOST_PREVIOUS:
            raise InvalidInput(f"At most {MOST_PREVIOUS} previous keys are kept.", field="previous_keys")
        for text in config.previous_keys.split():
            _read_previous(text)
        return config

    @classmethod
    def sandbox(cls, origin: str) -> Self:
        return cls(subject="mailto:sandbox@example.com")

    @classmethod
    def complete(cls, raw: Mapping[str, Any], stored: Mapping[str, Any]) -> Mapping[str, Any]:
        """A new key where there is none. A key that another one replaces becomes the newest of the previous keys, for
        the browsers that subscribed with it."""
        values = {**raw, "private_key": raw.get("private_key") or new_key().text}
        if not stored.get("private_key"):
            return values
        earlier, current = read_key(stored["private_key"]), read_key(values["private_key"])
        previous = values.get("previous_keys", "").split()
        kept = {_read_previous(text).key.key_id for text in previous}
        if earlier.key_id != current.key_id and earlier.key_id not in kept:
            previous = [f"{earlier.text}@{time.time():.0f}", *previous]
        return {**values, "previous_keys": " ".join(previous[:MOST_PREVIOUS])}

    @cached_property
    def current(self) -> VapidKey | None:
        """None for an account without settings, as in the sandbox."""
        return read_key(self.private_key) if self.private_key else None

    @cached_property
    def previous(self) -> tuple[PreviousKey, ...]:
        """The newest first."""
        return tuple(_read_previous(text) for text in self.previous_keys.split())


@dataclass(frozen=True)
class PreviousKey:
    """`ended`: the Unix time at which another key became the current one; 0: not known."""

    key: VapidKey
    ended: int


def _read_previous(text: str) -> PreviousKey:
    key, _, ended = text.partition("@")
    if ended and not re.fullmatch(r"[0-9]{1,11}", ended):
        raise InvalidInput("What follows the @ is a time in seconds since 1970.", field="previous_keys")
    return PreviousKey(_read(key, "previous_keys"), int(ended or 0))


def _read(text: str, field: str) -> VapidKey:
    try:
        return read_key(text)
    except ValueError:
        raise InvalidInput("This is no private key of P-256: 32 bytes in base64url, or PEM.", field=field) from None
