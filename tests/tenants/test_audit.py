"""The audit log's chain shows what was changed behind its back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, connections, transaction

from tenants import audit
from tenants.models import AuditLog, Tenant

# the triggers are switched off and on, and rows commit out of order
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def acme() -> Tenant:
    return Tenant.objects.create(name="ACME", slug="acme")


@contextmanager
def behind_the_triggers_back() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE tenants_auditlog DISABLE TRIGGER append_only")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE tenants_auditlog ENABLE TRIGGER append_only")


def chained(tenant: Tenant, count: int = 5) -> list[AuditLog]:
    rows = [audit.record(tenant.pk, "thing.changed", n, {"fields": ["name"], "n": n}) for n in range(count)]
    assert audit.chain_batch() == count
    return rows


def test_an_untouched_log_fits_its_chain_over_several_batches(acme: Tenant) -> None:
    chained(acme)
    chained(acme)
    assert audit.verify(acme.pk) is None
    call_command("verify_audit", "--tenant", "acme")


@pytest.mark.parametrize("column", ["action", "object_id", "at", "detail", "chain"])
def test_a_changed_row_is_found(column: str, acme: Tenant) -> None:
    rows = chained(acme)
    values = {"detail": {"n": 99}, "at": datetime(2020, 1, 1, tzinfo=UTC), "chain": bytes(32)}
    with behind_the_triggers_back():
        AuditLog.objects.filter(pk=rows[2].pk).update(**{column: values.get(column, "x")})
    assert audit.verify(acme.pk) == rows[2].pk
    with pytest.raises(CommandError, match=f"acme: row {rows[2].pk}"):
        call_command("verify_audit")


def test_a_missing_row_is_found_at_the_next(acme: Tenant) -> None:
    rows = chained(acme)
    with behind_the_triggers_back():
        AuditLog.objects.filter(pk=rows[1].pk).delete()
    assert audit.verify(acme.pk) == rows[2].pk


def test_the_trigger_refuses_changes_and_deletion(acme: Tenant) -> None:
    row = chained(acme, 1)[0]
    stored = AuditLog.objects.filter(pk=row.pk)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        stored.update(action="x")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        stored.delete()


def test_each_tenant_has_a_chain_of_its_own(acme: Tenant) -> None:
    globex = Tenant.objects.create(name="Globex", slug="globex")
    mine = audit.record(acme.pk, "a")
    audit.record(globex.pk, "b")
    audit.record(acme.pk, "c")
    audit.chain_batch()
    with behind_the_triggers_back():
        AuditLog.objects.filter(pk=mine.pk).update(action="x")
    assert (audit.verify(acme.pk), audit.verify(globex.pk)) == (mine.pk, None)


def test_rows_that_commit_out_of_the_order_of_their_ids_are_chained_all_the_same(acme: Tenant) -> None:
    ours, theirs = (connections.create_connection("default") for _ in range(2))
    insert = "INSERT INTO tenants_auditlog (tenant_id, action, object_id, detail, at) VALUES (%s, %s, '', '{}', now())"
    try:
        theirs.set_autocommit(False)
        with theirs.cursor() as late, ours.cursor() as early:
            late.execute(insert, [acme.pk, "first id, last to commit"])
            early.execute(insert, [acme.pk, "last id, first to commit"])
            assert audit.chain_batch() == 1
        theirs.commit()
    finally:
        ours.close()
        theirs.close()
    assert audit.chain_batch() == 1
    assert audit.verify(acme.pk) is None
