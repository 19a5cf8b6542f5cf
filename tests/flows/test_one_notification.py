"""One notification from the POST to the phone and the inbox, and the requests that the API refuses."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.flows.http import Caller
from tests.flows.sandbox import Sandbox
from tests.flows.tenant import Tenant, content
from tests.flows.wait import until


@pytest.fixture
def ann(tenant: Tenant) -> str:
    """The device token of the recipient `ann`, who has push and in-app."""
    return create_ann(tenant)


@pytest.fixture(scope="module")
def quiet(new_tenant: Callable[[], Tenant]) -> Tenant:
    """A tenant with a recipient `ann` and no notification."""
    tenant = new_tenant()
    create_ann(tenant)
    return tenant


def create_ann(tenant: Tenant) -> str:
    token = f"{tenant.tag}ann"
    tenant.person("ann", token)
    order = content("Hello {{ recipient.name }}", "Order {{ order }} left.")
    tenant.publish("order", "order-updates", order)
    tenant.publish("offer", "promotions")
    tenant.publish("login", "security")
    return token


def in_seconds(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def test_one_post_reaches_the_phone_and_the_open_inbox(tenant: Tenant, sandbox: Sandbox, ann: str) -> None:
    inbox = tenant.inbox("ann")
    with inbox.opened() as socket:
        sent = tenant.send("ann", "order", data={"order": "A-7"})
        received = socket.receive("messages")["messages"]
    assert [(m["title"], m["body"]) for m in received] == [("Hello Ann", "Order A-7 left.")]
    assert tenant.wait_until_final(sent) == {"push": "sent", "in_app": "delivered"}
    assert [(a.address, a.title) for a in sandbox.arrivals(tenant.tag)] == [(ann, "Hello Ann")]
    assert [m["title"] for m in inbox.messages()] == ["Hello Ann"]


def test_the_history_of_each_channel_can_be_read(tenant: Tenant, ann: str) -> None:
    sent = tenant.send("ann", "order", data={"order": "A-7"})
    tenant.wait_until_final(sent)
    histories = {d["channel"]: [e["what"] for e in d["history"]] for d in tenant.notification(sent)["deliveries"]}
    assert histories == {"push": ["queued", "sent"], "in_app": ["queued", "delivered"]}


def test_a_retried_post_sends_once(tenant: Tenant, sandbox: Sandbox, ann: str) -> None:
    answers = [tenant.post("ann", "order", key="once", data={"order": "A-7"}) for _ in range(3)]
    assert {(a.status, a.json["id"]) for a in answers} == {(202, answers[0].json["id"])}
    tenant.wait_until_final(answers[0].json["id"])
    assert sandbox.addresses(tenant.tag) == {ann: 1}
    assert len(tenant.inbox("ann").messages()) == 1
    other = tenant.post("ann", "order", key="once", data={"order": "B-8"})
    assert (other.status, other.json["code"]) == (422, "idempotency_mismatch")


def test_a_scheduled_notification_leaves_at_its_time_and_not_before(tenant: Tenant, sandbox: Sandbox, ann: str) -> None:
    due = datetime.now(UTC) + timedelta(seconds=6)
    sent = tenant.send("ann", "order", data={"order": "A-7"}, send_at=due.isoformat())
    assert set(tenant.statuses(sent).values()) == {"queued"}
    tenant.wait_until_final(sent)
    assert [a.at >= due.timestamp() for a in sandbox.arrivals(tenant.tag)] == [True]


def test_an_opt_out_holds_for_a_notification_scheduled_before_it(tenant: Tenant, sandbox: Sandbox, ann: str) -> None:
    sent = tenant.send("ann", "offer", send_at=in_seconds(6))
    tenant.opt_out("ann")
    assert tenant.wait_until_final(sent) == {"push": "suppressed", "in_app": "suppressed"}
    assert sandbox.addresses(tenant.tag) == {}
    assert tenant.inbox("ann").messages() == []


def test_nothing_leaves_after_not_after(tenant: Tenant, sandbox: Sandbox) -> None:
    tenant.person("bob", f"{tenant.tag}bob-unavailable")
    tenant.publish("order", "order-updates")
    sent = tenant.send("bob", "order", channels=["push"], not_after=in_seconds(8))
    assert tenant.wait_until_final(sent) == {"push": "expired"}
    requests = sandbox.requests()
    assert requests >= 1
    later = tenant.send("bob", "order", channels=["in_app"])
    tenant.wait_until_final(later)
    assert sandbox.requests() == requests


def test_critical_passes_an_opt_out_and_marketing_does_not(tenant: Tenant, sandbox: Sandbox, ann: str) -> None:
    preferences = {"categories": {"promotions": False, "order-updates": False}, "channels": {"push": False}}
    tenant.api.request_json("PUT", "/v1/recipients/ann/preferences", preferences)
    refused = {key: tenant.wait_until_final(tenant.send("ann", key, data={"order": "1"})) for key in ("order", "offer")}
    assert refused == {key: {"push": "suppressed", "in_app": "suppressed"} for key in ("order", "offer")}
    assert tenant.wait_until_final(tenant.send("ann", "login")) == {"push": "sent", "in_app": "delivered"}
    assert sandbox.addresses(tenant.tag) == {ann: 1}


def test_a_dead_token_is_remembered(tenant: Tenant, sandbox: Sandbox) -> None:
    tenant.person("bob", f"{tenant.tag}bob-unregistered")
    tenant.publish("order", "order-updates")
    assert tenant.wait_until_final(tenant.send("bob", "order"))["push"] == "failed"
    assert [d["dead_since"] is not None for d in tenant.devices("bob")] == [True]
    assert tenant.wait_until_final(tenant.send("bob", "order"))["push"] == "suppressed"
    assert sandbox.requests() == 1


def test_a_provider_that_recovers_gets_the_message_once(tenant: Tenant, sandbox: Sandbox) -> None:
    tenant.person("bob", f"{tenant.tag}bob-flaky")
    tenant.publish("order", "order-updates")
    sent = tenant.send("bob", "order", channels=["push"])
    assert tenant.wait_until_final(sent) == {"push": "sent"}
    history = [event["what"] for event in tenant.notification(sent)["deliveries"][0]["history"]]
    assert history == ["queued", "retry", "sent"]
    assert sandbox.addresses(tenant.tag) == {f"{tenant.tag}bob-flaky": 1}


def test_a_test_key_never_leaves_the_sandbox(tenant: Tenant, sandbox: Sandbox, ann: str) -> None:
    api = tenant.with_key(tenant.credentials.test_key)
    sent = api.request_json("POST", "/v1/notifications", {"recipient": "ann", "template": "login"})["id"]
    assert tenant.wait_until_final(sent)["push"] == "sent"
    assert tenant.notification(sent)["mode"] == "test"


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"recipient": "nobody"}, 400, "recipient"),
        ({"template": "nothing"}, 400, "template"),
        ({"category": "nothing"}, 400, "category"),
        ({"channels": ["pigeon"]}, 400, "channels"),
        ({"data": {}}, 400, "order"),
        ({"data": "text"}, 400, "data"),
        ({"send_at": "2020-01-01T00:00:00Z"}, 400, "send_at"),
        ({"not_after": "2020-01-01T00:00:00Z"}, 400, "not_after"),
        ({"send_at": "soon"}, 400, "send_at"),
        ({"colour": "red"}, 400, "colour"),
        ({"recipient": None}, 400, "recipient"),
        ({"recipient": "a\0b"}, 400, "recipient"),
    ],
)
def test_bad_input_names_the_field_and_stores_nothing(
    quiet: Tenant, change: dict[str, Any], status: int, field: str
) -> None:
    body = {"recipient": "ann", "template": "order", "data": {"order": "1"}, **change}
    answer = quiet.api.call("POST", "/v1/notifications", body)
    problem = answer.json
    assert answer.status == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert field in problem["field"], problem
    assert quiet.api.request_json("GET", "/v1/notifications")["data"] == []


@pytest.mark.parametrize(
    ("raw", "status"), [(b"{", 400), (b"[]", 400), (b"\xff", 400), (b'{"a": NaN}', 400), (b"x" * 2_000_000, 400)]
)
def test_a_body_that_is_not_a_request_is_refused(quiet: Tenant, raw: bytes, status: int) -> None:
    answer = quiet.api.send("POST", "/v1/notifications", raw, content_type="application/json")
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")


@pytest.mark.parametrize(("raw", "status"), [(b"{", 400), (b"x" * 2_000_000, 413)])
def test_only_a_body_with_attachments_may_be_large(quiet: Tenant, raw: bytes, status: int) -> None:
    answer = quiet.api.send("POST", "/v1/notifications/bulk", raw, content_type="application/json")
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")


def test_without_a_valid_key_the_answer_is_401(quiet: Tenant) -> None:
    for header in ({}, {"authorization": "Bearer nk_live_wrong"}, {"authorization": "Basic abc"}):
        answer = Caller(quiet.api.origin).call("GET", "/v1/notifications", **header)
        assert (answer.status, answer.json["code"]) == (401, "unauthenticated")


def test_the_order_of_acceptance_is_the_order_of_arrival(tenant: Tenant, sandbox: Sandbox, ann: str) -> None:
    items = [{"recipient": "ann", "template": "order", "data": {"order": str(n)}} for n in range(50)]
    answer = tenant.api.request_json("POST", "/v1/notifications/bulk", {"items": items})
    assert (answer["accepted"], answer["refused"]) == (50, 0)
    expected = [next(d["id"] for d in item["deliveries"] if d["channel"] == "push") for item in answer["items"]]
    until(lambda: sandbox.count() >= 50, "50 pushes")
    assert [a.delivery for a in sandbox.arrivals(tenant.tag)] == expected
    inbox = tenant.inbox("ann")
    until(lambda: len(inbox.messages()) >= 50, "50 messages in the inbox")
    assert [m["body"] for m in reversed(inbox.messages())] == [f"Order {n} left." for n in range(50)]
