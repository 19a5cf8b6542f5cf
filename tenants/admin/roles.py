"""Rights in the admin: the role of the logged-in user in each tenant, read once a request."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from django.db.models import Model
from django.http import HttpRequest

from tenants.access import read_memberships
from tenants.models import Member, Tenant

Role = Member.Role
#: roles that may edit keys, provider accounts, members
OWNERS = frozenset({Role.OWNER.value})
#: roles that may write people, templates, audiences, campaigns
AUTHORS = frozenset({Role.OWNER.value, Role.AUTHOR.value})
#: roles that may approve or reject a campaign
APPROVERS = frozenset({Role.OWNER.value, Role.APPROVER.value})
#: roles that may arm, test, launch, pause, resume and stop a campaign, and control a schedule
LAUNCHERS = frozenset({Role.OWNER.value, Role.AUTHOR.value, Role.OPERATOR.value})
#: roles that may re-drive dead letters, read receipts again, test provider accounts
OPERATORS = frozenset({Role.OWNER.value, Role.OPERATOR.value})
#: every role: for pages that each member may look at
ALL_ROLES = frozenset(Role.values)
#: for pages that no role edits: the ledger, logs
NO_ROLE: frozenset[str] = frozenset()


def is_platform_operator(request: HttpRequest) -> bool:
    """Whether the user is a superuser, who sees and edits every tenant. The tenant's role *operator* is no such
    user."""
    user = request.user
    return bool(user.is_authenticated and user.is_active and user.is_superuser)


def roles_of(request: HttpRequest) -> Mapping[uuid.UUID, str]:
    """Tenant id -> role; empty for an anonymous user. The first call must come before a scope is set."""
    if "notifier_roles" not in request.__dict__:
        request.__dict__["notifier_roles"] = _read_roles(request)
    roles: Mapping[uuid.UUID, str] = request.__dict__["notifier_roles"]
    return roles


def _read_roles(request: HttpRequest) -> dict[uuid.UUID, str]:
    user = request.user
    if not (user.is_authenticated and user.is_active and user.is_staff):
        return {}
    return read_memberships(user)


def may(request: HttpRequest, allowed: frozenset[str], row: Model | None = None) -> bool:
    """Whether the user has one of the roles in the row's tenant, or, without a row, in any tenant."""
    if not allowed:
        return False
    if is_platform_operator(request):
        return True
    roles = roles_of(request)
    if row is None:
        return any(role in allowed for role in roles.values())
    tenant = tenant_id_of(row)
    return tenant is not None and roles.get(tenant, "") in allowed


def tenant_id_of(row: Any) -> uuid.UUID | None:
    """The tenant that owns a row; a Tenant owns itself. None for a row that no tenant owns."""
    if isinstance(row, Tenant):
        return row.pk
    tenant_id: uuid.UUID | None = getattr(row, "tenant_id", None)
    return tenant_id


def editable_tenants(request: HttpRequest, allowed: frozenset[str]) -> Any:
    """The tenants in which the user has one of the roles."""
    if is_platform_operator(request):
        return Tenant.objects.order_by("name")
    tenant_ids = [tenant_id for tenant_id, role in roles_of(request).items() if role in allowed]
    return Tenant.objects.filter(pk__in=tenant_ids).order_by("name")
