"""Frequency caps from the acceptance to the inbox, for notifications and campaigns together."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from campaigns import arming
from campaigns.models import Shard
from campaigns.sending.claim import claim as claim_shard
from campaigns.sending.recheck import Recheck
from inbox.models import InboxMessage
from notifier.channels.in_app import InAppMessage
from notifier.delivery import Accepted
from notifier.delivery.caps import last_look, loading
from notifier.delivery.ledger.claims import claim
from notifier.delivery.send import deliver
from notifier.delivery.sweep import sweep
from notifier.delivery.waiting import cancel
from notifier.models import CapCount, Delivery, FrequencyCap, Notification
from notifier.providers.base import Answers
from notifier.vocabulary.people import SendRequest
from notifier.vocabulary.status import Lane, Mode, Reason, Status
from notifier.vocabulary.verdicts import Sent, Temporary, Verdict
from tenants.models import Category
from tests.delivery.build import Shop, a_shop, an_order
from tests.delivery.scenes import a_campaign, age_leases, answering, of_campaign, running, send_shards

pytestmark = pytest.mark.django_db
TOMORROW = timedelta(days=1)


def cap(shop: Shop, most: int = 1, period: str = "day", **columns: Any) -> FrequencyCap:
    loading.reset()
    return FrequencyCap.objects.create(tenant=shop.tenant, most=most, period=period, **columns)


def accepted(shop: Shop, *requests: SendRequest) -> list[str]:
    outcomes = shop.accept(*requests)
    assert all(isinstance(outcome, Accepted) for outcome in outcomes), outcomes
    return [f"{d.status.label} {d.reason}".strip() for o in outcomes if isinstance(o, Accepted) for d in o.deliveries]


def delivered() -> int:
    """Messages that are in an inbox once workers have sent what is due."""
    _all_due()
    deliver("in_app", [Lane.BULK])
    deliver("in_app", [Lane.TRANSACTIONAL])
    return InboxMessage.objects.count()


def _all_due() -> None:
    """Due for the database, too, whose clock stands still in the test's transaction."""
    Delivery.objects.filter(status=Status.QUEUED).update(due_at=datetime.now(UTC) - timedelta(hours=1))


def holders() -> list[int]:
    return sorted(len(row.holders) for row in CapCount.objects.all())


def test_the_messages_over_a_cap_are_suppressed(market: Shop) -> None:
    cap(market, most=2)
    over = "suppressed frequency_cap"
    assert accepted(market, an_order(), an_order(), an_order()) == ["queued", "queued", over]
    assert accepted(market, an_order()) == [over]
    assert delivered() == 2 and holders() == [2]
    row = Delivery.objects.filter(reason=Reason.FREQUENCY_CAP).latest("seq")
    assert row.detail.startswith("2 of all marketing each day, from") and not row.content


def test_each_recipient_has_places_of_their_own(market: Shop) -> None:
    market.recipient("bob")
    cap(market)
    assert accepted(market, an_order(), an_order("bob")) == ["queued", "queued"]


def test_transactional_messages_are_capped_only_by_a_cap_of_their_category(shop: Shop) -> None:
    cap(shop)
    assert accepted(shop, an_order(), an_order()) == ["queued", "queued"]
    cap(shop, category=Category.objects.get())
    assert accepted(shop, an_order(), an_order()) == ["queued", "suppressed frequency_cap"]


def test_a_message_under_two_caps_needs_a_place_in_both(market: Shop) -> None:
    cap(market, most=1, period="hour")
    cap(market, most=2, period="week", channel="in_app")
    assert accepted(market, an_order(), an_order()) == ["queued", "suppressed frequency_cap"]
    assert holders() == [1, 1]


def test_a_test_message_takes_no_place(market: Shop) -> None:
    cap(market)
    assert accepted(market, an_order(mode=Mode.TEST), an_order()) == ["queued", "queued"]
    assert holders() == [1]


def test_a_cancelled_message_gives_its_place_back(market: Shop) -> None:
    cap(market)
    accepted(market, an_order())
    cancel(Notification.objects.get(), Mode.LIVE)
    assert holders() == [0]
    assert accepted(market, an_order()) == ["queued"]


@pytest.mark.parametrize(("verdict", "places"), [(Temporary("503"), 0), (Sent(), 1)])
def test_a_message_that_is_cancelled_in_flight_gives_its_place_back_unless_it_leaves(
    market: Shop, django_capture_on_commit_callbacks: Any, verdict: Verdict, places: int
) -> None:
    cap(market)
    accepted(market, an_order())

    def answer(messages: Sequence[InAppMessage]) -> Iterator[Answers]:
        cancel(Notification.objects.get(), Mode.LIVE)
        assert holders() == [1]
        yield [(0, verdict)]

    with answering(market, answer), django_capture_on_commit_callbacks(execute=True):
        delivered()
    assert Delivery.objects.get().status == (Status.SENT if places else Status.CANCELLED)
    assert holders() == [places]


def test_a_scheduled_message_takes_its_place_when_it_leaves(market: Shop) -> None:
    cap(market)
    assert accepted(market, an_order(send_at=datetime.now(UTC) + timedelta(minutes=5))) == ["queued"]
    assert holders() == []
    assert accepted(market, an_order()) == ["queued"]
    _all_due()
    sweep()
    assert delivered() == 1
    assert sorted(market.statuses()) == ["delivered", "suppressed"]


def test_a_retry_is_not_counted_again(market: Shop) -> None:
    cap(market)
    accepted(market, an_order())
    _all_due()
    (row,) = claim("in_app", [Lane.BULK], 10)
    later = datetime.now(UTC) + TOMORROW
    assert last_look.refuse_over_cap([row], later) == [] and len(holders()) == 2
    Delivery.objects.update(status=Status.QUEUED, attempt=1)
    _all_due()
    (retried,) = claim("in_app", [Lane.BULK], 10)
    assert last_look.refuse_over_cap([retried], later + TOMORROW) == [] and len(holders()) == 2


def test_a_tenant_without_caps_pays_no_statement(market: Shop) -> None:
    accepted(market, an_order())
    assert delivered() == 1  # also fills the cache
    with CaptureQueriesContext(connection) as queries:
        campaign = running(a_campaign(market))
    before = _uses_of_counts()
    with CaptureQueriesContext(connection) as more_queries:
        accepted(market, an_order())
        delivered()
        send_shards(campaign)
    assert _uses_of_counts() == before  # also by server-side cursors, which no context captures
    about_caps = [q["sql"] for q in [*queries, *more_queries] if "capcount" in q["sql"] or "frequencycap" in q["sql"]]
    assert of_campaign(campaign) and InboxMessage.objects.count() == 3
    assert [sql for sql in about_caps if "tenants_tenant n" not in sql and "unsent" not in sql] == []


def _uses_of_counts() -> tuple[int, ...]:
    """Scans of the table of places and its new rows, in this transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT seq_scan, coalesce(idx_scan, 0), n_tup_ins FROM pg_stat_xact_user_tables WHERE relname = %s",
            ["notifier_capcount"],
        )
        return tuple(cursor.fetchone() or ())


# ---- campaigns -----------------------------------------------------------------------------------------------------


def test_a_campaign_and_notifications_count_together(market: Shop) -> None:
    for name in ("bob", "cy"):
        market.recipient(name)
    cap(market)
    accepted(market, an_order("bob"))
    campaign = running(a_campaign(market))
    assert campaign.over_cap == 1 and holders() == [1, 1, 1]
    assert accepted(market, an_order("cy")) == ["suppressed frequency_cap"]
    send_shards(campaign)
    assert delivered() == 3
    inboxes = InboxMessage.objects.values_list("recipient_id", flat=True)
    assert len(set(inboxes)) == 3


def test_a_rehearsal_and_a_test_campaign_take_no_place(market: Shop) -> None:
    cap(market)
    send_shards(running(a_campaign(market, mode="test")))
    assert holders() == []


def test_disarming_gives_the_places_back(market: Shop) -> None:
    cap(market)
    campaign = a_campaign(market)
    arming.request_arm(campaign)
    arming.arm(campaign.pk)
    assert holders() == [1] and accepted(market, an_order()) == ["suppressed frequency_cap"]
    campaign.refresh_from_db()
    arming.disarm(campaign)
    assert holders() == [0] and accepted(market, an_order()) == ["queued"]


def test_the_last_look_asks_again_for_messages_without_a_place(market: Shop) -> None:
    cap(market)
    accepted(market, an_order())
    campaign = running(a_campaign(market))
    cancel(Notification.objects.get(), Mode.LIVE)
    send_shards(campaign)
    assert delivered() == 1 and holders() == [1]


def test_a_cap_that_came_after_arming_holds(market: Shop) -> None:
    campaign = running(a_campaign(market))
    cap(market)
    accepted(market, an_order())
    send_shards(campaign)
    assert delivered() == 1


def test_a_shard_of_a_killed_worker_counts_once(market: Shop, settings: Settings) -> None:
    """The worker took the place at the last look, and died before it wrote anything down."""
    cap(market, most=2)
    accepted(market, an_order(), an_order())
    campaign = running(a_campaign(market))
    assert campaign.over_cap == 1
    cancel(Notification.objects.latest("id"), Mode.LIVE)
    assert holders() == [1]
    claimed = claim_shard(Shard.objects.get(campaign=campaign).pk, "killed@one")
    assert claimed is not None and Recheck(claimed).refusals([0]) == {} and holders() == [2]
    age_leases(settings)
    send_shards(campaign)
    assert InboxMessage.objects.count() == 1 and holders() == [2]


def test_other_tenants_have_places_of_their_own(market: Shop) -> None:
    cap(market)
    other = a_shop("marketing")
    other.recipient("ada")
    assert accepted(market, an_order()) == accepted(other, an_order()) == accepted(other, an_order()) == ["queued"]
    assert {row.tenant_id for row in CapCount.objects.all()} == {market.tenant.id}
    assert uuid.UUID(str(market.tenant.id)) != other.tenant.id
