"""Checks that PostgreSQL can store a value as JSON: storable texts, finite numbers, few levels. Without these checks
such a value would end as an HTTP 500."""

from __future__ import annotations

import math
from typing import Any

from notifier.errors import InvalidInput
from notifier.values.text import check_storable

#: beyond this a JSON number is no longer exact in most of the programs that sent it
MAX_NUMBER = 2**63


def check_number(number: float, field: str) -> None:
    """Raise InvalidInput for NaN, infinity and numbers beyond MAX_NUMBER."""
    if not math.isfinite(number) if isinstance(number, float) else abs(number) > MAX_NUMBER:
        raise InvalidInput("Must be a finite number of ordinary size.", field=field)


def check_json(value: Any, field: str, depth: int = 20) -> None:
    """Raise InvalidInput, naming the path, unless `value` can be stored as jsonb and read back the same."""
    if depth == 0:
        raise InvalidInput("Is nested too deeply.", field=field)
    if isinstance(value, str):
        check_storable(value, field)
    elif isinstance(value, int | float):
        check_number(value, field)
    elif isinstance(value, dict):
        for key, item in value.items():
            check_storable(str(key), field)
            check_json(item, f"{field}.{key}", depth - 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            check_json(item, f"{field}.{index}", depth - 1)
