"""After the restore of a backup, whatever may have left since waits for a person."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from campaigns.models import Schedule
from campaigns.operations.restored import hold_everything
from campaigns.states import State
from notifier.models import DeadLetter, Delivery
from notifier.vocabulary.status import QueuePosition, Status
from tenants.models import AuditLog
from tests.campaigns.conftest import Site, armed
from tests.delivery.build import Shop, a_shop, an_order

NOW = datetime.now(UTC)
#: the loss is later than everything that a test makes due, however long the test waits for its database
TAKEN, LOST = NOW - timedelta(hours=12), NOW + timedelta(hours=6)


@pytest.fixture
def text_shop() -> Shop:
    """A shop whose messages are taken for texts: a repeat arrives twice."""
    shop = a_shop()
    shop.recipient("ada")
    shop.accept(an_order(), an_order(), an_order(send_at=NOW + timedelta(days=1)))
    Delivery.objects.update(channel="sms")
    return shop


@pytest.mark.django_db
def test_a_message_that_may_have_left_ends_in_doubt(text_shop: Shop) -> None:
    ended, _ = hold_everything(TAKEN, LOST)
    assert ended == 2
    assert sorted(text_shop.statuses()) == ["queued", "unknown", "unknown"]
    assert DeadLetter.objects.filter(tenant=text_shop.tenant, redriven_at=None).count() == 2
    later = Delivery.objects.get(status=Status.QUEUED)
    assert later.queue_position in (QueuePosition.PARKED, QueuePosition.HAS_TURN)
    assert hold_everything(TAKEN, LOST)[0] == 0


@pytest.mark.django_db
def test_a_message_whose_repeat_is_hidden_goes_on() -> None:
    shop = a_shop()
    shop.recipient("ada")
    shop.accept(an_order())
    assert hold_everything(TAKEN, LOST)[0] == 0
    assert shop.statuses() == ["queued"]


@pytest.mark.django_db
def test_campaigns_and_schedules_wait_for_a_person(site: Site) -> None:
    running = site.draft(name="running", state=State.RUNNING, launched_at=TAKEN)
    paused = site.draft(name="by hand", state=State.PAUSED, launched_at=TAKEN, halted="Look at the canary.")
    planned = armed(site.draft(name="planned", launch_at=LOST - timedelta(hours=1)))
    coming = armed(site.draft(name="coming", launch_at=LOST + timedelta(days=3)))
    schedule = Schedule.objects.create(
        tenant=site.acme, name="daily", campaign=site.draft(), cron="0 9 * * *", done_until=TAKEN,
        next_at=LOST - timedelta(hours=2), wake_at=LOST - timedelta(hours=3),
    )  # fmt: skip
    _, held = hold_everything(TAKEN, LOST)
    for row in (running, paused, planned, coming, schedule):
        row.refresh_from_db()
    assert running.state == State.PAUSED and "restored from a backup" in running.halted
    assert "restored from a backup" in paused.halted and paused.halted.endswith(" Look at the canary.")
    assert "restored from a backup" in planned.launch_failure and planned.state == State.ARMED
    assert coming.launch_failure == ""
    assert schedule.state == Schedule.State.PAUSED
    named = {(each.what, each.name) for each in held}
    assert {
        ("paused", "running"),
        ("was_paused", "by hand"),
        ("unplanned", "planned"),
        ("schedule", "daily"),
        ("armed", "coming"),
    } <= named
    assert AuditLog.objects.filter(tenant=site.acme, action="installation.restored").count() == 1
    # a repeat finds nothing to pause, and changes no text
    said = [running.halted, paused.halted]
    _, again = hold_everything(TAKEN, LOST)
    assert not {"paused", "was_paused"} & {each.what for each in again}
    for row in (running, paused):
        row.refresh_from_db()
    assert [running.halted, paused.halted] == said
