"""Lists of channels that a person or a program writes."""

from __future__ import annotations

from collections.abc import Sequence

from notifier.channels import channels
from notifier.errors import InvalidInput


def check_channel_names(names: Sequence[str], field: str) -> list[str]:
    """The names. Raises InvalidInput, with the field, for an unknown channel or one that stands twice."""
    for n, name in enumerate(names):
        if name not in channels():
            known = ", ".join(sorted(channels()))
            raise InvalidInput(f"Unknown channel {name[:64]!r}; known: {known}.", field=field, code="unknown_channel")
        if name in names[:n]:
            raise InvalidInput(f"Names {name!r} twice.", field=field)
    return list(names)
