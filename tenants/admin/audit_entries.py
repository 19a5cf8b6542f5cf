"""Every change made in the admin becomes an audit row: who, what kind of object, its id, the names of the fields."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import Model
from django.http import HttpRequest

from tenants import audit
from tenants.admin.roles import tenant_id_of


def record_change(request: HttpRequest, row: Model, verb: str, **detail: Any) -> bool:
    """Record `verb` on a tenant's row. False for a row that no tenant owns (Django's own log keeps those)."""
    tenant = tenant_id_of(row)
    if tenant is None or isinstance(request.user, AnonymousUser):
        return False
    action = f"{row._meta.model_name}.{verb}"
    audit.record(tenant, action, row.pk, detail, by=audit.Actor(request.user))
    return True


def changed_fields(message: Any) -> list[str]:
    """Names of what changed, from Django's change message; its object names may be personal data and are left out."""
    if not isinstance(message, list):
        return []
    names: list[str] = []
    for part in message:
        for verb, said in part.items():
            names += _field_names(verb, said)
    return names


def _field_names(verb: str, said: dict[str, Any]) -> Iterable[str]:
    owner = said.get("name", "")
    fields = said.get("fields", [])
    if fields:
        return [f"{owner}.{field}" if owner else str(field) for field in fields]
    return [f"{owner} {verb}"] if owner else []
