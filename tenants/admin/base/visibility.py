"""What a request may see: the rows of the user's tenants, the users who share one, the end of an address."""

from __future__ import annotations

from typing import Any

from django.db.models import Field, Model, QuerySet
from django.http import HttpRequest

from tenants.admin.roles import is_platform_operator, roles_of
from tenants.models import Tenant, User


def has_tenant(model: type[Model]) -> bool:
    """Whether a tenant owns the model's rows."""
    return any(isinstance(f, Field) and f.name == "tenant" for f in model._meta.get_fields())


def visible_rows(rows: QuerySet[Any], request: HttpRequest) -> QuerySet[Any]:
    """The rows of the user's tenants; all rows for an operator, and all rows that no tenant owns."""
    if is_platform_operator(request):
        return rows
    if rows.model is Tenant:
        return rows.filter(pk__in=list(roles_of(request)))
    return rows.filter(tenant_id__in=list(roles_of(request))) if has_tenant(rows.model) else rows


def sees_several_tenants(request: HttpRequest) -> bool:
    return is_platform_operator(request) or len(roles_of(request)) > 1


def visible_users(request: HttpRequest) -> QuerySet[Any]:
    """The users who share a tenant with the logged-in user; all users for an operator."""
    if is_platform_operator(request):
        return User.objects.order_by("username")
    return User.objects.filter(memberships__tenant_id__in=list(roles_of(request))).distinct().order_by("username")


def masked(value: str) -> str:
    """The last characters of an address: enough to recognise the address, too few to use it."""
    return f"…{value[-8:]}" if len(value) > 8 else value
