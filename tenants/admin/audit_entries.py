"""Audit entries of changes that are made in the admin: the user, the kind of object, its id, the names of the
fields."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import Model
from django.http import HttpRequest

from tenants import audit
from tenants.admin.roles import tenant_id_of


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


def _field_names(verb: str, details: dict[str, Any]) -> Iterable[str]:
    owner = details.get("name", "")
    fields = details.get("fields", [])
    if fields:
        return [f"{owner}.{field}" if owner else str(field) for field in fields]
    return [f"{owner} {verb}"] if owner else []
