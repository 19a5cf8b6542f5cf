"""The dispatcher: a provider that breaks, hangs or answers what cannot be stored spoils nothing around it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import pytest
import structlog
from django.db import OperationalError, connection
from django.db.models import F
from pytest_django import Settings

from campaigns.lifecycle.fan_out.finish import finish_if_done
from campaigns.lifecycle.policies import policies
from campaigns.lifecycle.running import stopping
from campaigns.report import accounting
from notifier.channels.in_app import InAppMessage
from notifier.delivery import dispatch
from notifier.delivery.accounts import registry
from notifier.delivery.ledger import claims
from notifier.delivery.recheck import CampaignPolicy, register_policies
from notifier.delivery.send import TaskLimits, deliver
from notifier.models import Delivery, ProviderAccount
from notifier.providers.base import Answers, Config, Provider
from notifier.transport import use_client
from notifier.transport.in_memory import InMemoryClient
from notifier.vocabulary.http import HttpClient, Request, Response, TransportError, Withdrawal
from notifier.vocabulary.status import Lane, Status
from notifier.vocabulary.verdicts import Permanent, Sent, Temporary, Verdict
from tenants.models import Preference, Recipient
from tests.delivery.build import Shop, a_shop, an_order
from tests.delivery.scenes import (
    ScriptedInbox,
    a_campaign,
    all_due,
    answering,
    inbox_account,
    of_campaign,
    running,
    send_shards,
)
from tests.providers.people import a_push

pytestmark = pytest.mark.django_db(transaction=True)
FAST = (Lane.CRITICAL, Lane.TRANSACTIONAL)
BULK = (Lane.BULK,)


def test_a_provider_that_breaks_half_way_leaves_no_row_of_a_shard_behind(market: Shop) -> None:
    market.recipient("ben")
    campaign = running(a_campaign(market))

    def half(messages: Sequence[InAppMessage]) -> Iterator[Answers]:
        yield [(0, Sent(final=True))]
        raise ZeroDivisionError

    with answering(market, half):
        send_shards(campaign)
    assert sorted(of_campaign(campaign)) == ["armed", "queued"]  # the shard says of the first that it was delivered
    all_due()
    deliver("in_app", BULK)
    assert finish_if_done(campaign.pk)
    accounting.account(campaign.pk)
    assert of_campaign(campaign) == ["delivered", "delivered"]


def test_an_account_whose_settings_cannot_be_opened_is_misconfigured_and_stops_no_other(shop: Shop) -> None:
    shop.accept(an_order())
    ProviderAccount.objects.filter(tenant=shop.tenant, channel="in_app").update(provider="fcm", config=b"no key" * 8)
    deliver("in_app", FAST)
    [row] = shop.deliveries()
    assert (row.status, row.attempt) == (Status.QUEUED, 1)
    assert "ValueError" in row.detail and "encryption key" not in row.detail


def test_an_answer_that_postgresql_cannot_store_spoils_no_batch(shop: Shop) -> None:
    shop.recipient("ben")
    shop.accept(an_order(), an_order("ben"))

    def unstorable(messages: Sequence[InAppMessage]) -> Iterator[Answers]:
        yield [(0, Temporary("a\0b")), (1, Sent("x" * 300, final=True))]

    with answering(shop, unstorable):
        deliver("in_app", FAST)
    assert sorted(shop.statuses()) == ["delivered", "queued"]


def test_answers_are_kept_while_leases_cannot_be_renewed(shop: Shop) -> None:
    shop.accept(an_order())
    rows = claims.begin(claims.claim("in_app", FAST, 10))
    answer = threading.Event()

    class Slow(ScriptedInbox):
        builtin = False  # so that it has a thread of its own

    def after_the_event(messages: Sequence[InAppMessage]) -> Iterator[Answers]:
        answer.wait(60)
        yield [(0, Sent(final=True))]

    account = inbox_account(shop)
    registry.override_provider(account.pk, Slow(after_the_event))
    dispatcher = dispatch.Dispatcher(renew_seconds=-1.0)
    dispatcher.start(account, rows)
    end_database_session()
    with structlog.testing.capture_logs() as logged:
        dispatcher.settle(0)
    assert [line["event"] for line in logged] == ["leases not renewed"]
    answer.set()
    dispatcher.drain()
    assert shop.statuses() == ["delivered"]


def end_database_session() -> None:
    """As a restart of PostgreSQL does."""
    with connection.cursor() as cursor, suppress(OperationalError):
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")


def test_a_refusal_before_the_request_is_no_attempt(market: Shop) -> None:
    market.accept(an_order())
    ada = Recipient.objects.get(tenant=market.tenant, external_id="ada")
    Preference.objects.create(tenant=market.tenant, recipient=ada, channels_off=["in_app"])
    deliver("in_app", BULK)
    [row] = market.deliveries()
    assert (row.status, row.attempt) == (Status.SUPPRESSED, 0)


def test_rows_that_another_worker_took_meanwhile_are_not_sent(market: Shop, settings: Settings) -> None:
    campaign = running(a_campaign(market))
    content = {"title": "Hi", "body": "Order 7"}
    Delivery.objects.filter(campaign_id=campaign.pk).update(status=Status.QUEUED, content=content)
    sent: list[InAppMessage] = []

    def record(messages: Sequence[InAppMessage]) -> Iterator[Answers]:
        sent.extend(messages)
        yield [(i, Sent(final=True)) for i in range(len(messages))]

    def slowly(campaign_ids: Collection[UUID]) -> Mapping[UUID, CampaignPolicy]:
        Delivery.objects.update(fence=F("fence") + 1)  # the lease ended, and another worker holds the row
        return {}

    settings.LEASE_SECONDS = 0
    register_policies(slowly)
    try:
        with answering(market, record):
            deliver("in_app", BULK)
    finally:
        register_policies(policies)
    assert sent == []


def test_a_tenant_whose_provider_hangs_does_not_take_every_batch(shop: Shop) -> None:
    other = a_shop()
    other.recipient("zoe")
    names = [f"r{n}" for n in range(12)]
    for name in names:
        shop.recipient(name)
    shop.accept(*[an_order(name) for name in names])
    other.accept(an_order("zoe"))
    ProviderAccount.objects.filter(tenant=other.tenant).update(served_at=datetime.now(UTC) + timedelta(hours=1))
    released = threading.Event()
    served: list[bool] = []

    class Slow(ScriptedInbox):
        builtin = False  # so that each batch has a thread of its own

    def hang(messages: Sequence[InAppMessage]) -> Iterator[Answers]:
        released.wait(60)
        yield [(i, Sent(final=True)) for i in range(len(messages))]

    def serve(messages: Sequence[InAppMessage]) -> Iterator[Answers]:
        served.append(not released.is_set())
        released.set()
        yield [(i, Sent(final=True)) for i in range(len(messages))]

    registry.override_provider(inbox_account(shop).pk, Slow(hang))
    registry.override_provider(inbox_account(other).pk, Slow(serve))
    deliver("in_app", FAST, limits=TaskLimits(claim_size=1, batches=10, seconds=5.0))  # messages come one by one
    assert served == [True]


def test_one_message_that_makes_no_request_spoils_no_other() -> None:
    class Picky(Provider[Any]):
        def request(self, message: Any, token: str) -> Request:
            if message.title == "bad":
                raise ValueError("secret")
            return Request("POST", "https://far.example/", (), b"")

        def verdict_of(self, response: Response) -> Verdict:
            return Sent()

    class Answering:
        def exchange(self, requests: Sequence[Request]) -> Iterator[list[tuple[int, Response]]]:
            yield [(i, Response(200, {}, b"")) for i in range(len(requests))]

    messages = [a_push(title=title) for title in ("good", "bad", "fine")]
    answers = dict(a for batch in Picky(Config()).send(messages, cast(HttpClient, Answering())) for a in batch)
    assert answers == {0: Sent(), 1: Permanent("it makes no request (ValueError)"), 2: Sent()}


class Remote(Provider[InAppMessage]):
    """A provider behind HTTP."""

    channel = "in_app"

    def request(self, message: InAppMessage, token: str) -> Request:
        return Request("POST", "https://inbox.example/", (), b"")

    def verdict_of(self, response: Response) -> Verdict:
        return Sent(final=True)


class SlowClient(InMemoryClient):
    """The first request is answered only after the others were taken back."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        super().__init__(self._answer)
        self._meanwhile, self._withdrawn = meanwhile, threading.Event()

    def exchange(
        self, requests: Sequence[Request], withdrawal: Withdrawal | None = None
    ) -> Iterator[Sequence[tuple[int, Response | TransportError]]]:
        assert withdrawal is not None
        withdrawal.attach(self._withdrawn.set)
        return super().exchange(requests, withdrawal)

    def _answer(self, request: Request) -> Response:
        self._meanwhile()
        assert self._withdrawn.wait(60)
        return Response(200, {}, b"")


def test_a_stop_takes_back_single_messages_that_wait_for_a_slow_provider(market: Shop) -> None:
    market.recipient("ben")
    market.recipient("cat")
    campaign = running(a_campaign(market))
    with answering(market, lambda messages: iter([[(i, Temporary("later")) for i in range(len(messages))]])):
        send_shards(campaign)
    all_due()

    def stop() -> None:
        stopping.stop(campaign.tenant_id, campaign.pk)
        connection.close()  # of the batch's thread

    account = inbox_account(market)
    registry.override_provider(account.pk, Remote(Config()))
    client = SlowClient(stop)
    with use_client(client):
        deliver("in_app", BULK)
    assert len(client.requests) == 1
    assert sorted(of_campaign(campaign)) == ["cancelled", "cancelled", "delivered"]


def test_an_answer_counts_as_in_flight_until_its_outcome_is_written(shop: Shop) -> None:
    """Otherwise a crash leaves more messages in doubt than the channel's window."""
    shop.accept(an_order())
    [row] = claims.claim("in_app", FAST, 10, (), claims.ClaimOptions(begin=True))
    answered = threading.Event()

    def answer_and_wait(messages: Sequence[InAppMessage]) -> Iterator[Answers]:
        yield [(0, Sent(final=True))]
        answered.wait(60)

    class SlowInbox(ScriptedInbox):
        builtin = False

    account = inbox_account(shop)
    registry.override_provider(account.pk, SlowInbox(answer_and_wait))
    written: list[object] = []
    dispatcher = dispatch.Dispatcher(written.extend)
    dispatcher.start(account, [row])
    until = [dispatcher.rows]
    dispatcher.settle(0.01)
    until.append(dispatcher.rows + len(written))
    answered.set()
    dispatcher.drain()
    assert (until, dispatcher.rows, len(written)) == ([1, 1], 0, 1)
