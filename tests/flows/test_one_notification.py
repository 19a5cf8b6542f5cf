"""One notification: from the POST to the phone and the inbox, and what the surface refuses."""

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
    """The token of a recipient `ann`, who can be reached on push and in-app."""
    return furnish(tenant)


@pytest.fixture(scope="module")
def quiet(new_tenant: Callable[[], Tenant]) -> Tenant:
    """A tenant with a recipient `ann` to whom nothing is ever sent."""
    made = new_tenant()
    furnish(made)
    return made


def furnish(tenant: Tenant) -> str:
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
        heard = socket.hear("messages")["messages"]
    assert [(m["title"], m["body"]) for m in heard] == [("Hello Ann", "Order A-7 left.")]
    assert tenant.ended(sent) == {"push": "sent", "in_app": "delivered"}
    assert [(a.address, a.title) for a in sandbox.arrivals(tenant.tag)] == [(ann, "Hello Ann")]
    assert [m["title"] for m in inbox.messages()] == ["Hello Ann"]


def test_the_history_of_each_channel_can_be_read(tenant: Tenant, ann: str) -> None:
    sent = tenant.send("ann", "order", data={"order": "A-7"})
    tenant.ended(sent)
    found = {d["channel"]: [e["what"] for e in d["history"]] for d in tenant.notification(sent)["deliveries"]}
    assert found == {"push": ["queued", "sent"], "in_app": ["queued", "delivered"]}


def test_a_retried_post_sends_once(tenant: Tenant, sandbox: Sandbox, ann: str) -> None:
    answers = [tenant.post("ann", "order", key="once", data={"order": "A-7"}) for _ in range(3)]
    assert {(a.status, a.json["id"]) for a in answers} == {(202, answers[0].json["id"])}
    tenant.ended(answers[0].json["id"])
    assert sandbox.addresses(tenant.tag) == {ann: 1}
    assert len(tenant.inbox("ann").messages()) == 1
    other = tenant.post("ann", "order", key="once", data={"order": "B-8"})
    assert (other.status, other.json["code"]) == (422, "idempotency_mismatch")


def test_what_is_for_later_leaves_then_and_not_before(tenant: Tenant, sandbox: Sandbox, ann: str) -> None:
    due = datetime.now(UTC) + timedelta(seconds=3)
    sent = tenant.send("ann", "order", data={"order": "A-7"}, send_at=due.isoformat())
    assert set(tenant.statuses(sent).values()) == {"queued"}
    tenant.ended(sent)
    assert [a.at >= due.timestamp() for a in sandbox.arrivals(tenant.tag)] == [True]


def test_a_later_no_holds_for_what_was_scheduled_before(tenant: Tenant, sandbox: Sandbox, ann: str) -> None:
    sent = tenant.send("ann", "offer", send_at=in_seconds(3))
    tenant.opt_out("ann")
    assert tenant.ended(sent) == {"push": "suppressed", "in_app": "suppressed"}
    assert sandbox.addresses(tenant.tag) == {}
    assert tenant.inbox("ann").messages() == []


def test_nothing_leaves_after_not_after(tenant: Tenant, sandbox: Sandbox) -> None:
    tenant.person("bob", f"{tenant.tag}bob-unavailable")
    tenant.publish("order", "order-updates")
    sent = tenant.send("bob", "order", channels=["push"], not_after=in_seconds(4))
    assert tenant.ended(sent) == {"push": "expired"}
    tried = sandbox.requests()
    assert tried >= 1
    later = tenant.send("bob", "order", channels=["in_app"])
    tenant.ended(later)
    assert sandbox.requests() == tried


def test_critical_passes_an_opt_out_and_marketing_does_not(tenant: Tenant, sandbox: Sandbox, ann: str) -> None:
    noes = {"categories": {"promotions": False, "order-updates": False}, "channels": {"push": False}}
    tenant.api.ask("PUT", "/v1/recipients/ann/preferences", noes)
    refused = {key: tenant.ended(tenant.send("ann", key, data={"order": "1"})) for key in ("order", "offer")}
    assert refused == {key: {"push": "suppressed", "in_app": "suppressed"} for key in ("order", "offer")}
    assert tenant.ended(tenant.send("ann", "login")) == {"push": "sent", "in_app": "delivered"}
    assert sandbox.addresses(tenant.tag) == {ann: 1}


def test_a_dead_token_is_remembered(tenant: Tenant, sandbox: Sandbox) -> None:
    tenant.person("bob", f"{tenant.tag}bob-unregistered")
    tenant.publish("order", "order-updates")
    assert tenant.ended(tenant.send("bob", "order"))["push"] == "failed"
    assert [d["dead_since"] is not None for d in tenant.devices("bob")] == [True]
    assert tenant.ended(tenant.send("bob", "order"))["push"] == "suppressed"
    assert sandbox.requests() == 1


def test_a_provider_that_recovers_gets_it_once(tenant: Tenant, sandbox: Sandbox) -> None:
    tenant.person("bob", f"{tenant.tag}bob-flaky")
    tenant.publish("order", "order-updates")
    sent = tenant.send("bob", "order", channels=["push"])
    assert tenant.ended(sent) == {"push": "sent"}
    history = [event["what"] for event in tenant.notification(sent)["deliveries"][0]["history"]]
    assert history == ["queued", "retry", "sent"]
    assert sandbox.addresses(tenant.tag) == {f"{tenant.tag}bob-flaky": 1}


def test_a_test_key_never_leaves_the_sandbox(tenant: Tenant, sandbox: Sandbox, ann: str) -> None:
    api = tenant.with_key(tenant.papers.test_key)
    sent = api.ask("POST", "/v1/notifications", {"recipient": "ann", "template": "login"})["id"]
    assert tenant.ended(sent)["push"] == "sent"
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
    assert quiet.api.ask("GET", "/v1/notifications")["data"] == []


@pytest.mark.parametrize(
    ("raw", "status"), [(b"{", 400), (b"[]", 400), (b"\xff", 400), (b'{"a": NaN}', 400), (b"x" * 2_000_000, 413)]
)
def test_a_body_that_is_no_request_is_refused(quiet: Tenant, raw: bytes, status: int) -> None:
    answer = quiet.api.send("POST", "/v1/notifications", raw, content_type="application/json")
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")


def test_without_a_valid_key_nothing_is_told(quiet: Tenant) -> None:
    for header in ({}, {"authorization": "Bearer nk_live_wrong"}, {"authorization": "Basic abc"}):
        answer = Caller(quiet.api.origin).call("GET", "/v1/notifications", **header)
        assert (answer.status, answer.json["code"]) == (401, "unauthenticated")


def test_the_order_of_acceptance_is_the_order_of_arrival(tenant: Tenant, sandbox: Sandbox, ann: str) -> None:
    items = [{"recipient": "ann", "template": "order", "data": {"order": str(n)}} for n in range(50)]
    answer = tenant.api.ask("POST", "/v1/notifications/bulk", {"items": items})
    assert (answer["accepted"], answer["refused"]) == (50, 0)
    wanted = [next(d["id"] for d in item["deliveries"] if d["channel"] == "push") for item in answer["items"]]
    until(lambda: sandbox.count() >= 50, "50 pushes")
    assert [a.delivery for a in sandbox.arrivals(tenant.tag)] == wanted
    inbox = tenant.inbox("ann")
    until(lambda: len(inbox.messages()) >= 50, "50 messages in the inbox")
    assert [m["body"] for m in reversed(inbox.messages())] == [f"Order {n} left." for n in range(50)]
