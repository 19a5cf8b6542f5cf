"""Reads the content of a template from the fields of a posted editor.

Names of fields: `part:<channel>:<locale>:<part>` is a text; `key:` and `value:` with a number at the end are the pairs
of an object; `file:` is a file that stays, as JSON; `has` is `<channel>:<locale>` for each locale that the editor
shows. A script may send all of them as one field `composed`, a JSON list of name and value: Django reads at most 1,000
fields of a form.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from django import forms

from notifier.errors import InvalidInput
from notifier.values.json_document import check_document
from tenants.admin.base.json_field import JsonField, read_json

Content = dict[str, dict[str, dict[str, Any]]]
HAS, COMPOSED = "has", "composed"
#: fields that one editor may send
MOST_FIELDS = 20_000


class ContentWidget(forms.Textarea):
    """The content as JSON in one field, or as the fields of the editor."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        if name in data:
            return super().value_from_datadict(data, files, name)
        fields = pairs_of(data)
        if any(field == HAS for field, _ in fields):
            return json.dumps(content_of(fields))
        return None

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return name not in data and HAS not in data and COMPOSED not in data


class ContentField(JsonField):
    widget = ContentWidget


def pairs_of(data: Any) -> list[tuple[str, str]]:
    """Name and value of each field. `data`: the QueryDict of a form, or a plain mapping."""
    if COMPOSED in data:
        try:
            listed = json.loads(data[COMPOSED])
            # half a surrogate pair cannot be shown on a page
            check_document(listed)
        except (ValueError, RecursionError, InvalidInput):
            return []
        if not isinstance(listed, list) or len(listed) > MOST_FIELDS:
            return []
        return [(pair[0], pair[1]) for pair in listed if _is_pair(pair)]
    lists: Iterable[tuple[str, Any]] = data.lists() if hasattr(data, "lists") else data.items()
    return [
        (name, value)
        for name, values in lists
        for value in (values if isinstance(values, list) else [values])
        if isinstance(value, str)
    ]


def _is_pair(pair: Any) -> bool:
    return isinstance(pair, list) and len(pair) == 2 and all(isinstance(each, str) for each in pair)


def content_of(fields: Iterable[tuple[str, str]]) -> Content:
    """The content that the fields say. Empty parts are left out."""
    content: Content = {}
    keys: dict[str, str] = {}
    fields = list(fields)
    for name, value in fields:
        if name == HAS and value.count(":") == 1:
            channel, _, locale = value.partition(":")
            content.setdefault(channel, {}).setdefault(locale, {})
        elif name.startswith("key:"):
            keys[name[len("key:") :]] = value.strip()
    for name, value in fields:
        what, _, where = name.partition(":")
        channel, _, rest = where.partition(":")
        locale, _, part = rest.partition(":")
        parts = content.get(channel, {}).get(locale)
        if parts is None:
            continue
        text = value.replace("\r\n", "\n")
        if what == "part" and text:
            parts[part] = text
        elif what == "value" and keys.get(where):
            parts.setdefault(part.rpartition(":")[0], {})[keys[where]] = text
        elif what == "file":
            parts.setdefault(part, []).append(_file(value))
    return content


def _file(text: str) -> Any:
    try:
        return read_json(text)
    except ValueError:
        return text


def shown_content(value: Any) -> Content:
    """The content that an editor can show of a value: texts, objects and lists of files. What is none of these is left
    out; the form says what is wrong with it."""
    try:
        if isinstance(value, str):
            value = read_json(value)
        check_document(value)
    except (ValueError, InvalidInput):
        return {}
    if not isinstance(value, Mapping):
        return {}
    return {
        str(channel): {
            str(locale): {str(part): text for part, text in parts.items() if isinstance(text, str | Mapping | list)}
            for locale, parts in by_locale.items()
            if isinstance(parts, Mapping)
        }
        for channel, by_locale in value.items()
        if isinstance(by_locale, Mapping)
    }
