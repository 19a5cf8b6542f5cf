"""What goes wrong with one endpoint harms no other, and no transaction waits for another in a circle."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection, connections, transaction

from notifier.models import WebhookAttempt, WebhookEndpoint, WebhookMessage
from notifier.webhooks import packing, replay, schedule, sender, settling
from notifier.webhooks.settling import Attempt
from tenants.audit import Actor
from tests.delivery.build import Shop, a_shop, an_order
from tests.webhooks.conftest import an_endpoint
from tests.webhooks.receiver import Receiver

State = WebhookMessage.State
#: seconds that a test waits for another thread at most
PATIENCE = 60
INTERNAL = "an internal error of Notifier"


def two_endpoints(new_receiver: Callable[[], Receiver]) -> tuple[tuple[WebhookEndpoint, Receiver], Receiver]:
    """Of two tenants, each with one event that waits: the first with its receiver, and the second's receiver."""
    both = []
    for _ in range(2):
        shop, got = a_shop(), new_receiver()
        shop.recipient("ada", status="blocked")
        both.append((an_endpoint(shop.tenant, got.url, event_types=["delivery.*"]), got))
        shop.accept(an_order())
    return both[0], both[1][1]


# ---- an error ends one attempt --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "absurd",
    [
        "Mon, 20 Nov 99999999999999999999 10:00:00 GMT",
        "Mon, 99999999999999999999 Nov 2030 10:00:00 GMT",
        "Mon, 20 Nov 2030 10:00:00 +99999999999999999999",
    ],
    ids=["year", "day", "zone"],
)
def test_an_absurd_date_pauses_its_endpoint_and_harms_no_other(
    db: None, new_receiver: Callable[[], Receiver], absurd: str
) -> None:
    (endpoint, bad), good = two_endpoints(new_receiver)
    bad.answer(503, headers={"Retry-After": absurd})
    assert sender.run() == 2
    endpoint.refresh_from_db()
    assert (endpoint.failures, endpoint.last_error, endpoint.lease_until) == (1, "HTTP 503", None)
    assert endpoint.resume_at > datetime.now(UTC) - timedelta(seconds=30)
    assert (len(bad.calls), len(good.calls)) == (1, 1)
    assert set(WebhookAttempt.objects.values_list("status", flat=True)) == {204, 503}


def test_an_error_while_settling_ends_one_attempt(
    db: None, new_receiver: Callable[[], Receiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    (endpoint, bad), good = two_endpoints(new_receiver)
    bad.answer(503, headers={"X-Odd": "yes"})
    after_failure = schedule.after_failure

    def fails(result: schedule.Result, *args: Any) -> schedule.Next:
        if (result.headers or {}).get("x-odd"):
            raise TypeError("an answer that nobody thought of")
        return after_failure(result, *args)

    monkeypatch.setattr(schedule, "after_failure", fails)
    assert sender.run() == 2
    endpoint.refresh_from_db()
    assert (endpoint.failures, endpoint.last_error, endpoint.lease_until) == (1, INTERNAL, None)
    assert len(good.calls) == 1
    assert WebhookMessage.objects.get(endpoint_id=endpoint.pk).attempts == 1


def test_a_request_that_cannot_be_made_ends_one_attempt(
    db: None, new_receiver: Callable[[], Receiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    (endpoint, bad), good = two_endpoints(new_receiver)
    request_of = sender.request_of

    def fails(of: WebhookEndpoint, *args: Any) -> Any:
        if of.pk == endpoint.pk:
            raise TypeError("a header that nobody thought of")
        return request_of(of, *args)

    monkeypatch.setattr(sender, "request_of", fails)
    assert sender.run() == 2
    endpoint.refresh_from_db()
    assert (endpoint.failures, endpoint.last_error) == (1, INTERNAL)
    assert (len(bad.calls), len(good.calls)) == (0, 1)


def test_a_tenant_whose_events_cannot_be_packed_keeps_nobody_elses(
    db: None, new_receiver: Callable[[], Receiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    (endpoint, bad), good = two_endpoints(new_receiver)
    store = packing.store

    def fails(of: WebhookEndpoint, *args: Any) -> int:
        if of.pk == endpoint.pk:
            raise TypeError("an event that nobody thought of")
        return store(of, *args)

    monkeypatch.setattr(packing, "store", fails)
    assert sender.run() == 1
    assert (len(bad.calls), len(good.calls)) == (0, 1)


# ---- locks ----------------------------------------------------------------------------------------------------------


def in_thread(work: Callable[[], None]) -> threading.Thread:
    """Begin the work in a thread with a connection of its own."""

    def run() -> None:
        try:
            work()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def wait_until(holds: Callable[[], bool]) -> bool:
    """Whether it held within the patience of a test."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if holds():
            return True
        time.sleep(0.05)
    return False


def somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
            " WHERE NOT l.granted AND a.datname = current_database())"
        )
        return bool(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("what", ["span", "event", "request"])
def test_a_replay_and_an_attempt_do_not_wait_for_each_other(new_receiver: Callable[[], Receiver], what: str) -> None:
    (endpoint, got), _ = two_endpoints(new_receiver)
    sender.run()
    [message] = WebhookMessage.objects.filter(endpoint_id=endpoint.pk)
    now = datetime.now(UTC)
    acts: dict[str, Callable[[], object]] = {
        "span": lambda: replay.replay(endpoint, replay.Span(now - timedelta(hours=1), now), Actor()),
        "event": lambda: replay.replay_event(endpoint, got.events[0]["id"], Actor()),
        "request": lambda: replay.replay_message(endpoint, message.pk, Actor()),
    }
    errors: list[Exception] = []

    def act() -> None:
        try:
            acts[what]()
        except Exception as error:  # the test tells it
            errors.append(error)

    # as settling does: the endpoint, then the message; the replay comes between
    with transaction.atomic():
        WebhookEndpoint.objects.select_for_update().get(pk=endpoint.pk)
        thread = in_thread(act)
        assert wait_until(somebody_waits_for_a_lock)
        WebhookMessage.objects.filter(pk=message.pk).update(attempts=7)
    thread.join(PATIENCE)
    assert errors == []
    message.refresh_from_db()
    assert (message.state, message.attempts) == (State.WAITING, 0)


@pytest.mark.django_db(transaction=True)
def test_while_a_replay_holds_an_endpoint_the_others_are_served(
    new_receiver: Callable[[], Receiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    (endpoint, held), other = two_endpoints(new_receiver)
    here, there, refused = threading.Event(), threading.Event(), threading.Event()
    release_held, release_other = threading.Event(), threading.Event()
    held.hold(here, release_held)
    other.hold(there, release_other)
    settle = settling.settle

    def watched(attempt: Attempt) -> bool:
        try:
            return settle(attempt)
        except OperationalError:
            refused.set()
            raise

    monkeypatch.setattr(settling, "settle", watched)
    seen: list[bool] = []

    def hold() -> None:
        seen.extend([here.wait(PATIENCE), there.wait(PATIENCE)])
        with transaction.atomic():
            WebhookEndpoint.objects.select_for_update().get(pk=endpoint.pk)
            release_held.set()
            seen.append(refused.wait(PATIENCE / 4))
            release_other.set()
            others = WebhookMessage.objects.exclude(endpoint_id=endpoint.pk)
            seen.append(wait_until(lambda: not others.filter(state=State.WAITING).exists()))

    thread = in_thread(hold)
    assert sender.run() == 2
    thread.join(PATIENCE)
    assert seen == [True] * 4
    assert list(WebhookMessage.objects.values_list("state", flat=True)) == [State.DONE] * 2
    assert (len(held.calls), len(other.calls)) == (1, 1)
    assert WebhookAttempt.objects.count() == 2


def test_turns_of_packing_are_bounded(shop: Shop, got: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "ROWS", 2)
    an_endpoint(shop.tenant, got.url)
    for _ in range(7):
        shop.accept(an_order())
    turns: list[int] = []
    assert packing.pack_all(0, lambda: turns.append(1)) == 2
    assert packing.pack_all(PATIENCE, lambda: turns.append(1)) == 5
    assert len(turns) == 4
