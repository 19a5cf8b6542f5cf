"""Cancel what a worker holds as `sending`: no request may be written yet, or another attempt may follow."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import transaction
from django.db.models import F

from notifier.delivery.ledger import claims
from notifier.delivery.ledger.claims import Claimed
from notifier.delivery.ledger.settle import Outcome, queue_again, settle
from notifier.delivery.sweep import sweep
from notifier.models import Delivery, DeliveryEvent
from notifier.vocabulary.status import Reason, Status
from tests.api.conftest import ApiSite
from tests.api.test_waiting import (
    LANES,
    claim,
    on_own_connection,
    queue,
    send,
    status_of,
    wait_for_a_lock,
)


def in_flight() -> Claimed:
    """What a worker takes on a channel where the claim begins the rows."""
    Delivery.objects.update(due_at=F("due_at") - timedelta(minutes=1))
    [row] = claims.claim("push", LANES, 10, (), claims.ClaimOptions(begin=True))
    return row


def unbegun(outcome: Outcome) -> None:
    claims.unbegin([outcome.row])
    settle([outcome])


def lost(row: Claimed) -> None:
    Delivery.objects.filter(pk=row.id).update(lease_until="2020-01-01T00:00Z")
    sweep()


CANCELLED, UNKNOWN, EXPIRED = ("cancelled", "by_request"), ("unknown", "in_doubt"), ("expired", "not_after")
ENDS: list[tuple[str, Callable[[Claimed], object], tuple[str, str], int]] = [
    ("no token, or an open circuit", lambda row: queue_again([row], 15.0), CANCELLED, 0),
    ("quiet hours", lambda row: unbegun(Outcome(row, Status.QUEUED, wait=3600.0, held=True)), CANCELLED, 0),
    ("refused by a check", lambda row: unbegun(Outcome(row, Status.EXPIRED, Reason.NOT_AFTER)), EXPIRED, 0),
    ("503", lambda row: settle([Outcome(row, Status.QUEUED, detail="503", wait=1.0)]), CANCELLED, 1),
    ("503, and waits long", lambda row: settle([Outcome(row, Status.QUEUED, detail="503", wait=120.0)]), CANCELLED, 1),
    ("no answer", lambda row: settle([Outcome(row, Status.QUEUED, Reason.IN_DOUBT, "timeout", wait=1.0)]), UNKNOWN, 1),
    ("the worker is lost", lost, UNKNOWN, 1),
    ("taken", lambda row: settle([Outcome(row, Status.SENT)]), ("sent", ""), 1),
    ("refused", lambda row: settle([Outcome(row, Status.FAILED, Reason.REJECTED)]), ("failed", "rejected"), 1),
]  # fmt: skip


@pytest.mark.parametrize(("end", "expected", "attempts"), [one[1:] for one in ENDS], ids=[one[0] for one in ENDS])
def test_a_message_in_flight_ends_with_its_attempt(
    site: ApiSite, end: Callable[[Claimed], object], expected: tuple[str, str], attempts: int
) -> None:
    first, second = send(site.acme, group_key="trip-7"), send(site.acme)
    row = in_flight()
    group = {"group_key": "trip-7"}
    got = site.acme("POST", "/v1/notifications/cancel", group)
    assert (got.status, got.body) == (200, {"notifications": 1, "messages": 0, "in_flight": 1, "more": False})
    assert site.acme("POST", "/v1/notifications/cancel", group).body["notifications"] == 0, "a repeat has nothing to do"
    got = site.acme("POST", f"/v1/notifications/{first}/cancel")
    assert (got.status, got.body["deliveries"][0]["status"]) == (200, "sending")
    end(row)
    assert status_of(first) == expected
    assert Delivery.objects.get(pk=row.id).attempt == attempts
    assert Delivery.objects.get(pk=row.id).settled_at is not None
    assert not DeliveryEvent.objects.filter(delivery=row.id, what__in=["retry", "held"]).exists()
    assert (queue().unfinished, queue().turn_taken) == (1, True)
    assert [str(claimed.notification_id) for claimed in claim()] == [second]


def test_a_message_in_flight_whose_earlier_attempt_got_no_answer_ends_unknown(site: ApiSite) -> None:
    first = send(site.acme)
    Delivery.objects.filter(notification_id=first).update(reason="in_doubt", attempt=1)
    row = in_flight()
    assert site.acme("POST", f"/v1/notifications/{first}/cancel").status == 200
    queue_again([row], 15.0)
    assert status_of(first) == UNKNOWN
    assert Delivery.objects.get(pk=row.id).attempt == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("group", [False, True])
def test_a_message_that_its_worker_queues_again_at_this_moment_is_cancelled(site: ApiSite, group: bool) -> None:
    first = send(site.acme, group_key="trip-7")
    row = in_flight()
    path, body = ("cancel", {"group_key": "trip-7"}) if group else (f"{first}/cancel", None)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            assert claims.release([row], 0.0) == []
            answer = pool.submit(on_own_connection, site.acme, f"/v1/notifications/{path}", body)
            wait_for_a_lock()
        assert answer.result().status == 200, answer.result().body
    assert status_of(first) == CANCELLED
    assert (queue().unfinished, queue().turn_taken) == (0, False)
