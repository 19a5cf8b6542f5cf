"""Cancel and reschedule what has not left, over the API."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, connections, transaction

from notifier.delivery.ledger import claims
from notifier.delivery.ledger.settle import Outcome, settle
from notifier.delivery.sweep import sweep
from notifier.models import Delivery, Notification, OrderingQueue
from notifier.vocabulary.status import Lane, Mode, QueuePosition, Status
from tenants.models import Recipient
from tests.api.conftest import ApiSite, payload
from tests.api.test_notifications import ahead
from tests.fixtures import Api, api_key

LANES = (Lane.CRITICAL, Lane.TRANSACTIONAL, Lane.BULK)


def send(api: Api, **fields: Any) -> str:
    got = api("POST", "/v1/notifications", payload(channels=["push"], **fields))
    assert got.status == 202, got.body
    return str(got.body["id"])


def status_of(notification: str) -> tuple[str, str]:
    row = Delivery.objects.get(notification_id=notification)
    return Status(row.status).label, row.reason


def claim() -> list[claims.Claimed]:
    """What a worker may take now. The test's transaction began before the rows were due."""
    Delivery.objects.filter(due_at__lte=datetime.now(UTC)).update(due_at=datetime.now(UTC) - timedelta(minutes=1))
    return claims.claim("push", LANES, 10)


def queue() -> OrderingQueue:
    return OrderingQueue.objects.get(channel="push")


def test_a_notification_is_cancelled_before_it_leaves_and_a_repeat_changes_nothing(site: ApiSite) -> None:
    first = send(site.acme)
    for _ in range(2):
        got = site.acme("POST", f"/v1/notifications/{first}/cancel")
        assert got.status == 200, got.body
        (delivery,) = got.body["deliveries"]
        assert (delivery["status"], delivery["reason"]) == ("cancelled", "by_request")
        assert delivery["history"][-1]["what"] == "cancelled"
    assert claim() == []
    assert (queue().unfinished, queue().turn_taken) == (0, False)


def test_the_next_message_of_the_recipient_gets_the_turn_of_a_cancelled_one(site: ApiSite) -> None:
    first, second, third = send(site.acme), send(site.acme), send(site.acme)
    assert site.acme("POST", f"/v1/notifications/{second}/cancel").status == 200
    assert site.acme("POST", f"/v1/notifications/{first}/cancel").status == 200
    (claimed,) = claim()
    assert str(claimed.notification_id) == third
    assert (queue().unfinished, queue().turn_taken) == (1, True)


def test_a_claimed_message_that_has_not_begun_is_taken_from_its_worker(site: ApiSite) -> None:
    first = send(site.acme)
    claimed = claim()
    assert len(claimed) == 1 and site.acme("POST", f"/v1/notifications/{first}/cancel").status == 200
    assert claims.begin(claimed) == [] and status_of(first) == ("cancelled", "by_request")
    assert (queue().unfinished, queue().turn_taken) == (0, False)


def test_a_message_whose_request_has_begun_keeps_the_providers_answer(site: ApiSite) -> None:
    first = send(site.acme)
    (claimed,) = claims.begin(claim())
    got = site.acme("POST", f"/v1/notifications/{first}/cancel")
    assert (got.status, got.body["deliveries"][0]["status"]) == (200, "sending")
    settle([Outcome(claimed, Status.SENT)])
    assert status_of(first) == ("sent", "")
    got = site.acme("POST", f"/v1/notifications/{first}/cancel")
    assert (got.status, got.body["code"]) == (409, "too_late")
    assert site.acme("POST", f"/v1/notifications/{first}/reschedule", {"send_at": ahead(hours=1)}).status == 409


def test_a_message_in_doubt_ends_unknown(site: ApiSite) -> None:
    first = send(site.acme)
    Delivery.objects.filter(notification_id=first).update(reason="in_doubt", attempt=1)
    assert site.acme("POST", f"/v1/notifications/{first}/cancel").status == 200
    assert status_of(first) == ("unknown", "in_doubt")
    assert site.acme("POST", f"/v1/notifications/{first}/cancel").status == 409


def test_a_group_is_cancelled_together_and_nothing_else(site: ApiSite) -> None:
    Recipient.objects.create(tenant=site.people.acme, external_id="eve")
    trip = [send(site.acme, group_key="trip-7", send_at=ahead(hours=h)) for h in (1, 2)]
    other, alone = send(site.acme, group_key="trip-8"), send(site.acme)
    assert Notification.objects.get(pk=trip[0]).group_key == "trip-7"
    got = site.acme("POST", "/v1/notifications/cancel", {"group_key": "trip-7"})
    assert (got.status, got.body) == (200, {"notifications": 2, "messages": 2, "in_flight": 0, "more": False})
    assert {status_of(one)[0] for one in trip} == {"cancelled"}
    assert {status_of(one)[0] for one in (other, alone)} == {"queued"}
    assert site.acme("POST", "/v1/notifications/cancel", {"group_key": "trip-7"}).body["notifications"] == 0
    for wrong in ({"group_key": "trip-9"}, {"group_key": "trip-8 "}):
        assert site.acme("POST", "/v1/notifications/cancel", wrong).status == 404
    assert site.globex("POST", "/v1/notifications/cancel", {"group_key": "trip-8"}).status == 404
    assert site.acme("POST", "/v1/notifications/cancel", {"group_key": ""}).body["field"] == "group_key"


def test_bulk_items_have_group_keys_and_local_times(site: ApiSite) -> None:
    items = [payload(group_key="g"), payload(group_key="g", send_at_local="2027-01-31T09:00")]
    got = site.acme("POST", "/v1/notifications/bulk", {"items": items})
    assert (got.status, got.body["accepted"]) == (202, 2), got.body
    assert site.acme("POST", "/v1/notifications/cancel", {"group_key": "g"}).body["messages"] == 4


def test_a_test_key_reaches_no_live_notification(site: ApiSite, api: Any) -> None:
    live = send(site.acme, group_key="g", send_at=ahead(hours=1))
    test = api(api_key(site.people.acme, mode=Mode.TEST))
    own = send(test, group_key="g", send_at=ahead(hours=1))
    for what, body in (("cancel", None), ("reschedule", {"send_at": ahead(hours=2)})):
        got = test("POST", f"/v1/notifications/{live}/{what}", body)
        assert (got.status, got.body["code"]) == (409, "live_notification")
    assert test("POST", "/v1/notifications/cancel", {"group_key": "g"}).body["notifications"] == 1
    assert (status_of(live)[0], status_of(own)[0]) == ("queued", "cancelled")


def test_another_tenants_notification_does_not_exist(site: ApiSite) -> None:
    first = send(site.acme)
    for what, body in (("cancel", None), ("reschedule", {"send_at": ahead(hours=2)})):
        assert site.globex("POST", f"/v1/notifications/{first}/{what}", body).status == 404
        assert site.acme("POST", f"/v1/notifications/{uuid.uuid4()}/{what}", body).status == 404


def test_a_notification_is_rescheduled_and_leaves_its_turn_to_the_next(site: ApiSite) -> None:
    first, second = send(site.acme), send(site.acme)
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=5)
    got = site.acme("POST", f"/v1/notifications/{first}/reschedule", {"send_at": at.isoformat()})
    assert got.status == 200 and datetime.fromisoformat(got.body["send_at"]) == at
    (claimed,) = claim()
    assert str(claimed.notification_id) == second
    row = Delivery.objects.get(notification_id=first)
    assert (row.due_at, row.queue_position) == (at, QueuePosition.PARKED)
    assert queue().unfinished == 2
    settle([Outcome(claims.begin([claimed])[0], Status.SENT)])
    Delivery.objects.filter(pk=row.pk).update(due_at=datetime.now(UTC) - timedelta(minutes=1))
    sweep()
    assert [str(row.notification_id) for row in claim()] == [first]


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({}, "send_at", "one_time"),
        ({"send_at": "2020-01-01T00:00:00Z"}, "send_at", "in_the_past"),
        ({"send_at": "2090-01-01T00:00:00Z"}, "send_at", "too_far_ahead"),
        ({"send_at_local": "2020-01-01T00:00"}, "send_at_local", "in_the_past"),
        ({"send_at_local": "2090-01-01T00:00"}, "send_at_local", "too_far_ahead"),
        ({"send_at_local": "2030-01-01T00:00Z"}, "send_at_local", "has_offset"),
        ({"send_at_local": "0001-01-01T00:00"}, "send_at_local", "invalid"),
        ({"send_at_local": 5}, "send_at_local", "invalid"),
    ],
)
def test_a_wrong_time_is_refused_and_changes_nothing(
    site: ApiSite, body: dict[str, Any], field: str, code: str
) -> None:
    first = send(site.acme, send_at=ahead(hours=1))
    before = Delivery.objects.values().get(notification_id=first)
    got = site.acme("POST", f"/v1/notifications/{first}/reschedule", body)
    assert (got.status, got.body["field"], got.body["code"]) == (400, field, code)
    assert Delivery.objects.values().get(notification_id=first) == before
    if body:
        got = site.acme("POST", "/v1/notifications", payload(**body))
        assert (got.status, got.body["field"], got.body["code"]) == (400, field, code)


@pytest.mark.parametrize(
    ("phone_zone", "own_zone", "tenant_zone", "at"),
    [
        ("", "Asia/Tokyo", "UTC", "2027-01-31T00:00:00+00:00"),
        ("", "America/New_York", "Asia/Tokyo", "2027-01-31T14:00:00+00:00"),
        ("", "", "Europe/Berlin", "2027-01-31T08:00:00+00:00"),
        ("Asia/Tokyo", "America/New_York", "Europe/Berlin", "2027-01-31T00:00:00+00:00"),
    ],
)
def test_a_local_time_is_of_the_recipients_clock(
    site: ApiSite, phone_zone: str, own_zone: str, tenant_zone: str, at: str
) -> None:
    site.people.acme.timezone = tenant_zone
    site.people.acme.save()
    Recipient.objects.filter(pk=site.dora.pk).update(device_timezone=phone_zone, timezone=own_zone)
    accepted = send(site.acme, send_at_local="2027-01-31T09:00")
    moved = send(site.acme, send_at=ahead(hours=1))
    got = site.acme("POST", f"/v1/notifications/{moved}/reschedule", {"send_at_local": "2027-01-31T09:00"})
    assert got.status == 200, got.body
    for notification in (accepted, moved):
        assert Notification.objects.get(pk=notification).send_at == datetime.fromisoformat(at)
        assert Delivery.objects.get(notification_id=notification).due_at == datetime.fromisoformat(at)


def test_two_times_are_refused_and_so_is_an_end_before_the_local_time(site: ApiSite) -> None:
    both = payload(send_at=ahead(hours=1), send_at_local="2027-01-31T09:00")
    got = site.acme("POST", "/v1/notifications", both)
    assert (got.status, got.body["field"], got.body["code"]) == (400, "send_at_local", "two_times")
    early = payload(send_at_local="2027-01-31T09:00", not_after=ahead(hours=1))
    got = site.acme("POST", "/v1/notifications", early)
    assert (got.status, got.body["field"], got.body["code"]) == (400, "not_after", "before_send_at")
    assert not Notification.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("what", ["cancel", "reschedule"])
def test_a_message_that_returns_to_its_queue_meanwhile_is_changed_too(site: ApiSite, what: str) -> None:
    got = site.acme("POST", "/v1/notifications", payload())
    rows = Delivery.objects.filter(notification_id=got.body["id"])
    rows.filter(channel="in_app").update(status=Status.SENDING)
    body = {"send_at": ahead(hours=1)} if what == "reschedule" else None
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            list(OrderingQueue.objects.select_for_update().filter(channel="push"))
            answer = pool.submit(on_own_connection, site.acme, f"/v1/notifications/{got.body['id']}/{what}", body)
            wait_for_a_lock()
            rows.filter(channel="in_app").update(status=Status.QUEUED)
        assert answer.result().status == 200, answer.result().body
    states = {"cancel": {("cancelled", 1), ("cancelled", 0)}, "reschedule": {("queued", 2)}}[what]
    assert {(Status(row.status).label, row.queue_position) for row in rows.all()} <= states


def on_own_connection(api: Api, path: str, body: Any) -> Any:
    try:
        return api("POST", path, body)
    finally:
        connections.close_all()


def wait_for_a_lock() -> None:
    """Returns when another connection waits for a lock."""
    with connection.cursor() as cursor:
        for _ in range(600):
            cursor.execute(
                "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid()"
                " AND pid IN (SELECT pid FROM pg_stat_activity WHERE datname = current_database())"
            )
            if cursor.fetchone()[0]:
                return
            time.sleep(0.05)
    raise AssertionError("no connection waits for a lock")
