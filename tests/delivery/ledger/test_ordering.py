"""Order of acceptance, turns, limits and leases: the engine against PostgreSQL, with the inbox as its provider."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from pytest_django import Settings

from inbox.models import InboxMessage
from notifier.delivery import Accepted, redrive
from notifier.delivery.accounts import registry
from notifier.delivery.ledger import claims
from notifier.delivery.ledger.settle import Outcome, settle
from notifier.delivery.send import deliver
from notifier.delivery.sweep import sweep
from notifier.errors import MissingVariables, QueueFull
from notifier.models import DeadLetter, Delivery, Notification, OrderingQueue, ProviderAccount
from notifier.vocabulary.people import SendRequest
from notifier.vocabulary.status import Lane, Mode, QueuePosition, Status
from tenants.models import Category, Preference
from tests.delivery.build import Shop, a_shop, an_order
from tests.delivery.scenes import age_leases

pytestmark = pytest.mark.django_db(transaction=True)
FAST = (Lane.CRITICAL, Lane.TRANSACTIONAL)


def send(shop: Shop) -> None:
    for _ in range(20):
        deliver("in_app", FAST)


def test_messages_of_one_queue_arrive_in_order_of_acceptance(shop: Shop) -> None:
    shop.accept(*[SendRequest("ada", "order", data={"order": str(n)}) for n in range(30)])
    send(shop)
    bodies = InboxMessage.objects.filter(tenant=shop.tenant).order_by("seq").values_list("body", flat=True)
    assert list(bodies) == [f"Order {n}" for n in range(30)]


def test_only_one_delivery_of_a_queue_has_the_turn(shop: Shop) -> None:
    shop.accept(an_order(), an_order(), an_order())
    assert [d.queue_position for d in shop.deliveries()] == [
        QueuePosition.HAS_TURN,
        QueuePosition.WAITING,
        QueuePosition.WAITING,
    ]
    assert len(claims.claim("in_app", FAST, 10)) == 1


def test_a_woken_worker_waits_for_another_that_claims_for_the_account(shop: Shop) -> None:
    shop.recipient("ben")
    shop.accept(an_order())
    claimed, go_on = threading.Event(), threading.Event()

    def another() -> None:
        with transaction.atomic():
            assert len(claims.claim("in_app", FAST, 10)) == 1
            claimed.set()
            go_on.wait(30)
        connection.close()

    thread = threading.Thread(target=another)
    thread.start()
    assert claimed.wait(30)
    shop.accept(an_order("ben"))
    assert claims.claim("in_app", FAST, 10) == []
    threading.Timer(0.2, go_on.set).start()
    assert len(claims.claim("in_app", FAST, 10, (), claims.ClaimOptions(wait_for_locked=True))) == 1
    thread.join()


def test_lanes_do_not_wait_for_each_other(shop: Shop) -> None:
    Category.objects.create(tenant=shop.tenant, key="otp", name="otp", kind="critical")
    shop.accept(an_order(), an_order(), SendRequest("ada", "order", category="otp", data={"order": "otp"}))
    claimed = claims.claim("in_app", FAST, 10)
    assert [c.lane for c in claimed] == [Lane.CRITICAL, Lane.TRANSACTIONAL]


def test_live_messages_do_not_wait_for_those_of_a_test_key(shop: Shop) -> None:
    shop.accept(*[an_order(mode=mode) for mode in (Mode.TEST, Mode.TEST, Mode.LIVE, Mode.LIVE)])
    assert [d.queue_position for d in shop.deliveries()] == [
        QueuePosition.HAS_TURN,
        QueuePosition.WAITING,
        QueuePosition.HAS_TURN,
        QueuePosition.WAITING,
    ]
    test, live = sorted(claims.claim("in_app", FAST, 10), key=lambda claimed: claimed.mode == Mode.LIVE)
    settle([Outcome(live, Status.DELIVERED)])
    assert [d.queue_position for d in shop.deliveries()[1:]] == [
        QueuePosition.WAITING,
        QueuePosition.HAS_TURN,
        QueuePosition.HAS_TURN,
    ]
    settle([Outcome(test, Status.DELIVERED)])
    send(shop)
    assert shop.statuses() == ["delivered"] * 4


def test_a_full_queue_refuses_with_429s_error_and_stores_nothing(shop: Shop) -> None:
    outcomes = shop.accept(*[an_order() for _ in range(205)])
    assert [isinstance(o, QueueFull) for o in outcomes] == [False] * 200 + [True] * 5
    assert Notification.objects.filter(tenant=shop.tenant).count() == 200


def test_a_missing_variable_refuses_its_item_only(shop: Shop) -> None:
    outcomes = shop.accept(SendRequest("ada", "order", data={}), an_order())
    assert isinstance(outcomes[0], MissingVariables)
    assert isinstance(outcomes[1], Accepted)
    assert len(shop.deliveries()) == 1


def test_a_scheduled_message_waits_outside_the_queue_and_leaves_when_due(shop: Shop) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    shop.accept(an_order(send_at=later), an_order())
    send(shop)
    assert shop.statuses() == ["queued", "delivered"]
    Delivery.objects.filter(status=Status.QUEUED).update(due_at=datetime.now(UTC))
    sweep()
    send(shop)
    assert shop.statuses() == ["delivered", "delivered"]


def test_an_opt_out_between_acceptance_and_sending_holds(shop: Shop) -> None:
    ada = shop.recipient("ben")
    shop.accept(an_order("ben"))
    Preference.objects.create(tenant=shop.tenant, recipient=ada, categories_off=["orders"])
    send(shop)
    assert [(d.status, d.reason) for d in shop.deliveries()] == [(Status.SUPPRESSED, "category_off")]


def test_a_stale_message_expires_instead_of_leaving(shop: Shop) -> None:
    shop.accept(an_order(not_after=datetime.now(UTC) + timedelta(hours=1)))
    Delivery.objects.filter(tenant=shop.tenant).update(not_after=datetime.now(UTC) - timedelta(seconds=1))
    send(shop)
    assert shop.statuses() == ["expired"]


def test_a_lost_claim_is_reclaimed_without_an_attempt_lost(shop: Shop, settings: Settings) -> None:
    shop.accept(an_order())
    [lost] = claims.claim("in_app", FAST, 10)
    age_leases(settings)
    sweep()
    [row] = shop.deliveries()
    assert (row.status, row.attempt) == (Status.QUEUED, 0)
    assert settle([Outcome(lost, Status.SENT)]) == 0  # the old fence writes nothing
    send(shop)
    assert shop.statuses() == ["delivered"]


def test_a_worker_lost_while_sending_leaves_a_repeat_where_the_channel_allows_it(
    shop: Shop, settings: Settings
) -> None:
    shop.accept(an_order())
    claims.begin(claims.claim("in_app", FAST, 10))
    age_leases(settings)
    sweep()
    [row] = shop.deliveries()
    assert (row.status, row.attempt) == (Status.QUEUED, 1)
    send(shop)
    assert InboxMessage.objects.filter(tenant=shop.tenant).count() == 1


def test_a_long_wait_gives_up_the_turn_and_a_short_one_keeps_it(shop: Shop) -> None:
    shop.accept(an_order(), an_order())
    [first] = claims.begin(claims.claim("in_app", FAST, 10))
    settle([Outcome(first, Status.QUEUED, wait=5)])
    assert [d.queue_position for d in shop.deliveries()] == [QueuePosition.HAS_TURN, QueuePosition.WAITING]
    Delivery.objects.filter(pk=first.id).update(due_at=datetime.now(UTC))
    [first] = claims.begin(claims.claim("in_app", FAST, 10))
    settle([Outcome(first, Status.QUEUED, wait=600)])
    assert [d.queue_position for d in shop.deliveries()] == [QueuePosition.PARKED, QueuePosition.HAS_TURN]
    send(shop)
    assert shop.statuses() == ["queued", "delivered"]


def test_a_dead_letter_can_be_driven_again(shop: Shop) -> None:
    shop.accept(an_order())
    [row] = claims.begin(claims.claim("in_app", FAST, 10))
    settle([Outcome(row, Status.FAILED, "exhausted", "x", dead_letter=True)])
    letter = DeadLetter.objects.get(tenant=shop.tenant)
    assert redrive(a_shop().tenant.id, [letter.id]) == 0  # a stranger drives nothing
    assert redrive(shop.tenant.id, [letter.id]) == 1
    assert redrive(shop.tenant.id, [letter.id]) == 0
    send(shop)
    assert shop.statuses() == ["delivered"]


def test_a_no_given_meanwhile_holds_for_a_dead_letter_that_is_driven_again(shop: Shop) -> None:
    shop.accept(an_order())
    [row] = claims.begin(claims.claim("in_app", FAST, 10))
    settle([Outcome(row, Status.FAILED, "exhausted", "x", dead_letter=True)])
    Preference.objects.create(tenant=shop.tenant, recipient_id=row.recipient_id, channels_off=["in_app"])
    assert redrive(shop.tenant.id, list(DeadLetter.objects.values_list("pk", flat=True))) == 1
    send(shop)
    assert shop.statuses() == ["suppressed"]
    assert not InboxMessage.objects.exists()


def test_queues_count_exactly_their_unfinished_rows(shop: Shop) -> None:
    shop.accept(an_order(), an_order(send_at=datetime.now(UTC) + timedelta(hours=1)), an_order())
    send(shop)
    queue = OrderingQueue.objects.get(tenant=shop.tenant)
    assert (queue.unfinished, queue.turn_taken) == (1, False)


def test_a_queue_whose_turn_was_lost_gives_it_to_its_oldest_message(shop: Shop) -> None:
    shop.accept(an_order(), an_order(), an_order())
    first = shop.deliveries()[0]
    Delivery.objects.filter(pk=first.pk).update(status=Status.CANCELLED)  # by hand, so that its turn is not passed on
    OrderingQueue.objects.filter(tenant=shop.tenant).update(turn_taken=False)
    sweep()
    assert [d.queue_position for d in shop.deliveries()][1:] == [QueuePosition.HAS_TURN, QueuePosition.WAITING]


def test_accounts_take_turns_across_tenants(shop: Shop) -> None:
    other = a_shop()
    for n in range(5):
        shop.recipient(f"r{n}")
        other.recipient(f"r{n}")
    shop.accept(*[an_order(f"r{n}") for n in range(5)])
    other.accept(*[an_order(f"r{n}") for n in range(5)])
    served = [claims.claim("in_app", FAST, 2)[0].tenant_id for _ in range(4)]
    assert served[0] != served[1]
    assert served[:2] == served[2:]


def test_rows_whose_account_was_deleted_take_another(shop: Shop) -> None:
    shop.accept(an_order())
    ProviderAccount.objects.filter(tenant=shop.tenant).delete()
    registry.reset()
    sweep()
    send(shop)
    assert shop.statuses() == ["delivered"]


def test_accounts_made_by_a_request_that_rolled_back_are_not_remembered(shop: Shop) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        shop.accept(an_order())
        raise ZeroDivisionError
    shop.accept(an_order())
    [row] = shop.deliveries()
    assert row.account_id in ProviderAccount.objects.values_list("pk", flat=True)
