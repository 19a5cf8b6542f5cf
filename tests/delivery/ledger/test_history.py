"""A delivery's history: from its row and from what no row can tell."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from notifier.delivery import redrive
from notifier.delivery.ledger import claims
from notifier.delivery.ledger.history import Step, history_of, load_histories
from notifier.delivery.ledger.settle import Outcome, settle
from notifier.models import DeadLetter, Delivery, DeliveryEvent
from notifier.vocabulary.status import Lane, Reason, Status
from tenants.models import Preference
from tests.delivery.build import Shop, a_shop, an_order

FAST = (Lane.CRITICAL, Lane.TRANSACTIONAL)
CAMPAIGN = uuid.UUID(int=7)
ASKED = datetime(2026, 1, 31, 9, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return ASKED + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("row", "between", "expected"),
    [
        ({"status": Status.QUEUED}, [], ["queued"]),
        ({"status": Status.SENT, "settled_at": after(1)}, [], ["queued", "sent"]),
        ({"status": Status.SENT, "settled_at": after(9)}, [("retry", 1)], ["queued", "retry", "sent"]),
        ({"status": Status.DELIVERED, "settled_at": after(1)}, [("read", 60)], ["queued", "delivered", "read"]),
        ({"status": Status.SUPPRESSED, "settled_at": ASKED}, [], ["suppressed"]),
        ({"status": Status.ARMED, "campaign_id": CAMPAIGN}, [], ["armed"]),
        ({"status": Status.SENT, "settled_at": after(1), "campaign_id": CAMPAIGN}, [], ["armed", "sent"]),
    ],
)
def test_the_row_tells_its_beginning_and_its_end(
    row: dict[str, object], between: list[tuple[str, float]], expected: list[str]
) -> None:
    delivery = Delivery(accepted_at=ASKED, **row)
    history = history_of(delivery, [Step(what, "", after(seconds)) for what, seconds in between])
    assert [step.what for step in history] == expected
    assert [step.at for step in history] == sorted(step.at for step in history)


@pytest.fixture
def shop() -> Shop:
    shop = a_shop()
    shop.recipient("ada")
    return shop


def begun() -> claims.Claimed:
    [row] = claims.begin(claims.claim("in_app", FAST, 10))
    return row


def shown_history(shop: Shop) -> list[tuple[str, str]]:
    [delivery] = shop.deliveries()
    return [(step.what, step.detail) for step in load_histories([delivery])[delivery.pk]]


@pytest.mark.django_db(transaction=True)
def test_an_ordinary_message_writes_no_event(shop: Shop) -> None:
    shop.accept(an_order())
    settle([Outcome(begun(), Status.SENT)])
    assert shown_history(shop) == [("queued", ""), ("sent", "")]
    assert not DeliveryEvent.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_refusal_at_acceptance_says_why(shop: Shop) -> None:
    ben = shop.recipient("ben")
    Preference.objects.create(tenant=shop.tenant, recipient=ben, channels_off=["in_app"])
    shop.accept(an_order("ben"))
    assert shown_history(shop) == [("suppressed", Reason.CHANNEL_OFF)]


@pytest.mark.django_db(transaction=True)
def test_a_second_life_keeps_the_end_of_the_first(shop: Shop) -> None:
    shop.accept(an_order())
    settle([Outcome(begun(), Status.QUEUED, detail="busy")])
    settle([Outcome(begun(), Status.FAILED, Reason.EXHAUSTED, "no answer", dead_letter=True)])
    ended = shop.deliveries()[0].settled_at
    redrive(shop.tenant.id, list(DeadLetter.objects.values_list("pk", flat=True)))
    settle([Outcome(begun(), Status.SENT)])
    once = [("queued", ""), ("retry", "busy"), ("failed", "no answer")]
    assert [(what, detail) for what, detail in shown_history(shop)][:4] == [*once, ("redriven", "")]
    assert DeliveryEvent.objects.get(what="failed").at == ended
    assert shown_history(shop)[4][0] == "sent"
