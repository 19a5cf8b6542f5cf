"""Which events a replay of a span sends."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from notifier.errors import InvalidInput
from notifier.models import WebhookMessage, WebhookSpool
from notifier.webhooks import endpoints, packing, replay, sender
from notifier.webhooks.packing import SpoolRow, batches
from tenants.audit import Actor
from tests.delivery.build import Shop, an_order
from tests.webhooks.conftest import an_endpoint
from tests.webhooks.receiver import Receiver

NOW = datetime(2030, 1, 31, 9, tzinfo=UTC)


def last_hour() -> replay.Span:
    now = datetime.now(UTC)
    return replay.Span(now - timedelta(hours=1), now + timedelta(minutes=1))


def test_the_events_of_one_request_happened_within_an_hour() -> None:
    minutes = (0, 30, 60, 61, 121, 122)
    rows = [SpoolRow(uuid.uuid4(), NOW + timedelta(minutes=n), ["delivery.sent"]) for n in minutes]
    assert [len(batch.rows) for batch in batches(rows, [])] == [3, 2, 1]


def test_a_request_that_began_before_the_span_and_reaches_into_it_is_sent(shop: Shop, got: Receiver) -> None:
    endpoint = an_endpoint(shop.tenant, got.url)
    for _ in range(2):
        shop.accept(an_order())
    first, second = WebhookSpool.objects.order_by("created_at")
    WebhookSpool.objects.filter(pk=first.pk).update(created_at=first.created_at - timedelta(minutes=10))
    assert sender.run() == 1
    after_both = replay.Span(second.created_at + timedelta(seconds=1), second.created_at + timedelta(seconds=2))
    assert replay.replay(endpoint, after_both, Actor()) == 0
    between = replay.Span(second.created_at, second.created_at + timedelta(seconds=2))
    assert replay.replay(endpoint, between, Actor()) == 1
    sender.run()
    assert len({call.webhook_id for call in got.calls}) == 1
    assert len(got.calls) == 2


def test_events_that_narrower_filters_left_out_are_sent(shop: Shop, got: Receiver) -> None:
    endpoint = an_endpoint(shop.tenant, got.url, event_types=["delivery.failed"])
    pk = uuid.uuid4()
    events = [{"id": f"evt_{pk.hex}_{n}", "type": name} for n, name in enumerate(("delivery.sent", "delivery.failed"))]
    WebhookSpool.objects.create(id=pk, tenant=shop.tenant, events=events, created_at=datetime.now(UTC))
    sender.run()
    assert got.types == ["delivery.failed"]
    assert replay.replay(endpoint, last_hour(), Actor()) == 1
    endpoints.change(endpoint, {"event_types": ["delivery.*"]}, Actor())
    for _ in range(2):  # once more makes no third request
        assert replay.replay(endpoint, last_hour(), Actor()) == 2
    sender.run()
    assert {event["id"] for event in got.events} == {event["id"] for event in events}
    assert WebhookMessage.objects.count() == 2


def test_events_of_a_row_of_which_one_was_replayed_alone_are_sent(shop: Shop, got: Receiver) -> None:
    an_endpoint(shop.tenant, "http://127.0.0.1:9/hook")
    shop.accept(*(an_order() for _ in range(3)))
    packing.pack_all()
    late = an_endpoint(shop.tenant, got.url)
    [row] = WebhookSpool.objects.all()
    assert replay.replay_event(late, row.events[1]["id"], Actor()) == 1
    assert replay.replay(late, last_hour(), Actor()) == 2
    sender.run()
    assert {event["id"] for event in got.events} == {event["id"] for event in row.events}


def test_a_replay_has_a_maximum(shop: Shop, got: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = an_endpoint(shop.tenant, got.url)
    for _ in range(2):
        shop.accept(an_order())
        packing.pack_all()
    always = replay.Span(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
    assert replay.replay(endpoint, always, Actor()) == 2
    monkeypatch.setattr(replay, "MOST_REQUESTS", 1)
    with pytest.raises(InvalidInput, match="shorter"):
        replay.replay(endpoint, always, Actor())
    WebhookMessage.objects.all().delete()
    monkeypatch.setattr(replay, "MOST_ROWS", 1)
    with pytest.raises(InvalidInput, match="shorter"):
        replay.replay(endpoint, always, Actor())
    # what the endpoint does not want does not count
    endpoints.change(endpoint, {"event_types": ["campaign.*"]}, Actor())
    assert replay.replay(endpoint, always, Actor()) == 0


def test_what_happened_while_notifier_had_disabled_the_only_endpoint_is_sent(shop: Shop, got: Receiver) -> None:
    endpoint = an_endpoint(shop.tenant, got.url)
    got.answer(410)
    shop.accept(an_order())
    sender.run()
    shop.accept(an_order())
    assert sender.run() == 0
    endpoint.refresh_from_db()
    endpoints.change(endpoint, {"enabled": True}, Actor())
    assert replay.replay(endpoint, last_hour(), Actor()) == 2
    sender.run()
    assert len({event["id"] for event in got.events}) == 2
