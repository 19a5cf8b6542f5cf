"""All providers by name. A provider registers itself when its file is loaded; the first caller loads all files."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from notifier.errors import InvalidInput
from notifier.providers.base import Provider, has_own_check


@lru_cache(maxsize=1)
def _load() -> None:
    package = importlib.import_module("notifier.providers")
    for module in pkgutil.walk_packages(package.__path__, "notifier.providers."):
        importlib.import_module(module.name)


def providers() -> Mapping[str, type[Provider[Any]]]:
    """All providers by name."""
    _load()
    return Provider._registry


def token_checks() -> Mapping[str, Callable[[str], str]]:
    """The push platforms whose tokens may be registered, each with the check of its tokens: of the provider that has a
    check of its own, where two providers serve a platform. A platform that every tenant has an account for comes before
    one that an owner must add."""
    checks: dict[str, Callable[[str], str]] = {}
    for kind in sorted(providers().values(), key=lambda kind: not kind.default_account):
        if kind.platform and (kind.platform not in checks or has_own_check(kind)):
            checks[kind.platform] = kind.check_token
    return checks


def provider_class(name: str) -> type[Provider[Any]]:
    """One provider class. Raises InvalidInput for an unknown name."""
    try:
        return providers()[name]
    except KeyError:
        known = ", ".join(sorted(providers()))
        raise InvalidInput(f"Unknown provider {name!r}; known: {known}.", field="provider") from None
