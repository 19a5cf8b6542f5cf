"""The only doors to a tenant's rows: row-level security for the database, `owned` for the code.

Every tenant-owned table has a policy that shows only rows of the tenants named in `notifier.tenants`, a setting that
lives as long as the transaction. The engine role owns the tables, so the policy does not bind it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import connection, transaction
from django.db.models import Model, QuerySet

from notifier.errors import NotFound

if TYPE_CHECKING:
    from tenants.models import Tenant, User

#: an operator (superuser) sees every tenant
EVERY_TENANT = "*"
SET_SCOPE = "set_config('notifier.tenants', %s, true)"
M = TypeVar("M", bound=Model)


def set_scope(tenants: Iterable[uuid.UUID] | str) -> None:
    """Name the tenants that the rest of this transaction may see. Needs an open transaction."""
    value = tenants if isinstance(tenants, str) else ",".join(map(str, tenants))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {SET_SCOPE}", [value])


@contextmanager
def scope(*tenants: uuid.UUID) -> Iterator[None]:
    """A transaction that sees these tenants only; for code outside a request (sockets, commands)."""
    with transaction.atomic():
        set_scope(tenants)
        yield


def owned(rows: QuerySet[M], tenant: Tenant, **lookup: object) -> M:
    """The tenant's row. Raises NotFound, never "forbidden", for a stranger's id, an unknown or a malformed one."""
    try:
        return rows.get(tenant=tenant, **lookup)
    except (ObjectDoesNotExist, ValidationError, ValueError):
        field = {"pk": "id"}.get(asked := next(iter(lookup), ""), asked) or None
        name = rows.model._meta.verbose_name
        raise NotFound(f"There is no such {name}.", field=field) from None


def tenants_of(user: User) -> list[uuid.UUID]:
    """Ids of the tenants that an admin user is a member of, read before any scope is set."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tenant_id FROM member_tenants(%s)", [user.pk])
        return [row[0] for row in cursor.fetchall()]
