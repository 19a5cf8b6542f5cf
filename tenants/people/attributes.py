"""The rules of a recipient's attributes, the same for the API, the imports and the admin.

Segments and templates name a value by the path of its keys (`attributes.billing.country`). So keys have a bounded
length and no dot, and the levels are bounded.
"""

from __future__ import annotations

import unicodedata
from typing import Any

import orjson

from notifier.errors import InvalidInput

MAX_BYTES = 16 * 1024
MAX_KEY = 64
MAX_DEPTH = 8


def check(attributes: dict[str, Any]) -> dict[str, Any]:
    """Returns the attributes. Raises InvalidInput, which names the path of the value that cannot be stored."""
    check_size(len(orjson.dumps(attributes)))
    _check_keys(attributes, "attributes", MAX_DEPTH)
    return attributes


def check_size(size: int) -> None:
    """Raise InvalidInput for more bytes of JSON than one recipient's attributes may have."""
    if size > MAX_BYTES:
        raise InvalidInput(f"Has {size} bytes; the limit is {MAX_BYTES}.", field="attributes", code="too_large")


def is_key(name: str) -> bool:
    """Whether a path can contain this key."""
    return 0 < len(name) <= MAX_KEY and "." not in name and not _has_controls(name)


def _has_controls(name: str) -> bool:
    return not name.isprintable() and any(unicodedata.category(c).startswith("C") for c in name)


def _check_keys(value: Any, path: str, depth: int) -> None:
    if isinstance(value, dict):
        if depth == 0:
            raise InvalidInput(f"Has more than {MAX_DEPTH} levels.", field=path, code="too_deep")
        for key, item in value.items():
            if not is_key(key):
                raise InvalidInput(
                    f"{key[:80]!r} is no name of an attribute: 1 to {MAX_KEY} printable characters without a dot; "
                    'levels are written {"billing": {"country": "AT"}}.',
                    field=path,
                )
            _check_keys(item, f"{path}.{key}", depth - 1)
    elif isinstance(value, list):
        for item in value:
            _check_keys(item, path, depth)
