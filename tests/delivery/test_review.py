"""Races and crashes of the engine, each as it was found: what happened between two statements is done by hand."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from django.db import OperationalError, connection
from pytest_django import Settings

from campaigns import control, launch, payload, prepare, shards
from campaigns import tasks as campaign_tasks
from campaigns.finish import finish_if_done
from campaigns.models import Audience, Campaign, Shard
from campaigns.states import State
from inbox.models import InboxMessage
from inbox.provider import InApp
from notifier.channels import channel
from notifier.channels.in_app import InAppMessage
from notifier.delivery import accounts, lines, pump, redrive, send, store, templates
from notifier.delivery import sweep as sweeping
from notifier.delivery.send import deliver
from notifier.delivery.settle import Outcome, settle
from notifier.delivery.sweep import sweep
from notifier.errors import InvalidInput
from notifier.models import DeadLetter, Delivery, Line, ProviderAccount, Template
from notifier.providers.base import Answers, Config, Provider
from notifier.vocabulary import (
    Lane,
    Permanent,
    Place,
    Reason,
    Request,
    Response,
    Sent,
    Status,
    Temporary,
    Verdict,
    Wire,
)
from tenants.models import Preference, Recipient
from tests.delivery.build import TEXT, Shop, a_shop, an_order

pytestmark = pytest.mark.django_db(transaction=True)
FAST = (Lane.CRITICAL, Lane.TRANSACTIONAL)
BULK = (Lane.BULK,)


@pytest.fixture
def shop() -> Shop:
    shop = a_shop()
    shop.recipient("ada")
    return shop


@pytest.fixture
def market() -> Shop:
    """A shop whose messages are marketing, as a campaign's are."""
    shop = a_shop("marketing")
    shop.recipient("ada")
    return shop


def a_campaign(shop: Shop, **columns: Any) -> Campaign:
    audience = Audience.objects.create(tenant=shop.tenant, name="all", source="segment", filter=[])
    values = {"channels": ["in_app"], "data": {"order": "7"}, **columns}
    return Campaign.objects.create(
        tenant=shop.tenant, name="Sale", template=Template.objects.get(tenant=shop.tenant), audience=audience, **values
    )


def running(campaign: Campaign) -> Campaign:
    prepare.request_arm(campaign)
    prepare.arm(campaign.pk)
    launch.go(campaign.tenant_id, campaign.pk)
    campaign.refresh_from_db()
    return campaign


def send_shards(campaign: Campaign) -> None:
    for pk in Shard.objects.filter(campaign=campaign).values_list("pk", flat=True):
        shards.send_shard(pk, "bulk@one")


def of_campaign(campaign: Campaign) -> list[str]:
    rows = Delivery.objects.filter(campaign_id=campaign.pk).order_by("id")
    return [Status(status).label for status in rows.values_list("status", flat=True)]


def answering(monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    """Let the inbox answer by `answer(provider, messages)`."""

    def send(self: InApp, messages: Sequence[InAppMessage], wire: Wire) -> Iterator[Answers]:
        yield from answer(self, messages)

    monkeypatch.setattr(InApp, "send", send)


def all_due() -> None:
    Delivery.objects.filter(status=Status.QUEUED).update(due_at=datetime.now(UTC) - timedelta(seconds=1))


def age_leases(settings: Settings) -> None:
    settings.LEASE_SECONDS = 0.1
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE notifier_delivery SET lease_until = now() - interval '1 h' WHERE lease_until IS NOT NULL"
        )
        cursor.execute("UPDATE campaigns_shard SET lease_until = now() - interval '1 h' WHERE lease_until IS NOT NULL")


# ---- lines ---------------------------------------------------------------------------------------------------------


def test_a_campaigns_parked_row_takes_no_turn_of_the_recipients_line(
    market: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    market.accept(an_order())
    deliver("in_app", BULK)  # ada has a line now, and its turn is free
    campaign = running(a_campaign(market))
    with monkeypatch.context() as patch:
        patch.setattr(shards, "_refused", lambda held, rows, quiet: [
            Outcome(r, Status.QUEUED, wait=60, held=True) for r in rows
        ])  # fmt: skip
        send_shards(campaign)
    all_due()
    sweep()
    deliver("in_app", BULK)
    line = Line.objects.get(tenant=market.tenant)
    assert (line.held, line.unfinished) == (False, 0)
    market.accept(an_order())
    deliver("in_app", BULK)
    assert market.statuses() == ["delivered"] * 3


def test_a_campaigns_parked_row_does_not_wait_behind_a_line(market: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = running(a_campaign(market))
    with monkeypatch.context() as patch:
        patch.setattr(shards, "_refused", lambda held, rows, quiet: [
            Outcome(r, Status.QUEUED, wait=60, held=True) for r in rows
        ])  # fmt: skip
        send_shards(campaign)
    market.accept(an_order(), an_order())
    all_due()
    sweep()
    assert Delivery.objects.get(campaign_id=campaign.pk).place == Place.HOLDS
    for _ in range(3):
        deliver("in_app", BULK)
    line = Line.objects.get(tenant=market.tenant)
    assert (line.held, line.unfinished) == (False, 0)
    assert market.statuses() == ["delivered"] * 3


def test_two_sweeps_at_once_leave_no_turn_without_its_holder(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.accept(an_order(send_at=datetime.now(UTC) + timedelta(hours=1)))
    all_due()
    lock = lines.lock

    def lock_late(keys: Iterable[lines.Key], *, make: bool = False) -> dict[lines.Key, lines.Line]:
        monkeypatch.setattr(lines, "lock", lock)
        sweep()  # another worker's, which was faster
        deliver("in_app", FAST)
        return lock(list(keys), make=make)

    monkeypatch.setattr(lines, "lock", lock_late)
    sweeping._unpark()
    assert shop.statuses() == ["delivered"]
    assert not Line.objects.get(tenant=shop.tenant).held


def test_driving_a_campaigns_row_again_leaves_lines_alone(market: Shop) -> None:
    market.accept(an_order())
    campaign = running(a_campaign(market))
    Delivery.objects.filter(campaign_id=campaign.pk).update(status=Status.QUEUED, content={"title": "a", "body": "b"})
    rows = store.begin(store.claim("in_app", BULK, 10))
    assert len(rows) == 2
    settle([Outcome(row, Status.FAILED, Reason.EXHAUSTED, dead_letter=True) for row in rows])
    assert redrive(market.tenant.id, list(DeadLetter.objects.values_list("pk", flat=True))) == 2
    assert Line.objects.get(tenant=market.tenant).unfinished == 1
    deliver("in_app", BULK)
    line = Line.objects.get(tenant=market.tenant)
    assert (line.held, line.unfinished) == (False, 0)


# ---- stop ----------------------------------------------------------------------------------------------------------


def test_what_was_on_the_wire_at_a_stop_is_not_tried_again(market: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = running(a_campaign(market))

    def stop_then_refuse(self: InApp, messages: Sequence[InAppMessage]) -> Iterator[Answers]:
        control.stop(campaign.tenant_id, campaign.pk)
        control.cancel_rows(campaign.pk)
        yield [(i, Temporary("busy")) for i in range(len(messages))]

    with monkeypatch.context() as patch:
        answering(patch, stop_then_refuse)
        send_shards(campaign)
    all_due()
    deliver("in_app", BULK)
    assert not InboxMessage.objects.filter(tenant=market.tenant).exists()
    assert of_campaign(campaign) == ["cancelled"]


def test_the_sweep_cancels_a_retry_that_came_back_after_a_stop(market: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = running(a_campaign(market))
    control.stop(campaign.tenant_id, campaign.pk)
    control.cancel_rows(campaign.pk)
    Delivery.objects.filter(campaign_id=campaign.pk).update(status=Status.QUEUED, place=Place.PARKED)
    monkeypatch.setattr(campaign_tasks, "post", lambda task, *args, queue="": control.cancel_rows(campaign.pk))
    campaign_tasks.sweep()
    assert of_campaign(campaign) == ["cancelled"]


def test_a_worker_lost_after_a_stop_leaves_its_rows_accounted_for(
    market: Shop, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    market.recipient("ben")
    settings.SHARD_SIZE = 1
    campaign = running(a_campaign(market))
    first, second = Shard.objects.filter(campaign=campaign).order_by("number")
    held, other = shards._claim(first.pk, "lost"), shards._claim(second.pk, "alive")
    assert held is not None and other is not None
    for one in (held, other):
        store.begin_armed([shards._row(one, row) for row in payload.unpack(one.shard.payload.rows)])
    control.stop(campaign.tenant_id, campaign.pk)
    Shard.objects.filter(pk=first.pk).update(lease_until=datetime.now(UTC) - timedelta(hours=1))
    control.cancel_rows(campaign.pk)  # the other shard is still on the wire
    Shard.objects.filter(pk=second.pk).update(state=Shard.State.CANCELLED, lease_until=None)
    settle([Outcome(shards._row(other, row), Status.SENT) for row in payload.unpack(second.payload.rows)])
    monkeypatch.setattr(campaign_tasks, "post", lambda task, *args, queue="": control.cancel_rows(campaign.pk))
    campaign_tasks.sweep()
    assert sorted(of_campaign(campaign)) == ["sent", "unknown"]


def test_a_shard_is_let_go_only_when_its_last_answer_is_written(
    market: Shop, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    market.recipient("ben")
    campaign = running(a_campaign(market))
    [shard] = Shard.objects.filter(campaign=campaign)

    class Killed(BaseException):
        """kill -9"""

    looks: list[float] = []

    def settle_then_die(self: pump.Pump, patience: float) -> None:
        looks.append(patience)
        if len(looks) > 1:
            raise Killed

    def stop(self: pump.Pump, *args: Any) -> None:
        control.stop(campaign.tenant_id, campaign.pk)  # and no answer ever comes

    with monkeypatch.context() as patch:
        patch.setattr(type(channel("in_app")), "window", 1)
        patch.setattr(pump.Pump, "rows", 0)
        patch.setattr(pump.Pump, "_fly", stop)
        patch.setattr(pump.Pump, "settle", settle_then_die)
        with pytest.raises(Killed):
            shards.send_shard(shard.pk, "lost")
    control.cancel_rows(campaign.pk)
    assert sorted(of_campaign(campaign)) == ["cancelled", "sending"]  # an answer may still come
    age_leases(settings)
    control.cancel_rows(campaign.pk)
    assert sorted(of_campaign(campaign)) == ["cancelled", "unknown"]


# ---- the pump ------------------------------------------------------------------------------------------------------


def test_a_provider_that_breaks_half_way_leaves_no_row_of_a_shard_behind(
    market: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    market.recipient("ben")
    campaign = running(a_campaign(market))

    def half(self: InApp, messages: Sequence[InAppMessage]) -> Iterator[Answers]:
        yield [(0, Sent(final=True))]
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        answering(patch, half)
        send_shards(campaign)
    assert sorted(of_campaign(campaign)) == ["delivered", "queued"]
    all_due()
    deliver("in_app", BULK)
    assert launch.find(campaign.tenant_id, campaign.pk) and finish_if_done(campaign.pk)
    assert of_campaign(campaign) == ["delivered", "delivered"]


def test_an_account_whose_settings_cannot_be_opened_is_misconfigured_and_stops_nobody(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.accept(an_order())

    def unreadable(account: ProviderAccount) -> Any:
        raise ValueError("No configured encryption key opens this secret.")

    monkeypatch.setattr(accounts, "provider_for", unreadable)
    deliver("in_app", FAST)
    [row] = shop.deliveries()
    assert (row.status, row.attempt) == (Status.QUEUED, 1)
    assert "encryption key" not in row.detail


def test_an_answer_that_postgresql_cannot_store_spoils_no_batch(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.recipient("ben")
    shop.accept(an_order(), an_order("ben"))

    def odd(self: InApp, messages: Sequence[InAppMessage]) -> Iterator[Answers]:
        yield [(0, Temporary("a\0b")), (1, Sent("x" * 300, final=True))]

    answering(monkeypatch, odd)
    deliver("in_app", FAST)
    assert sorted(shop.statuses()) == ["delivered", "queued"]


def test_answers_are_kept_while_leases_cannot_be_renewed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.accept(an_order())
    [row] = store.begin(store.claim("in_app", FAST, 10))
    account = ProviderAccount.objects.get(pk=row.account_id)
    tried: list[int] = []

    def away(rows: Any) -> None:
        tried.append(len(rows))
        raise OperationalError("the connection is lost")

    monkeypatch.setattr(store, "renew", away)
    monkeypatch.setattr(pump, "RENEW_SECONDS", -1.0)
    flying = pump.Pump()
    flight = pump.Flight(account, [], {0: row})
    flying._flights.append(flight)
    flying.settle(0)
    assert tried == [1]
    flying._landed.put((flight, [(0, Sent(final=True))]))
    flying._landed.put((flight, None))
    flying.drain()
    assert shop.statuses() == ["delivered"]


def test_a_tenant_whose_provider_hangs_does_not_take_every_flight(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    other = a_shop()
    other.recipient("zoe")
    names = [f"r{n}" for n in range(12)]
    for name in names:
        shop.recipient(name)
    shop.accept(*[an_order(name) for name in names])
    other.accept(an_order("zoe"))
    ProviderAccount.objects.filter(tenant=other.tenant).update(served_at=datetime.now(UTC) + timedelta(hours=1))
    hangs = threading.Event()
    served: list[Any] = []

    class Hanging(InApp):
        name = ""
        builtin = False

        def send(self, messages: Sequence[InAppMessage], wire: Wire) -> Iterator[Answers]:
            if messages[0].envelope.tenant_id == shop.tenant.id:
                hangs.wait(20)
            else:
                served.append(not hangs.is_set())
                hangs.set()
            yield [(i, Sent(final=True)) for i in range(len(messages))]

    monkeypatch.setattr(accounts, "provider_for", lambda account: Hanging(InApp.Config()))
    monkeypatch.setattr(send, "BATCH", 1)  # as they come one by one
    monkeypatch.setattr(send, "MAX_FLIGHTS", 10)
    monkeypatch.setattr(send, "TASK_SECONDS", 5.0)
    deliver("in_app", FAST)
    assert served == [True]


# ---- doubt, arming, rendering --------------------------------------------------------------------------------------


def test_a_row_in_doubt_whose_time_is_over_is_unknown_not_expired(shop: Shop, settings: Settings) -> None:
    shop.accept(an_order(not_after=datetime.now(UTC) + timedelta(hours=1)))
    store.begin(store.claim("in_app", FAST, 10))
    Delivery.objects.filter(tenant=shop.tenant).update(not_after=datetime.now(UTC) - timedelta(seconds=1))
    age_leases(settings)
    sweep()
    deliver("in_app", FAST)
    assert shop.statuses() == ["unknown"]


def test_a_page_opened_before_another_arming_changes_neither_ids_nor_revision(market: Shop) -> None:
    stale = a_campaign(market)
    fresh = Campaign.objects.get(pk=stale.pk)
    prepare.request_arm(fresh)
    prepare.disarm(Campaign.objects.get(pk=stale.pk))
    before = Campaign.objects.get(pk=stale.pk)
    prepare.request_arm(stale)
    after = Campaign.objects.get(pk=stale.pk)
    assert after.first_armed_ms == before.first_armed_ms
    assert after.revision > before.revision


def test_a_disabled_account_sends_nothing_of_an_armed_campaign(market: Shop) -> None:
    campaign = running(a_campaign(market))
    ProviderAccount.objects.filter(tenant=market.tenant, channel="in_app").update(enabled=False)
    accounts._cache.clear()
    send_shards(campaign)
    assert not InboxMessage.objects.filter(tenant=market.tenant).exists()
    assert of_campaign(campaign) == ["failed"]


def test_a_text_that_postgresql_cannot_store_is_the_callers_error(shop: Shop) -> None:
    template = Template.objects.get(tenant=shop.tenant)
    templates.publish(template, {"in_app": {"en": {**TEXT, "body": '{{ "a%00b" | url_decode }}'}}})
    outcomes = shop.accept(an_order())
    assert isinstance(outcomes[0], InvalidInput)
    assert not shop.deliveries()


def test_open_shards_of_one_channel_hide_no_other_channel(market: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = running(a_campaign(market))
    [shard] = Shard.objects.filter(campaign=campaign)
    many = [
        Shard(tenant=market.tenant, campaign=campaign, number=n, channel="push", account=shard.account, size=1)
        for n in range(2, 203)
    ]
    Shard.objects.bulk_create(many)
    Shard.objects.filter(pk=shard.pk).update(number=1000)
    rung: list[str] = []
    monkeypatch.setattr(campaign_tasks, "waiting", lambda queue: 0)
    monkeypatch.setattr(campaign_tasks, "post", lambda task, *args, queue="": rung.append(queue))
    campaign_tasks.sweep()
    assert "in_app.bulk" in rung
    assert campaign.state == State.RUNNING


def test_what_may_have_arrived_is_not_called_suppressed(market: Shop, settings: Settings) -> None:
    ada = Recipient.objects.get(tenant=market.tenant)
    market.accept(an_order())
    [row] = store.begin(store.claim("in_app", [Lane.BULK], 10))
    age_leases(settings)
    sweep()
    [waiting] = market.deliveries()
    assert (waiting.status, waiting.reason) == (Status.QUEUED, Reason.IN_DOUBT)
    Preference.objects.create(tenant=market.tenant, recipient=ada, channels_off=["in_app"])
    deliver("in_app", [Lane.BULK])
    [row_now] = market.deliveries()
    assert (row_now.id, row_now.status, row_now.reason) == (row.id, Status.UNKNOWN, Reason.IN_DOUBT)


def test_what_may_have_arrived_is_not_called_cancelled_by_a_stop(market: Shop) -> None:
    campaign = running(a_campaign(market))
    Delivery.objects.filter(campaign_id=campaign.pk).update(reason=Reason.IN_DOUBT)
    control.stop(campaign.tenant_id, campaign.pk)
    control.cancel_rows(campaign.pk)
    assert of_campaign(campaign) == ["unknown"]


def test_rows_begun_by_a_worker_that_lost_its_shard_do_not_keep_a_campaign_from_finishing(market: Shop) -> None:
    campaign = running(a_campaign(market))
    Shard.objects.filter(campaign=campaign).update(state=Shard.State.DONE)
    Delivery.objects.filter(campaign_id=campaign.pk).update(status=Status.SENDING)
    campaign_tasks.sweep()
    campaign_tasks.sweep()
    campaign.refresh_from_db()
    assert (campaign.state, of_campaign(campaign)) == (State.FINISHED, ["unknown"])


def test_one_message_that_makes_no_request_spoils_no_other() -> None:
    class Picky(Provider[Any]):
        def request(self, message: Any, token: str) -> Request:
            if message == "bad":
                raise ValueError("secret")
            return Request("POST", "https://far.example/", (), b"")

        def judge(self, response: Response) -> Verdict:
            return Sent()

    class Answering:
        def exchange(self, requests: Sequence[Request]) -> Iterator[list[tuple[int, Response]]]:
            yield [(i, Response(200, {}, b"")) for i in range(len(requests))]

    answers = dict(a for batch in Picky(Config()).send(["good", "bad", "fine"], cast(Wire, Answering())) for a in batch)
    assert answers == {0: Sent(), 1: Permanent("it makes no request (ValueError)"), 2: Sent()}
