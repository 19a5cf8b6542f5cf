"""What a recipient's attributes may be: one rule for the API, the import and the admin.

A filter and a template reach a value by the path of its keys (`attributes.billing.country`), so that what is stored can
be named by one: keys of bounded length, without dots, some levels deep.
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
    """The attributes. InvalidInput names the path of what cannot be stored."""
    check_size(len(orjson.dumps(attributes)))
    _check_keys(attributes, "attributes", MAX_DEPTH)
    return attributes


def check_size(size: int) -> None:
    """Raise InvalidInput for more bytes of JSON than one person's attributes may have."""
    if size > MAX_BYTES:
        raise InvalidInput(f"Has {size} bytes; the limit is {MAX_BYTES}.", field="attributes", code="too_large")


def is_key(name: str) -> bool:
    """Whether a path can name it."""
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
