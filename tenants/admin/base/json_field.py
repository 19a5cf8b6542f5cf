"""A form field for JSON that a person types: no text makes an error of ours, neither when it is read nor when the form
shows it again."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.forms.fields import InvalidJSONInput
from django.utils.html import format_html
from django.utils.safestring import SafeString

from notifier.errors import InvalidInput
from notifier.values.json_document import check_document

#: objects and lists inside of each other. Python reads about a thousand levels, orjson writes 254
MAX_LEVELS = 64


def read_json(text: str) -> Any:
    """The document of a text. Raises ValueError for a text that is no JSON or has too many levels."""
    try:
        document = json.loads(text)
    except RecursionError:
        raise ValueError("too many levels") from None
    level = [document]
    for _ in range(MAX_LEVELS + 1):
        level = [inner for each in level if isinstance(each, dict | list) for inner in _values(each)]
        if not level:
            return document
    raise ValueError("too many levels")


def _values(container: Any) -> Any:
    return container.values() if isinstance(container, dict) else container


class JsonField(forms.JSONField):
    def to_python(self, value: Any) -> Any:
        if isinstance(value, str) and value not in self.empty_values:
            try:
                read_json(value)
            except ValueError:
                raise forms.ValidationError(self.error_messages["invalid"], "invalid", {"value": value}) from None
        return super().to_python(value)

    def bound_data(self, data: Any, initial: Any) -> Any:
        """What the form shows again. A text that cannot be read, or whose values no page can show, stays as it was
        typed."""
        try:
            check_document(self.to_python(data))
        except (forms.ValidationError, InvalidInput):
            return InvalidJSONInput(data)
        return super().bound_data(data, initial)


def shown_json(value: Any, encoder: Any = None) -> SafeString:
    """A document as a page shows it that cannot be edited."""
    return format_html("<pre>{}</pre>", json.dumps(value, indent=2, ensure_ascii=False, cls=encoder))
