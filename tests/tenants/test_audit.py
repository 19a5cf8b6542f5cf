"""The audit log's chain shows what was changed behind its back, and its heads what was cut off its end."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
import structlog
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, connections, transaction

from tenants import audit, audit_heads
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
    assert audit.first_broken_row(acme.pk) is None
    call_command("verify_audit", "--tenant", "acme")


@pytest.mark.parametrize("column", ["action", "object_id", "at", "detail", "chain"])
def test_a_changed_row_is_found(column: str, acme: Tenant) -> None:
    rows = chained(acme)
    values = {"detail": {"n": 99}, "at": datetime(2020, 1, 1, tzinfo=UTC), "chain": bytes(32)}
    with behind_the_triggers_back():
        AuditLog.objects.filter(pk=rows[2].pk).update(**{column: values.get(column, "x")})
    assert audit.first_broken_row(acme.pk) == rows[2].pk
    with pytest.raises(CommandError, match=f"acme: row {rows[2].pk}"):
        call_command("verify_audit")


def test_a_missing_row_is_found_at_the_next(acme: Tenant) -> None:
    rows = chained(acme)
    with behind_the_triggers_back():
        AuditLog.objects.filter(pk=rows[1].pk).delete()
    assert audit.first_broken_row(acme.pk) == rows[2].pk


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
    assert (audit.first_broken_row(acme.pk), audit.first_broken_row(globex.pk)) == (mine.pk, None)


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
    assert audit.first_broken_row(acme.pk) is None


# ---- heads ----------------------------------------------------------------------------------------------------------


def verify_with(path: Path) -> str:
    """What the command says. Raises CommandError."""
    output = io.StringIO()
    call_command("verify_audit", "--heads", str(path), stdout=output)
    return output.getvalue()


def cut(tenant: Tenant, count: int) -> None:
    """As the owner of the tables."""
    last = AuditLog.objects.filter(tenant=tenant).order_by("-chain").values_list("pk", flat=True)[:count]
    with behind_the_triggers_back():
        AuditLog.objects.filter(pk__in=list(last)).delete()


def test_rows_cut_off_the_end_are_counted(acme: Tenant, tmp_path: Path) -> None:
    heads = tmp_path / "heads"
    chained(acme)
    assert "0 heads match; 1 new ones" in verify_with(heads)
    chained(acme, 3)
    assert "1 heads match; 1 new ones" in verify_with(heads)
    assert "2 heads match; 0 new ones" in verify_with(heads)
    cut(acme, 2)
    # without the file the chain is whole
    call_command("verify_audit")
    before = heads.read_bytes()
    with pytest.raises(CommandError, match="acme: 2 rows are missing at the end"):
        verify_with(heads)
    assert heads.read_bytes() == before


def test_new_rows_in_the_place_of_those_that_were_cut_are_noticed(acme: Tenant, tmp_path: Path) -> None:
    heads = tmp_path / "heads"
    chained(acme)
    verify_with(heads)
    cut(acme, 1)
    chained(acme, 4)
    assert audit.first_broken_row(acme.pk) is None
    with pytest.raises(CommandError, match="acme: row 5 of the chain is not the one"):
        verify_with(heads)


def test_a_chain_that_is_gone_is_missed_and_of_another_tenant_only_when_asked(acme: Tenant, tmp_path: Path) -> None:
    heads = tmp_path / "heads"
    globex = Tenant.objects.create(name="Globex", slug="globex")
    chained(acme)
    chained(globex, 2)
    verify_with(heads)
    cut(globex, 2)
    globex.delete()
    with pytest.raises(CommandError, match=f"tenant {globex.pk or '.*'}: 2 rows are missing"):
        verify_with(heads)
    call_command("verify_audit", "--tenant", "acme", "--heads", str(heads))


def test_the_hourly_lines_of_the_log_serve_as_heads(acme: Tenant, tmp_path: Path) -> None:
    chained(acme)
    with structlog.testing.capture_logs() as lines:
        assert audit_heads.log_heads() == 1
    assert [(line["action"], line["tenant"], line["position"]) for line in lines] == [("audit.head", str(acme.pk), 5)]
    other = {"event": "request", "action": "request", "path": "/"}
    log = tmp_path / "log"
    log.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in (other, *lines)))
    verify_with(log)
    cut(acme, 5)
    with pytest.raises(CommandError, match="5 rows are missing at the end"):
        verify_with(log)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"position": 1}, "Line 1 of the heads was not signed by this site"),
        ({"digest": "00"}, "was not signed by this site"),
        ({"at": "2020-01-01T00:00:00+00:00"}, "was not signed by this site"),
        ({"mac": "0" * 64}, "was not signed by this site"),
        ({"mac": None}, "is no head of an audit chain"),
        ({"tenant": "acme"}, "is no head of an audit chain"),
        ({"position": "5"}, "was not signed by this site"),
    ],
)
def test_a_forged_head_is_refused(change: dict[str, Any], message: str, acme: Tenant, tmp_path: Path) -> None:
    heads = tmp_path / "heads"
    chained(acme)
    verify_with(heads)
    heads.write_bytes(orjson.dumps({**orjson.loads(heads.read_bytes()), **change}))
    with pytest.raises(CommandError, match=message):
        verify_with(heads)


@pytest.mark.parametrize("line", [b"{", b"[]", b"7", b"null", b"{}", b"\xff\xfe"])
def test_a_file_of_something_else_is_refused(line: bytes, acme: Tenant, tmp_path: Path) -> None:
    heads = tmp_path / "heads"
    heads.write_bytes(line)
    with pytest.raises(CommandError, match="Line 1 of the heads is no head"):
        verify_with(heads)


def test_heads_of_an_earlier_secret_key_hold_while_it_is_named(acme: Tenant, tmp_path: Path, settings: Any) -> None:
    heads, earlier = tmp_path / "heads", settings.SECRET_KEY
    chained(acme)
    verify_with(heads)
    settings.SECRET_KEY = "another" * 10
    with pytest.raises(CommandError, match="SECRET_KEY_FALLBACKS"):
        verify_with(heads)
    settings.SECRET_KEY_FALLBACKS = [earlier]
    assert "1 heads match" in verify_with(heads)
