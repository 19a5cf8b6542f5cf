"""The push platforms whose tokens may be registered. The engine knows the providers and names their platforms here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

Finder = Callable[[], Sequence[str]]
_finders: list[Finder] = []


def add_platform_finder(finder: Finder) -> None:
    """Called in AppConfig.ready by packages above, which know the platforms."""
    _finders.append(finder)
    platforms.cache_clear()


@cache
def platforms() -> tuple[str, ...]:
    """The names of all platforms, without repeats. An import asks for each of its rows."""
    return tuple(dict.fromkeys(name for finder in _finders for name in finder()))
