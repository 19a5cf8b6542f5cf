"""The operator's switch: what it sets, when it ends, who may set it, and where it is recorded."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, transaction

from notifier.vocabulary.load import LONGEST_SHEDDING, Level, LoadState, Switch, Work
from tenants import load_shedding
from tenants.audit import Actor
from tenants.load_shedding import may_run, read_state
from tenants.load_shedding.switch import set_switch
from tenants.models import AuditLog, LoadShedding, User
from tests.fixtures import People

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("state", "level", "until"),
    [
        (LoadState(NOW), Level.NORMAL, None),
        (LoadState(NOW, Switch.ON, NOW + MINUTE), Level.SHEDDING, NOW + MINUTE),
        (LoadState(NOW, Switch.ON, NOW), Level.NORMAL, None),
        (LoadState(NOW, decided=Level.SHEDDING, decided_at=NOW), Level.SHEDDING, NOW + LONGEST_SHEDDING),
        (LoadState(NOW, decided=Level.SHEDDING, decided_at=NOW - LONGEST_SHEDDING), Level.NORMAL, NOW),
        (LoadState(NOW, Switch.OFF, decided=Level.SHEDDING, decided_at=NOW), Level.NORMAL, None),
        (
            LoadState(NOW, Switch.OFF, NOW, decided=Level.SHEDDING, decided_at=NOW),
            Level.SHEDDING,
            NOW + LONGEST_SHEDDING,
        ),
    ],
    ids=["no row", "on", "on is over", "decided", "the longest time", "off", "off is over"],
)
def test_the_level_follows_from_the_row_and_the_time(state: LoadState, level: Level, until: datetime | None) -> None:
    assert (state.level, state.until) == (level, until)


@pytest.mark.django_db
def test_on_lasts_an_hour_and_auto_ends_it(people: People) -> None:
    assert may_run(Work.DIGESTS)
    state = set_switch(Switch.ON, by=Actor(people.ana))
    assert (state.level, state.switched_by) == (Level.SHEDDING, "ana")
    assert state.until is not None and abs(state.until - state.now - timedelta(hours=1)) < MINUTE
    assert not any(may_run(work) for work in Work)
    assert set_switch(Switch.AUTO).level is Level.NORMAL
    assert all(may_run(work) for work in Work)


@pytest.mark.django_db
def test_each_switch_is_in_the_audit_log_of_every_tenant(people: People) -> None:
    call_command("shedding", "on", "--for", "10m", stdout=io.StringIO())
    User.objects.filter(pk=people.cleo.pk).update(is_superuser=True)
    call_command("shedding", "auto", "--by", "cleo", stdout=io.StringIO())
    rows = AuditLog.objects.order_by("tenant__slug", "id").values_list("tenant__slug", "action", "detail", "user")
    switches = [("load_shedding.on", {"for": "10m"}, None), ("load_shedding.auto", {}, people.cleo.pk)]
    assert list(rows) == [(slug, *switch) for slug in ("acme", "globex") for switch in switches]


@pytest.mark.django_db
def test_the_command_shows_the_level() -> None:
    def shown(*words: str) -> str:
        out = io.StringIO()
        call_command("shedding", *words, stdout=out)
        return out.getvalue().strip()

    assert shown() == "level: normal; switch: auto"
    assert shown("on").startswith("level: shedding until 20") and shown().endswith("; switch: on")
    assert shown("off") == "level: normal; switch: off"
    assert shown("auto") == "level: normal; switch: auto"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["on", "--for", "soon"], "--for: a whole number and a unit"),
        (["on", "--for", "2d"], "--for: At most 1d"),
        (["auto", "--for", "1h"], "--for: `auto` has no end"),
        (["on", "--by", "nobody"], "--by: there is no operator 'nobody'"),
        (["on", "--by", "ana"], "--by: there is no operator 'ana'"),
        (["--for", "1h"], "need a word before them"),
        (["sometimes"], "invalid choice"),
    ],
)
@pytest.mark.django_db
def test_a_wrong_switch_is_refused_and_changes_nothing(people: People, words: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        call_command("shedding", *words)
    assert not LoadShedding.objects.exists() and not AuditLog.objects.exists()


@pytest.mark.django_db
def test_web_processes_read_the_level_and_write_none(as_web: Callable[[], AbstractContextManager[None]]) -> None:
    set_switch(Switch.ON)
    with as_web():
        assert read_state().level is Level.SHEDDING
        assert LoadShedding.objects.update(switch="off") == 0
        with pytest.raises(DatabaseError), transaction.atomic():
            LoadShedding.objects.create(id=1)
    load_shedding.reset()
    assert not may_run(Work.IMPORTS)
