"""The only doors to a tenant's rows: row-level security for the database, `owned` for the code.

Every tenant-owned table has a policy that shows only rows of the tenants named in `notifier.tenants`, a signed setting
(tenants.database.signed_settings) that lives as long as the transaction. The engine role owns the tables, so the
policy does not bind it.
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
from tenants.database import signed_settings

if TYPE_CHECKING:
    from tenants.models import Tenant, User

#: an operator (superuser) sees every tenant
EVERY_TENANT = "*"
M = TypeVar("M", bound=Model)


def set_scope(tenants: Iterable[uuid.UUID] | str) -> None:
    """Name the tenants that the rest of this transaction may see. Needs an open transaction."""
    value = tenants if isinstance(tenants, str) else ",".join(map(str, tenants))
    signed_settings.set_local("tenants", value)


@contextmanager
def scope(*tenants: uuid.UUID) -> Iterator[None]:
    """A transaction that sees these tenants only; for code outside a request (sockets, commands)."""
    with transaction.atomic():
        set_scope(tenants)
        yield


def allow_slow_statements() -> None:
    """For the rest of this transaction: statements may take what a large upload or a large list takes. Web processes
    stop all others after WEB_STATEMENT_SECONDS."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', '10min', true)")


def get_owned(rows: QuerySet[M], tenant: Tenant, **lookup: object) -> M:
    """The tenant's row. Raises NotFound, never "forbidden", for a stranger's id, an unknown or a malformed one."""
    try:
        return rows.get(tenant=tenant, **lookup)
    except (ObjectDoesNotExist, ValidationError, ValueError):
        field = {"pk": "id"}.get(asked := next(iter(lookup), ""), asked) or None
        name = rows.model._meta.verbose_name
        raise NotFound(f"There is no such {name}.", field=field) from None


def act_as(user_id: int | None) -> None:
    """Name who is logged in, for the rest of this transaction: the person sees their own login, hash included."""
    signed_settings.set_local("user", "" if user_id is None else str(user_id))


def read_memberships(user: User) -> dict[uuid.UUID, str]:
    """Tenant id -> role of an admin user, read before any scope is set. Needs an open transaction."""
    act_as(user.pk)
    with connection.cursor() as cursor:
        cursor.execute("SELECT tenant_id, role FROM member_tenants()")
        return dict(cursor.fetchall())
