"""The variables that a template's editor offers: what a tenant's recipients have, what templates of the tenant read."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import connection

from notifier.delivery.content.liquid.text import ENVIRONMENT, PERSON, TAGS
from notifier.vocabulary.content import LINKS
from notifier.vocabulary.people import Person

#: recipients whose attributes are looked at: the newest ones, by the index `recipient_walk`
SAMPLED = 300
_ATTRIBUTES = """
SELECT DISTINCT jsonb_object_keys(attributes) AS name FROM (
  SELECT attributes FROM tenants_recipient WHERE tenant_id = %s ORDER BY id DESC LIMIT %s) newest
WHERE jsonb_typeof(attributes) = 'object' ORDER BY name LIMIT 200
"""
#: a person for a tenant without recipients
_NOBODY = Person(uuid.UUID(int=0), "", "", "", "", "", "", "active", {})
FIELDS = tuple(name for name in _NOBODY.variables() if name != "attributes")


def attribute_names(tenant_id: uuid.UUID) -> list[str]:
    """Names of attributes that the newest recipients of the tenant have."""
    with connection.cursor() as cursor:
        cursor.execute(_ATTRIBUTES, [tenant_id, SAMPLED])
        return [name for (name,) in cursor.fetchall()]


def offered(tenant_id: uuid.UUID | None, data: Iterable[str]) -> dict[str, Any]:
    """What the editor completes. `data`: paths that the template reads."""
    return {
        "recipient": list(FIELDS),
        "attributes": attribute_names(tenant_id) if tenant_id else [],
        "links": sorted(LINKS),
        "data": sorted({_root(path) for path in data} - {PERSON, *LINKS}),
        "tags": sorted(TAGS - {"#"}),
        "filters": sorted(ENVIRONMENT.filters),
    }


def data_paths(paths: Iterable[str]) -> list[str]:
    """The paths that whoever sends the message gives values for."""
    return sorted(path for path in paths if _root(path) not in {PERSON, *LINKS})


def placeholders(paths: Iterable[str], given: Mapping[str, Any]) -> dict[str, Any]:
    """`given`, and a text such as ‹order.number› for each path without a value, so that a preview shows the rest of a
    message."""
    values = dict(given)
    for path in data_paths(paths):
        _fill(values, path.split("."), path)
    return values


def placeholder(path: str) -> str:
    return f"‹{path}›"


def _fill(values: dict[str, Any], keys: list[str], path: str) -> None:
    key = keys[0]
    if not key.replace("_", "").replace("-", "").isalnum():
        return  # an index or a computed name: no text can stand there
    if len(keys) == 1:
        values.setdefault(key, placeholder(path))
        return
    inner = values.get(key)
    if key in values and not isinstance(inner, dict):
        if inner != placeholder(key):
            return
        inner = None  # made by an earlier path
    values[key] = dict(inner or {})
    _fill(values[key], keys[1:], path)


def _root(path: str) -> str:
    return path.partition(".")[0].partition("[")[0]
