"""Audit entries of changes that are made in the admin: the user, the kind of object, its id, the names of the
fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, time
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import BooleanField, DateField, Field, IntegerField, Model, TimeField
from django.http import HttpRequest

from tenants import audit
from tenants.admin.roles import tenant_id_of

#: of a changed field the entry holds two values: before and after
_PAIR = 2


def record_change(request: HttpRequest, row: Model, verb: str, **detail: Any) -> bool:
    """Write the entry `<model>.<verb>` about a row. False for a row that no tenant owns, which Django's own log
    records."""
    tenant = tenant_id_of(row)
    if tenant is None or isinstance(request.user, AnonymousUser):
        return False
    action = f"{row._meta.model_name}.{verb}"
    audit.record(tenant, action, row.pk, detail, by=audit.Actor(request.user))
    return True


def changed_fields(message: Any) -> list[str]:
    """Names of the changed fields, from Django's change message. Names of objects may be personal data and are left
    out."""
    if not isinstance(message, list):
        return []
    names: list[str] = []
    for part in message:
        for verb, details in part.items():
            names += _field_names(verb, details)
    return names


def plain_changes(form: Any) -> dict[str, list[Any]]:
    """field -> [before, after] of the changed fields of a model form that can hold neither a secret nor personal data:
    switches, numbers, times, and choices from a fixed list. Of other fields the entry has the name only."""
    columns = {column.name: column for column in form._meta.model._meta.fields}
    changed = [name for name in form.changed_data if name in columns and is_plain(columns[name])]
    return {name: [_value(form.initial.get(name)), _value(form.cleaned_data.get(name))] for name in changed}


def is_plain(column: Field[Any, Any]) -> bool:
    """Whether the column's values may stand in the audit log, which survives the erasure of a person."""
    if column.is_relation:
        return False
    return bool(column.choices) or isinstance(column, BooleanField | IntegerField | DateField | TimeField)


def _value(value: Any) -> Any:
    """As JSON has it; an empty value is None."""
    if value in ("", None):
        return None
    if isinstance(value, date | time):
        return value.isoformat()
    return value if isinstance(value, bool | int | float) else str(value)


def changes_in_words(detail: Any) -> list[str]:
    """`{"changes": {"weight": [100, 50]}}` -> ["weight: 100 → 50"]; then the other facts of an entry."""
    if not isinstance(detail, Mapping):
        return []
    changes = detail.get("changes")
    lines = [
        f"{name}: {_word(pair[0])} → {_word(pair[1])}"
        for name, pair in (changes.items() if isinstance(changes, Mapping) else ())
        if isinstance(pair, list) and len(pair) == _PAIR
    ]
    known = set(changes) if isinstance(changes, Mapping) else set()
    for name, value in detail.items():
        if name == "fields" and isinstance(value, list):
            lines += [str(field) for field in value if field not in known]
        elif name != "changes":
            lines.append(f"{name}: {_word(value)}")
    return lines


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "–" if value in (None, "", []) else str(value)


def _field_names(verb: str, details: dict[str, Any]) -> Iterable[str]:
    owner = details.get("name", "")
    fields = details.get("fields", [])
    if fields:
        return [f"{owner}.{field}" if owner else str(field) for field in fields]
    return [f"{owner} {verb}"] if owner else []
