"""Holdback, pause, resume, halt, stop and the fan-out, on shards made by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now
from pytest_django import Settings

from campaigns import arming, tasks
from campaigns.audit import Actor
from campaigns.edit import audiences, campaigns
from campaigns.lifecycle.fan_out import fanout
from campaigns.lifecycle.launching import launch
from campaigns.lifecycle.running import pausing, stopping
from campaigns.models import Campaign, Shard
from campaigns.sending.claim import claim
from campaigns.states import MOVES, State
from notifier.errors import Conflict, InvalidInput, NotFound
from tenants.access import scope
from tenants.models import AuditLog
from tests.campaigns.conftest import Site
from tests.campaigns.launched import (
    Broker,
    after_go,
    an_armed,
    audited_acts,
    broker,
    count_sendable,
    end_shards,
    unchanged,
)

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["broker"]
CONTROLS = {
    "take_back": launch.take_back,
    "pause": pausing.pause,
    "resume": pausing.resume,
    "stop": stopping.stop,
}


def run_control(name: str, campaign: Campaign) -> bool:
    changed = CONTROLS[name](campaign.tenant_id, campaign.pk)
    campaign.refresh_from_db()
    return changed


def hold_is_over(campaign: Campaign) -> None:
    Campaign.objects.filter(pk=campaign.pk).update(hold_until=datetime.now(UTC) - timedelta(seconds=1))


# ---- the table ---------------------------------------------------------------------------------------------------

#: control -> (states in which it does something, states in which a repeat is answered)
ALLOWED: dict[str, tuple[set[str], set[str]]] = {
    "take_back": ({"launching"}, {"armed"}),
    "pause": ({"running"}, {"paused"}),
    "resume": ({"paused"}, {"running", "finished"}),
    "stop": ({"armed", "launching", "running", "paused"}, {"cancelled"}),
}
REFUSALS = {
    "take_back": "not_launching",
    "pause": "not_pausable",
    "resume": "not_resumable",
    "stop": "not_stoppable",
}


@pytest.mark.parametrize("name", ALLOWED)
@pytest.mark.parametrize("state", State.values)
def test_what_a_control_does_in_every_state(site: Site, broker: Broker, name: str, state: str) -> None:
    campaign = site.draft(state=state, first_armed_ms=1)
    moves, repeats = ALLOWED[name]
    if state in moves:
        assert run_control(name, campaign) is True
        assert audited_acts(campaign) == [name]
        assert run_control(name, campaign) is False
        assert audited_acts(campaign) == [name]
        return
    with unchanged(campaign):
        if state in repeats:
            assert run_control(name, campaign) is False
        else:
            with pytest.raises(Conflict) as refused:
                run_control(name, campaign)
            assert refused.value.code == REFUSALS[name]
            assert state in refused.value.message
        assert audited_acts(campaign) == []


@pytest.mark.parametrize("name", ALLOWED)
def test_another_tenant_cannot_control_a_campaign(site: Site, name: str) -> None:
    campaign = site.draft(state="running")
    with unchanged(campaign), pytest.raises(NotFound):
        CONTROLS[name](site.people.globex.pk, campaign.pk)


def test_the_audit_log_names_the_user_of_a_control(site: Site, broker: Broker) -> None:
    campaign = after_go(an_armed(site))
    pausing.pause(campaign.tenant_id, campaign.pk, by=Actor(user=site.people.ben))
    assert AuditLog.objects.get(action="campaign.pause").user == site.people.ben


def test_only_a_retry_of_what_failed_leads_out_of_an_ended_campaign() -> None:
    assert all(not MOVES[state] for state in (State.CANCELLED, State.FAILED))
    assert MOVES[State.FINISHED] == {State.RUNNING}
    assert set(MOVES) == set(State)


# ---- the hold ----------------------------------------------------------------------------------------------------


def test_a_held_go_can_be_taken_back_and_given_again(site: Site, broker: Broker) -> None:
    campaign = after_go(an_armed(site, hold_seconds=30))
    assert (campaign.state, campaign.launched_at, count_sendable(campaign)) == ("launching", None, 0)
    assert campaign.hold_until is not None
    assert 25 < (campaign.hold_until - datetime.now(UTC)).total_seconds() <= 30
    assert launch.go(campaign.tenant_id, campaign.pk) is False
    tasks.sweep()
    assert run_control("take_back", campaign) is True
    taken_back = Campaign.objects.get(pk=campaign.pk)
    assert (taken_back.state, taken_back.hold_until, taken_back.launched_at) == ("armed", None, None)
    assert run_control("take_back", campaign) is False
    assert after_go(campaign).state == "launching"
    assert audited_acts(campaign) == ["go", "take_back", "go"]
    assert broker.published == []


def test_what_was_not_taken_back_is_launched_once_by_the_sweep(site: Site, broker: Broker) -> None:
    campaign = after_go(an_armed(site, shards=2, hold_seconds=30))
    hold_is_over(campaign)
    launch.launch_held()
    launch.launch_held()
    campaign.refresh_from_db()
    assert (campaign.state, count_sendable(campaign)) == ("running", 2)
    assert campaign.launched_at is not None
    assert len(broker.take("campaigns.send_shard")) == 2
    assert audited_acts(campaign) == ["go", "launched"]
    with pytest.raises(Conflict, match="paused or stopped"):
        run_control("take_back", campaign)


def test_a_hold_that_began_anew_is_not_ended_by_the_old_one(site: Site, broker: Broker) -> None:
    campaign = after_go(an_armed(site, hold_seconds=30))
    hold_is_over(campaign)
    seen_by_the_sweep = Campaign.objects.get(pk=campaign.pk)
    run_control("take_back", campaign)
    after_go(campaign)
    assert launch.launch_if_hold_is_over(seen_by_the_sweep) is False
    campaign.refresh_from_db()
    assert campaign.state == "launching"


def test_a_held_campaign_is_either_taken_back_or_launched(site: Site, broker: Broker) -> None:
    campaign = after_go(an_armed(site, hold_seconds=1))
    hold_is_over(campaign)

    def take_back() -> bool:
        try:
            return launch.take_back(campaign.tenant_id, campaign.pk)
        except Conflict:
            return False

    def in_a_thread(work: Callable[[], Any]) -> Any:
        try:
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(in_a_thread, [take_back, launch.launch_held] * 8))
    campaign.refresh_from_db()
    taken = answers[0::2].count(True)
    assert (campaign.state, taken, audited_acts(campaign)[1:]) in (
        ("armed", 1, ["take_back"]),
        ("running", 0, ["launched"]),
    )


def test_a_launching_campaign_is_not_edited(site: Site, broker: Broker) -> None:
    campaign = after_go(an_armed(site, hold_seconds=30))
    with unchanged(campaign):
        with pytest.raises(Conflict, match="take it back"):
            campaigns.update(campaign, {"data": {"what": "Summer"}})
        with pytest.raises(Conflict, match="about to leave"):
            audiences.replace_members(site.everybody, lambda audience: pytest.fail("replaced"))
    run_control("take_back", campaign)
    assert campaigns.update(campaign, {"data": {"what": "Summer"}}).state == "draft"


# ---- pause, resume, halt -----------------------------------------------------------------------------------------


def test_a_paused_campaign_publishes_no_shard_and_never_finishes(site: Site, broker: Broker) -> None:
    campaign = after_go(an_armed(site))
    run_control("pause", campaign)
    broker.published.clear()
    tasks.sweep()
    tasks.dispatch(str(campaign.pk))
    assert [claim(shard.pk, "w") for shard in Shard.objects.all()] == [None] * 3
    end_shards(campaign, sent=10)
    tasks.sweep()
    campaign.refresh_from_db()
    assert (broker.tasks, campaign.state, count_sendable(campaign)) == (["campaigns.account"], "paused", 0)


def test_a_resumed_campaign_goes_on_where_it_was_and_finishes_when_nothing_is_left(site: Site, broker: Broker) -> None:
    campaign = after_go(an_armed(site))
    launched_at = campaign.launched_at
    first = Shard.objects.order_by("number")[0]
    Shard.objects.filter(pk=first.pk).update(state="done", began_at=launched_at)
    run_control("pause", campaign)
    broker.published.clear()
    run_control("resume", campaign)
    assert (len(broker.take("campaigns.send_shard")), campaign.launched_at) == (2, launched_at)
    run_control("pause", campaign)
    end_shards(campaign, sent=10)
    run_control("resume", campaign)
    tasks.dispatch(str(campaign.pk))
    campaign.refresh_from_db()
    assert campaign.state == "finished"


def test_a_campaign_halts_once_and_says_why(site: Site, broker: Broker) -> None:
    campaign = after_go(an_armed(site))
    assert [pausing.halt(campaign.pk, "x" * 600) for _ in range(3)] == [True, False, False]
    campaign.refresh_from_db()
    assert (campaign.state, campaign.halted) == ("paused", "x" * 500)
    assert audited_acts(campaign) == ["go", "halted"]
    run_control("resume", campaign)
    run_control("pause", campaign)
    assert (campaign.halted, pausing.halt(campaign.pk, "later")) == ("", False)


@pytest.mark.parametrize(
    ("counts", "seconds_ago", "state"),
    [
        ({"sent": 240, "failed": 60}, 1, "running"),
        ({"sent": 230, "failed": 70}, 1, "paused"),
        ({"sent": 230, "failed": 70}, 31, "running"),
        ({"failed": 60}, 1, "running"),  # 180 of three shards
        ({"sent": 100, "failed": 200, "dead": 200}, 1, "paused"),
    ],
)
def test_the_sweep_judges_shards_that_began_recently(
    site: Site, broker: Broker, counts: dict[str, Any], seconds_ago: float, state: str
) -> None:
    campaign = after_go(an_armed(site))
    end_shards(campaign, seconds_ago=seconds_ago, **counts)
    Shard.objects.filter(number=1).update(state="armed")  # it is not over yet
    tasks.sweep()
    campaign.refresh_from_db()
    assert (campaign.state, bool(campaign.halted)) == (state, state == "paused")


def test_a_resumed_campaign_does_not_halt_for_the_same_errors_again(site: Site, broker: Broker) -> None:
    campaign = after_go(an_armed(site, shards=4))
    end_shards(campaign, sent=100, failed=100)
    Shard.objects.filter(number__in=(1, 1_001)).update(state="armed", began_at=None, sent=0, failed=0)
    tasks.sweep()
    run_control("resume", campaign)
    tasks.sweep()
    campaign.refresh_from_db()
    assert campaign.state == "running"
    Shard.objects.filter(number=1).update(state="done", began_at=Now(), sent=100, failed=100)
    tasks.sweep()
    campaign.refresh_from_db()
    assert campaign.halted == "50 % of 200 messages failed; the limit is 20 %."


# ---- stop --------------------------------------------------------------------------------------------------------


def test_a_stop_closes_shards_that_no_worker_holds(site: Site, broker: Broker, settings: Settings) -> None:
    campaign = after_go(an_armed(site))
    now = datetime.now(UTC)
    settings.LEASE_SECONDS = 0.1
    _, alive, lost = Shard.objects.order_by("number")
    Shard.objects.filter(pk=alive.pk).update(state="running", fence=4, lease_until=now + timedelta(seconds=60))
    Shard.objects.filter(pk=lost.pk).update(state="running", fence=4, lease_until=now - timedelta(seconds=1))
    run_control("stop", campaign)
    assert broker.take("campaigns.cancel_rows") == [str(campaign.pk)]
    stopping.cancel_rows(campaign.pk)
    shards = list(Shard.objects.order_by("number").values_list("state", "fence"))
    assert shards == [("cancelled", 1), ("running", 4), ("cancelled", 5)]
    assert broker.take("campaigns.account") == [str(campaign.pk)]
    tasks.sweep()
    assert broker.tasks == ["campaigns.account"]


# ---- the fan-out -------------------------------------------------------------------------------------------------


def test_the_first_shards_are_published_before_the_fan_out(site: Site, broker: Broker) -> None:
    after_go(an_armed(site, shards=12))
    assert broker.tasks == ["campaigns.send_shard"] * 8 + ["campaigns.dispatch"]
    assert {message.queue for message in broker.published[:8]} == {"in_app.bulk"}


def test_every_shard_is_in_one_chord(site: Site, broker: Broker) -> None:
    campaign = after_go(an_armed(site, shards=12))
    broker.published.clear()
    fanout.dispatch(campaign.pk, chord_size=5)
    ranges = [message.args for message in broker.published if message.task == "campaigns.dispatch_chord"]
    assert [first for _, first, _ in ranges] == [5_001, 10_001]
    for chord_range in ranges:
        tasks.dispatch_chord(*chord_range)
    chords = Counter(message.group for message in broker.published if message.task == "campaigns.send_shard")
    assert sorted(chords.values()) == [2, 5, 5] and None not in chords


def test_a_web_process_publishes_the_first_shards_too(
    site: Site, broker: Broker, as_web: Callable[[], AbstractContextManager[None]]
) -> None:
    campaign = an_armed(site, shards=2)
    with as_web():
        with scope(site.acme.pk):
            launch.go(campaign.tenant_id, campaign.pk)
            assert broker.published == []
        # the scope ended with the transaction
        assert broker.tasks == ["campaigns.send_shard"] * 2 + ["campaigns.dispatch"]


# ---- not_after ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hold_seconds", "seconds_left", "launched"), [(0, -1, False), (0, 60, True), (120, 60, False)]
)
def test_what_can_only_expire_is_not_launched(
    site: Site, broker: Broker, hold_seconds: int, seconds_left: int, launched: bool
) -> None:
    latest = datetime.now(UTC) + timedelta(seconds=seconds_left)
    campaign = an_armed(site, not_after=latest, hold_seconds=hold_seconds)
    if launched:
        assert launch.go(campaign.tenant_id, campaign.pk) is True
        return
    with unchanged(campaign), pytest.raises(Conflict) as refused:
        launch.go(campaign.tenant_id, campaign.pk)
    assert refused.value.code == "too_late" and f"{latest:%Y-%m-%dT%H:%M:%SZ}" in refused.value.message
    assert (broker.published, audited_acts(campaign)) == ([], [])


def test_a_go_that_is_repeated_after_not_after_is_still_a_repeat(site: Site, broker: Broker) -> None:
    campaign = after_go(an_armed(site))
    Campaign.objects.filter(pk=campaign.pk).update(not_after=datetime.now(UTC) - timedelta(seconds=1))
    assert launch.go(campaign.tenant_id, campaign.pk) is False


def test_what_can_only_expire_is_not_armed(site: Site) -> None:
    campaign = site.draft(not_after=datetime.now(UTC) - timedelta(seconds=1))
    with unchanged(campaign), pytest.raises(InvalidInput) as refused:
        arming.request_arm(campaign)
    assert refused.value.field == "not_after"
