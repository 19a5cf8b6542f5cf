"""From a message to the receiver: what arrives, under which id, and what a failure changes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook as StandardWebhook
from svix.webhooks import Webhook as SvixWebhook

from notifier.models import WebhookAttempt, WebhookEndpoint, WebhookMessage
from notifier.webhooks import endpoints, packing, replay, sender
from tenants.audit import Actor
from tenants.models import AuditLog, Recipient
from tests.delivery.build import Shop, a_shop, an_order
from tests.webhooks.conftest import an_endpoint
from tests.webhooks.receiver import Receiver

State = WebhookMessage.State


def suppress(shop: Shop, times: int = 1, person: str = "ada") -> None:
    """Accept messages that end at once, because their recipient is blocked."""
    for _ in range(times):
        shop.accept(an_order(person))


def make_due(endpoint: WebhookEndpoint) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(resume_at=past)
    WebhookMessage.objects.filter(endpoint_id=endpoint.pk).update(due_at=past)


def test_an_event_arrives_signed_and_both_libraries_accept_it(shop: Shop, got: Receiver) -> None:
    endpoint = an_endpoint(shop.tenant, got.url, headers={"Authorization": "Bearer tenant"})
    suppress(shop)
    assert sender.run() == 1
    [call] = got.calls
    [event] = call.events
    assert event["type"] == "delivery.suppressed"
    assert event["data"]["recipient"] == "ada"
    assert event["data"]["reason"] == "recipient_blocked"
    assert event["data"]["template"] == "order"
    [secret] = endpoints.secrets_of(endpoint, datetime.now(UTC))
    headers = dict(call.headers)
    assert StandardWebhook(secret).verify(call.body, headers)["type"] == "events.batch"
    SvixWebhook(secret).verify(call.body, headers)
    assert headers["authorization"] == "Bearer tenant"
    assert headers["content-type"] == "application/json"


def test_events_of_one_moment_are_one_request_and_of_a_hundred_and_one_are_two(shop: Shop, got: Receiver) -> None:
    an_endpoint(shop.tenant, got.url)
    suppress(shop, 101)
    assert sender.run() == 2
    assert [len(call.events) for call in got.calls] == [100, 1]
    sequences = [event["sequence"] for event in got.events]
    assert sequences == sorted(sequences)
    assert len({event["id"] for event in got.events}) == 101


def test_a_tenant_without_an_endpoint_writes_nothing(shop: Shop) -> None:
    suppress(shop)
    assert packing.pack_all() == 0


def test_a_failure_is_tried_again_under_the_same_id(shop: Shop, got: Receiver) -> None:
    endpoint = an_endpoint(shop.tenant, got.url)
    got.answer(500)
    suppress(shop)
    assert sender.run() == 1
    endpoint.refresh_from_db()
    assert (endpoint.failures, endpoint.last_error) == (1, "HTTP 500")
    assert endpoint.resume_at > datetime.now(UTC) - timedelta(seconds=1)
    make_due(endpoint)
    assert sender.run() == 1
    assert len({call.webhook_id for call in got.calls}) == 1
    assert got.calls[0].body == got.calls[1].body
    endpoint.refresh_from_db()
    assert (endpoint.failures, endpoint.failing_since) == (0, None)
    assert list(WebhookAttempt.objects.order_by("id").values_list("status", flat=True)) == [500, 204]


def test_a_redirect_is_a_failure_and_is_not_followed(shop: Shop, got: Receiver) -> None:
    endpoint = an_endpoint(shop.tenant, got.url)
    got.answer(302, headers={"Location": got.url.replace("/hook", "/elsewhere")})
    suppress(shop)
    sender.run()
    assert [call.path for call in got.calls] == ["/hook"]
    endpoint.refresh_from_db()
    assert endpoint.last_error == "HTTP 302: a redirect, which is not followed"


def test_an_endpoint_that_is_gone_is_disabled(shop: Shop, got: Receiver) -> None:
    endpoint = an_endpoint(shop.tenant, got.url)
    got.answer(410)
    suppress(shop)
    sender.run()
    endpoint.refresh_from_db()
    assert (endpoint.enabled, endpoint.disabled_because) == (False, "The server answered 410 Gone.")
    assert AuditLog.objects.filter(action="webhook_endpoint.disabled", object_id=str(endpoint.pk)).exists()
    suppress(shop)
    assert sender.run() == 0


def test_retry_after_is_honoured(shop: Shop, got: Receiver) -> None:
    endpoint = an_endpoint(shop.tenant, got.url)
    got.answer(429, headers={"Retry-After": "900"})
    suppress(shop)
    sender.run()
    [message] = WebhookMessage.objects.filter(endpoint_id=endpoint.pk)
    later = datetime.now(UTC) + timedelta(seconds=800)
    endpoint.refresh_from_db()
    assert message.due_at > later
    assert endpoint.resume_at > later


def test_while_secrets_rotate_both_are_accepted(shop: Shop, got: Receiver) -> None:
    endpoint = an_endpoint(shop.tenant, got.url)
    [earlier] = endpoints.secrets_of(endpoint, datetime.now(UTC))
    endpoints.rotate(endpoint, Actor())
    newest, also = endpoints.secrets_of(endpoint, datetime.now(UTC))
    assert also == earlier != newest
    suppress(shop)
    sender.run()
    [call] = got.calls
    for secret in (newest, earlier):
        for library in (StandardWebhook, SvixWebhook):
            library(secret).verify(call.body, dict(call.headers))
    assert endpoints.secrets_of(endpoint, datetime.now(UTC) + timedelta(hours=25)) == [newest]


def test_of_two_rotations_of_one_moment_both_secrets_sign(shop: Shop, got: Receiver) -> None:
    made = an_endpoint(shop.tenant, got.url)
    one, other = (WebhookEndpoint.objects.get(pk=made.pk) for _ in range(2))
    for endpoint in (one, other):
        endpoints.rotate(endpoint, Actor())
    now = datetime.now(UTC)
    assert endpoints.secrets_of(other, now)[1] == endpoints.secrets_of(one, now)[0]


def test_an_endpoint_gets_only_what_its_filters_name(shop: Shop, new_receiver: Callable[[], Receiver]) -> None:
    wants, wants_not, wants_all = new_receiver(), new_receiver(), new_receiver()
    an_endpoint(shop.tenant, wants.url, event_types=["delivery.*"])
    an_endpoint(shop.tenant, wants_not.url, event_types=["campaign.*", "delivery.sent"])
    an_endpoint(shop.tenant, wants_all.url)
    suppress(shop)
    Recipient.objects.filter(tenant=shop.tenant).update(status="active")
    sender.run()
    assert wants.types == ["delivery.suppressed"]
    assert wants_not.types == []
    assert wants_all.types == ["delivery.suppressed", "consent.changed"]


def test_a_tenant_never_gets_events_of_another(shop: Shop, new_receiver: Callable[[], Receiver]) -> None:
    other = a_shop()
    other.recipient("zoe", status="blocked")
    ours, theirs = new_receiver(), new_receiver()
    an_endpoint(shop.tenant, ours.url, event_types=["delivery.*"])
    an_endpoint(other.tenant, theirs.url, event_types=["delivery.*"])
    suppress(shop)
    suppress(other, person="zoe")
    sender.run()
    assert [event["data"]["recipient"] for event in ours.events] == ["ada"]
    assert [event["data"]["recipient"] for event in theirs.events] == ["zoe"]


def test_a_dead_server_delays_no_other_endpoint(shop: Shop, got: Receiver) -> None:
    dead = an_endpoint(shop.tenant, "http://127.0.0.1:9/hook")
    an_endpoint(shop.tenant, got.url)
    suppress(shop, 3)
    sender.run()
    assert len(got.events) == 3
    dead.refresh_from_db()
    assert dead.last_error == "the connection was refused"


def test_an_example_arrives_whatever_the_filters(shop: Shop, got: Receiver) -> None:
    endpoint = an_endpoint(shop.tenant, got.url, event_types=["campaign.*"])
    replay.send_example(endpoint, Actor())
    sender.run()
    assert got.types == ["webhook.example"]


@pytest.mark.parametrize("state", [State.DONE, State.FAILED], ids=["done", "given up"])
def test_a_replay_has_the_same_ids(shop: Shop, got: Receiver, state: State) -> None:
    endpoint = an_endpoint(shop.tenant, got.url, event_types=["delivery.*"])
    suppress(shop)
    sender.run()
    WebhookMessage.objects.update(state=state)
    now = datetime.now(UTC)
    span = replay.Span(now - timedelta(hours=1), now + timedelta(hours=1))
    assert replay.replay(endpoint, span, Actor()) == 1
    sender.run()
    first, second = got.calls
    assert (first.webhook_id, first.body) == (second.webhook_id, second.body)
    assert replay.replay(endpoint, span._replace(event_types=["campaign.*"]), Actor()) == 0
    assert replay.replay_event(endpoint, first.events[0]["id"], Actor()) == 1
    sender.run()
    assert got.calls[2].webhook_id == first.webhook_id


def test_what_an_endpoint_missed_is_replayed_in_new_requests(shop: Shop, new_receiver: Callable[[], Receiver]) -> None:
    had, missed = new_receiver(), new_receiver()
    an_endpoint(shop.tenant, had.url, event_types=["delivery.*"])
    suppress(shop, 2)
    sender.run()
    late = an_endpoint(shop.tenant, missed.url, event_types=["delivery.*"])
    now = datetime.now(UTC)
    assert replay.replay_event(late, had.events[0]["id"], Actor()) == 1
    sender.run()
    assert missed.events == had.events[:1]
    span = replay.Span(now - timedelta(hours=1), now + timedelta(hours=1))
    assert replay.replay(late, span, Actor()) == 2
    sender.run()
    assert {event["id"] for event in missed.events} == {event["id"] for event in had.events}
    assert len(had.calls) == 1
