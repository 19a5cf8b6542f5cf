"""Which tenants' rows a transaction sees (row-level security), and `get_owned`, which finds a row of one tenant.

Every tenant-owned table has a policy that shows only the rows of the tenants in `notifier.tenants`, a signed setting
(tenants.database.signed_settings) that ends with the transaction. The engine's role owns the tables, and the policies
do not bind it.
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
from notifier.vocabulary.status import ConsentSource
from tenants.database import signed_settings

if TYPE_CHECKING:
    from tenants.models import Tenant, User

#: an operator (superuser) sees every tenant
EVERY_TENANT = "*"
M = TypeVar("M", bound=Model)


def set_scope(tenants: Iterable[uuid.UUID] | str, source: ConsentSource | None = None) -> None:
    """Set the tenants that the rest of this transaction sees, and the source of its consent changes. Needs an open
    transaction."""
    value = tenants if isinstance(tenants, str) else ",".join(map(str, tenants))
    signed_settings.set_local("tenants", value, source or "")


@contextmanager
def scope(*tenants: uuid.UUID, source: ConsentSource | None = None) -> Iterator[None]:
    """A transaction that sees these tenants only; for code outside of a request (sockets, commands)."""
    with transaction.atomic():
        set_scope(tenants, source)
        yield


def set_consent_source(source: ConsentSource) -> None:
    """Set the source of the consent changes of the rest of this transaction; for code without a scope (workers,
    commands). Needs an open transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config(%s, %s, true)", [signed_settings.CONSENT_SOURCE, source])


def allow_slow_statements() -> None:
    """Give the statements of the rest of this transaction 10 minutes, which a large upload or list needs. Other
    statements of web processes are stopped after WEB_STATEMENT_SECONDS."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', '10min', true)")


def get_owned(rows: QuerySet[M], tenant: Tenant, **lookup: object) -> M:
    """The tenant's row. Raises NotFound, never "forbidden", for an id of another tenant, an unknown or a malformed
    one."""
    try:
        return rows.get(tenant=tenant, **lookup)
    except (ObjectDoesNotExist, ValidationError, ValueError):
        column = next(iter(lookup), "")
        name = rows.model._meta.verbose_name
        raise NotFound(f"There is no such {name}.", field={"pk": "id"}.get(column, column) or None) from None


def act_as(user_id: int | None) -> None:
    """Set the logged-in user of the rest of this transaction, who then sees their own login, password hash included."""
    signed_settings.set_local("user", "" if user_id is None else str(user_id))


def read_memberships(user: User) -> dict[uuid.UUID, str]:
    """Tenant id -> role of an admin user; callable before any scope is set. Needs an open transaction."""
    act_as(user.pk)
    with connection.cursor() as cursor:
        cursor.execute("SELECT tenant_id, role FROM member_tenants()")
        return dict(cursor.fetchall())
