"""One file for each fake service. A new fake service is one new file in this folder, and nothing else.

What a service needs beside its answers, such as a schema, lives outside of this folder. `notifier.sandbox.server` calls
`build_services` once; each class of this folder gets the state that all services share.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import TypeVar

from notifier.sandbox.fake_service import FakeServer, FakeService
from notifier.sandbox.state import SandboxState

Kind = TypeVar("Kind", FakeServer, FakeService)


def build_services(state: SandboxState) -> list[FakeService]:
    """One instance of each fake service that a file of this folder defines."""
    return [service_class(state) for service_class in _classes(FakeService)]  # type: ignore[type-abstract]


def server_classes() -> list[type[FakeServer]]:
    """The fake servers that a file of this folder defines: those that need a port of their own."""
    return list(_classes(FakeServer))  # type: ignore[type-abstract]


def _classes(kind: type[Kind]) -> Iterator[type[Kind]]:
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        for member in vars(importlib.import_module(module.name)).values():
            if isinstance(member, type) and issubclass(member, kind) and member.__module__ == module.name:
                yield member
