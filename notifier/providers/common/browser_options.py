"""What a browser's `showNotification` takes: the block `webpush` of a template, by JavaScript's names and units.

https://developer.mozilla.org/docs/Web/API/ServiceWorkerRegistration/showNotification
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: keys of the block that JavaScript spells otherwise
_JAVASCRIPT = {"require_interaction": "requireInteraction"}


def browser_options(values: Mapping[str, Any]) -> dict[str, Any]:
    """The options of the block's typed values (`push_keys.typed_values`)."""
    options = {_JAVASCRIPT.get(name, name): value for name, value in values.items()}
    if isinstance(seconds := options.get("timestamp"), int):
        options["timestamp"] = seconds * 1000  # JavaScript counts milliseconds
    return options
