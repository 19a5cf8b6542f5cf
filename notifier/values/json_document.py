"""Which JSON documents PostgreSQL can store: storable texts, integers of 64 bits, finite numbers. For the API and the
admin."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from notifier.errors import InvalidInput
from notifier.values.text import escaped, fault_of

MAX_INTEGER = 2**63 - 1


def check_document(document: Any) -> None:
    """Raise InvalidInput, naming the field by its path, for a value that PostgreSQL cannot store."""
    for path, value in _leaves(document, ""):
        if fault := _fault(value):
            code, message = fault
            raise InvalidInput(message, field=escaped(path) or None, code=code)


def _fault(value: Any) -> tuple[str, str] | None:
    if isinstance(value, str) and (unstorable := fault_of(value)):
        return unstorable.code, f"A text holds {unstorable.character}."
    if isinstance(value, int) and not -MAX_INTEGER <= value <= MAX_INTEGER:
        return "number_out_of_range", "An integer is outside of 64 bits."
    if isinstance(value, float) and not math.isfinite(value):
        return "number_out_of_range", "A number is out of range."
    return None


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every value, and every key of an object, with the dotted path to it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            below = f"{path}.{key}".lstrip(".")
            yield below, key
            yield from _leaves(inner, below)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{path}.{index}".lstrip("."))
    else:
        yield path, value
