"""The push platforms whose tokens may be registered, and the check of each platform's tokens. The engine names both,
because it knows the providers."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import cache

from notifier.errors import InvalidInput
from notifier.values.push_token import MAX_TOKEN

#: a token as a client spells it -> the token as it is stored and compared. Raises InvalidInput with the field `token`
TokenCheck = Callable[[str], str]
Finder = Callable[[], Mapping[str, TokenCheck]]
#: tenant and stored token -> all stored tokens that stand for the same device, the one that says least first
SameDevice = Callable[[uuid.UUID, str], Sequence[str]]
#: of a row of an import that names none
DEFAULT_PLATFORM = "fcm"
#: characters of a token as a client spells it: the stored token has at most 1024
MAX_SPELLING = 4096
_finders: list[Finder] = []
_same_device: dict[str, SameDevice] = {}


def add_platform_finder(finder: Finder) -> None:
    """Called in AppConfig.ready by packages above, which know the platforms."""
    _finders.append(finder)
    _checks.cache_clear()


def add_same_device(platform: str, find: SameDevice) -> None:
    """Called in AppConfig.ready, for a platform on which several stored tokens may stand for one device."""
    _same_device[platform] = find


def tokens_of_device(tenant_id: uuid.UUID, platform: str, token: str) -> Sequence[str]:
    """All stored tokens that stand for the device of this stored token, the one that says least first."""
    find = _same_device.get(platform)
    return find(tenant_id, token) if find else (token,)


@cache
def _checks() -> Mapping[str, TokenCheck]:
    """The check of each platform. An import asks for each of its rows."""
    return {platform: check for finder in reversed(_finders) for platform, check in finder().items()}


def platforms() -> tuple[str, ...]:
    """The names of all platforms."""
    return tuple(_checks())


def check_token(platform: str, token: str) -> str:
    """The token as it is stored: two spellings of one token are one device. Raises InvalidInput, with the field
    `platform` or `token`."""
    check = _checks().get(platform)
    if check is None:
        raise InvalidInput(f"{platform[:16]!r} is no platform; known: {', '.join(platforms())}.", field="platform")
    stored = check(token)
    if len(stored) > MAX_TOKEN:  # the column's length, whatever the provider's check lets through
        raise InvalidInput(f"A token has at most {MAX_TOKEN} characters.", field="token")
    return stored


def spellings(token: str) -> dict[str, str]:
    """platform -> the token as it is stored, for each platform that takes it."""
    stored: dict[str, str] = {}
    for platform in platforms():
        try:
            stored[platform] = check_token(platform, token)
        except InvalidInput:
            continue  # a token of another platform
    return stored


def stored_spelling(token: str) -> str:
    """A token of an unknown platform as it is stored: a spelling that some platform changes is of that platform. The
    text itself when no platform takes it."""
    return next((stored for stored in spellings(token).values() if stored != token), token)
