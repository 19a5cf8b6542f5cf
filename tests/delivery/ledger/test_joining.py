"""One statement lets messages join their ordering queues and stores the messages: limits, turns, suppressed addresses,
and other writers of the same queues at the same time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from django.db import connections
from pytest_django import Settings

from notifier.channels import channels
from notifier.delivery import redrive
from notifier.delivery.content import templates
from notifier.delivery.ledger import claims
from notifier.delivery.ledger.settle import Outcome, settle
from notifier.delivery.planning.recipients import load_by_external_ids
from notifier.errors import QueueFull
from notifier.models import DeadLetter, Delivery, Notification, OrderingQueue, Template
from notifier.vocabulary.people import SendRequest
from notifier.vocabulary.status import Lane, QueuePosition, Status
from tenants.models import Device, Suppression
from tests.delivery.build import Shop, a_shop, an_order

FAST = (Lane.CRITICAL, Lane.TRANSACTIONAL)
TIMEOUT = 60.0


def states(shop: Shop) -> dict[str, tuple[int, bool]]:
    rows = OrderingQueue.objects.filter(tenant=shop.tenant)
    return {row.channel: (row.unfinished, row.turn_taken) for row in rows}


def add_sms(shop: Shop) -> None:
    """The template of the shop goes to phones, too."""
    template = Template.objects.get(tenant=shop.tenant)
    texts = {"in_app": {"en": {"title": "Hi", "body": "{{ order }}"}}, "sms": {"en": {"text": "{{ order }}"}}}
    templates.publish(template, texts)


@pytest.mark.django_db
def test_a_request_of_two_channels_joins_neither_queue_when_one_is_full(shop: Shop, settings: Settings) -> None:
    settings.ORDERING_QUEUE_LIMIT = 2
    shop.recipient("ben", phone="+4915112345678")
    add_sms(shop)
    shop.accept(an_order("ben", channels=("sms",)))
    outcomes = shop.accept(
        an_order("ben", channels=("in_app",)), an_order("ben", channels=("sms",)), an_order("ben"), an_order("ada")
    )
    assert [type(outcome) is QueueFull for outcome in outcomes] == [False, False, True, False]
    assert states(shop) | {"in_app": ()} == {"sms": (2, True), "in_app": ()}
    assert sorted(OrderingQueue.objects.filter(channel="in_app").values_list("unfinished", flat=True)) == [1, 1]
    assert Notification.objects.count() == 4
    assert Delivery.objects.filter(status=Status.QUEUED).count() == 4


@pytest.mark.django_db(transaction=True)
def test_a_refusal_leaves_the_queue_as_it_was(shop: Shop, settings: Settings) -> None:
    settings.ORDERING_QUEUE_LIMIT = 1
    assert isinstance(shop.accept(an_order(), an_order())[1], QueueFull)
    [row] = claims.claim("in_app", FAST, 10)
    assert [type(outcome) for outcome in shop.accept(an_order(), an_order())] == [QueueFull] * 2
    assert states(shop) == {"in_app": (1, True)}
    settle([Outcome(row, Status.DELIVERED)])
    assert states(shop) == {"in_app": (0, False)}
    shop.accept(an_order(), an_order())
    assert states(shop) == {"in_app": (1, True)}
    assert len(claims.claim("in_app", FAST, 10)) == 1


@pytest.mark.django_db
def test_a_message_waits_while_another_call_has_the_turn(shop: Shop) -> None:
    shop.accept(an_order())
    shop.accept(an_order(), an_order())
    turns = [QueuePosition.HAS_TURN, QueuePosition.WAITING, QueuePosition.WAITING]
    assert [d.queue_position for d in shop.deliveries()] == turns


@pytest.mark.django_db
def test_each_channel_says_in_sql_where_its_addresses_are(shop: Shop) -> None:
    person = shop.recipient("ben", email="b@x.org", phone="+4915112345678", attributes={"chat_id": 4711})
    for number in range(2):
        Device.objects.create(tenant=shop.tenant, recipient=person, platform="fcm", token=f"token-{number}")
    other = a_shop()
    loaded = load_by_external_ids(shop.tenant.id, ["ben"])["ben"]
    used = {(name, address.value) for name, kind in channels().items() for address in kind.addresses(loaded)}
    assert {name for name, _ in used} == set(channels())
    assert loaded.suppressed == frozenset()
    for name, address in used:
        Suppression.objects.create(tenant=shop.tenant, channel=name, address=address)
        Suppression.objects.create(tenant=other.tenant, channel=name, address="of another tenant")
        break
    assert load_by_external_ids(shop.tenant.id, ["ben"])["ben"].suppressed == {(name, address)}
    for another, value in used - {(name, address)}:
        Suppression.objects.create(tenant=shop.tenant, channel=another, address=value)
    Suppression.objects.create(tenant=shop.tenant, channel="sms", address="b@x.org")
    assert load_by_external_ids(shop.tenant.id, ["ben"])["ben"].suppressed == used


@pytest.mark.django_db(transaction=True)
def test_acceptance_settlement_and_a_re_drive_of_the_same_queues_never_wait_for_each_other_in_a_circle() -> None:
    shop = a_shop()
    people = [shop.recipient(f"r{n}").external_id for n in range(4)]
    accepted, errors = threading.Event(), list[Exception]()

    def accept(order: list[str]) -> None:
        for _ in range(25):
            shop.accept(*[SendRequest(name, "order", data={"order": "7"}) for name in order])

    def work() -> None:
        until = time.monotonic() + TIMEOUT
        while time.monotonic() < until and not (accepted.is_set() and not unfinished(shop)):
            settle_some(shop)

    workers = [start(work, errors) for _ in range(2)]
    for thread in [start(lambda: accept(people), errors), start(lambda: accept(people[::-1]), errors)]:
        thread.join()
    accepted.set()
    for thread in workers:
        thread.join()
    assert errors == []
    assert not unfinished(shop)
    assert set(OrderingQueue.objects.filter(tenant=shop.tenant).values_list("unfinished", "turn_taken")) == {(0, False)}


def settle_some(shop: Shop) -> None:
    """Three messages, of which one is a dead letter that is driven again at once."""
    rows = claims.begin(claims.claim("in_app", FAST, 3))
    failed = [Outcome(r, Status.FAILED, "exhausted", "x", dead_letter=True) for r in rows[:1] if r.fence == 1]
    settle([*failed, *(Outcome(r, Status.DELIVERED) for r in rows[len(failed) :])])
    redrive(shop.tenant.id, list(DeadLetter.objects.filter(redriven_at=None).values_list("pk", flat=True)))


def unfinished(shop: Shop) -> bool:
    return Delivery.objects.filter(tenant=shop.tenant, status__lt=Status.SENT).exists()


def start(run: Callable[[], None], errors: list[Exception]) -> threading.Thread:
    def guarded() -> None:
        try:
            run()
        except Exception as error:
            errors.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=guarded)
    thread.start()
    return thread
