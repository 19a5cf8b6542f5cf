"""The pump: providers that break, hang or say what cannot be stored spoil nothing around them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from django.db import OperationalError
from django.db.models import F
from pytest_django import Settings

from campaigns.lifecycle.finish import finish_if_done
from campaigns.report import accounting
from inbox.provider import InApp
from notifier.channels.in_app import InAppMessage
from notifier.delivery import dispatch, send
from notifier.delivery.accounts import registry
from notifier.delivery.ledger import claims
from notifier.delivery.recheck import recheck
from notifier.delivery.send import deliver
from notifier.models import Delivery, ProviderAccount
from notifier.providers.base import Answers, Config, Provider
from notifier.vocabulary.http import HttpClient, Request, Response
from notifier.vocabulary.status import Lane, Status
from notifier.vocabulary.verdicts import Permanent, Sent, Temporary, Verdict
from tenants.models import Preference, Recipient
from tests.delivery.build import Shop, a_shop, an_order
from tests.delivery.scenes import a_campaign, all_due, answering, of_campaign, running, send_shards
from tests.providers.people import a_push

pytestmark = pytest.mark.django_db(transaction=True)
FAST = (Lane.CRITICAL, Lane.TRANSACTIONAL)
BULK = (Lane.BULK,)


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
    assert sorted(of_campaign(campaign)) == ["armed", "queued"]  # the shard says of the first that it was delivered
    all_due()
    deliver("in_app", BULK)
    assert finish_if_done(campaign.pk)
    accounting.account(campaign.pk)
    assert of_campaign(campaign) == ["delivered", "delivered"]


def test_an_account_whose_settings_cannot_be_opened_is_misconfigured_and_stops_nobody(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.accept(an_order())

    def unreadable(account: ProviderAccount) -> Any:
        raise ValueError("No configured encryption key opens this secret.")

    monkeypatch.setattr(registry, "provider_for", unreadable)
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
    [row] = claims.begin(claims.claim("in_app", FAST, 10))
    account = ProviderAccount.objects.get(pk=row.account_id)
    tried: list[int] = []

    def away(rows: Any) -> None:
        tried.append(len(rows))
        raise OperationalError("the connection is lost")

    monkeypatch.setattr(claims, "renew", away)
    monkeypatch.setattr(dispatch, "RENEW_SECONDS", -1.0)
    flying = dispatch.Dispatcher()
    batch = dispatch.InFlightBatch(account, dispatch.FallbackAccounts(account, "live"), {0: row})
    flying._in_flight.append(batch)
    flying.settle(0)
    assert tried == [1]
    flying._completed.put((batch, [(0, Sent(final=True))]))
    flying._completed.put((batch, None))
    flying.drain()
    assert shop.statuses() == ["delivered"]


def test_what_was_refused_before_the_wire_was_no_attempt(market: Shop) -> None:
    market.accept(an_order())
    ada = Recipient.objects.get(tenant=market.tenant, external_id="ada")
    Preference.objects.create(tenant=market.tenant, recipient=ada, channels_off=["in_app"])
    deliver("in_app", BULK)
    [row] = market.deliveries()
    assert (row.status, row.attempt) == (Status.SUPPRESSED, 0)


def test_rows_that_another_took_while_this_worker_was_slow_are_not_sent(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.LEASE_SECONDS = 0
    shop.accept(an_order())
    sent: list[InAppMessage] = []

    def seen(self: InApp, messages: Sequence[InAppMessage]) -> Iterator[Answers]:
        sent.extend(messages)
        yield [(i, Sent(final=True)) for i in range(len(messages))]

    answering(monkeypatch, seen)
    looked = recheck

    def slowly(rows: Any, ordered: Any) -> Any:
        Delivery.objects.update(fence=F("fence") + 1)  # its lease ran out, and another holds it
        return looked(rows, ordered)

    monkeypatch.setattr(send, "recheck", slowly)
    deliver("in_app", FAST)
    assert sent == []


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

        def send(self, messages: Sequence[InAppMessage], client: HttpClient) -> Iterator[Answers]:
            if messages[0].envelope.tenant_id == shop.tenant.id:
                hangs.wait(60)
            else:
                served.append(not hangs.is_set())
                hangs.set()
            yield [(i, Sent(final=True)) for i in range(len(messages))]

    monkeypatch.setattr(registry, "provider_for", lambda account: Hanging(InApp.Config()))
    monkeypatch.setattr(send, "CLAIM_SIZE", 1)  # as they come one by one
    monkeypatch.setattr(send, "MAX_BATCHES", 10)
    monkeypatch.setattr(send, "TASK_SECONDS", 5.0)
    deliver("in_app", FAST)
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
