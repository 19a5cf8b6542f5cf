"""A tenant's server hears of every message: signed, in order, after a killed worker too, and as often as the ledger
says."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator

import pytest
from standardwebhooks.webhooks import Webhook as StandardWebhook
from svix.webhooks import Webhook as SvixWebhook

from tests.flows.site import Site
from tests.flows.tenant import Tenant, content
from tests.flows.wait import until
from tests.webhooks.receiver import Receiver, receiver

PEOPLE = 2_000
WORKER = "worker:webhooks"


@pytest.fixture
def got() -> Iterator[Receiver]:
    with receiver() as one:
        yield one


def subscribe(tenant: Tenant, got: Receiver, *event_types: str) -> str:
    """The address of a new endpoint, of which every process knows."""
    body = {"url": got.url, "event_types": list(event_types)}
    address = f"/v1/webhooks/{tenant.api.request_json('POST', '/v1/webhooks', body)['id']}"
    # an endpoint holds everywhere after a second: the sweep packs and sends this example later than that
    tenant.api.request_json("POST", f"{address}/test")
    until(lambda: "webhook.example" in got.types, "the example")
    return address


def of_type(got: Receiver, prefix: str) -> list[dict[str, object]]:
    return [event for event in got.events if str(event["type"]).startswith(prefix)]


def test_one_message_is_told_signed_and_in_its_order(tenant: Tenant, got: Receiver) -> None:
    tenant.publish("hello", "order-updates", content())
    tenant.person("ada", f"{tenant.tag}phone")
    address = subscribe(tenant, got, "delivery.*")
    secret = tenant.api.request_json("GET", f"{address}/secret")["secret"]
    notification = tenant.send("ada", "hello")
    statuses = tenant.wait_until_final(notification)
    until(lambda: len(of_type(got, "delivery.")) >= len(statuses), "an event of each channel")
    for call in got.calls:
        StandardWebhook(secret).verify(call.body, dict(call.headers))
        SvixWebhook(secret).verify(call.body, dict(call.headers))
    told = {str(event["data"]["channel"]): event for event in of_type(got, "delivery.")}  # type: ignore[index]
    assert {channel: event["data"]["status"] for channel, event in told.items()} == statuses  # type: ignore[index]
    assert {event["data"]["notification"] for event in told.values()} == {notification}  # type: ignore[index]


def test_a_campaign_is_told_as_the_ledger_counts_it(tenant: Tenant, got: Receiver) -> None:
    tenant.publish("news", "promotions", content())
    people = tenant.people(PEOPLE)
    tenant.import_people(people)
    tenant.opt_out(people[0].external_id)
    subscribe(tenant, got, "delivery.*", "campaign.*")
    campaign = tenant.draft("news", tenant.everybody())
    campaign.arm()
    campaign.go()
    campaign.wait_until_settled()
    until(lambda: "campaign.finished" in got.types, "the end of the campaign")
    [finished] = of_type(got, "campaign.finished")
    until(lambda: len(of_type(got, "delivery.")) >= 2 * PEOPLE, "an event of each message")
    deliveries = [event["data"] for event in of_type(got, "delivery.")]
    ids = Counter(data["delivery"] for data in deliveries)  # type: ignore[index]
    assert set(ids.values()) == {1}
    assert len(ids) == 2 * PEOPLE
    told = Counter(str(data["status"]) for data in deliveries)  # type: ignore[index]
    assert told["suppressed"] == 2
    assert told["sent"] + told["delivered"] == 2 * PEOPLE - 2
    names = [str(event["type"]) for event in of_type(got, "campaign.")]
    assert names == ["campaign.armed", "campaign.launched", "campaign.finished"]
    assert finished["data"]["counts"]  # type: ignore[index]
    assert max(len(call.events) for call in got.calls) <= 100


def test_a_killed_worker_repeats_a_request_under_its_id_and_loses_none(
    site: Site, tenant: Tenant, got: Receiver
) -> None:
    tenant.publish("hello", "order-updates", content())
    tenant.person("ada")
    subscribe(tenant, got, "delivery.*")
    arrived, released = threading.Event(), threading.Event()
    got.hold(arrived, released)
    try:
        sent = [tenant.send("ada", "hello") for _ in range(20)]
        assert arrived.wait(60)
        site.kill(WORKER)
    finally:
        released.set()
    site.start(WORKER)
    expected = {(notification, channel) for notification in sent for channel in tenant.wait_until_final(notification)}

    def told() -> set[tuple[str, str]]:
        data = [event["data"] for event in of_type(got, "delivery.")]
        return {(str(one["notification"]), str(one["channel"])) for one in data}  # type: ignore[index]

    def repeated() -> list[str]:
        calls = Counter(call.webhook_id for call in got.calls)
        return [webhook_id for webhook_id, times in calls.items() if times > 1]

    # the held request may have had all events: it comes again when its lease is over
    until(lambda: told() >= expected and repeated(), "every event, and the held request again")
    assert len(repeated()) == 1
    bodies = {call.body for call in got.calls if call.webhook_id == repeated()[0]}
    assert len(bodies) == 1
