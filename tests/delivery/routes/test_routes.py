"""Fallback routes over the API to the sandbox's receiver; the clock of the sweep is moved, and nobody waits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django import Settings

from inbox.models import InboxMessage
from inbox.store import changes
from notifier.delivery.accounts import registry
from notifier.delivery.content import templates
from notifier.delivery.planning.category_rules import find_uses
from notifier.delivery.routes import sweep as routes
from notifier.delivery.send import deliver
from notifier.delivery.sweep import sweep
from notifier.models import Delivery, OrderingQueue, ProviderAccount, Route, Template
from notifier.vocabulary.status import Lane, QueuePosition, Status
from tenants.models import Category, Device, Preference, Recipient
from tests.delivery.build import Shop, a_shop
from tests.fixtures import Api, api_key
from tests.sandbox.process import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

PHONE = "+491701234567"
CONTENT: dict[str, Any] = {
    "push": {"en": {"title": "Order", "body": "It left"}},
    "in_app": {"en": {"title": "Order", "body": "It left"}},
    "sms": {"en": {"text": "It left"}},
    "email": {"en": {"subject": "Order", "text": "It left {{ unsubscribe_url }}"}},
}
PUSH_THEN_SMS = [{"channel": "push"}, {"after": "10m", "unless": "seen", "channel": "sms"}]
INBOX_THEN_SMS = [{"channels": ["in_app", "push"]}, {"after": "10m", "channel": "sms"}]
THREE = [*PUSH_THEN_SMS, {"after": "1h", "channel": "email"}]


class Site:
    """A shop with every channel, and Ada, who has a phone, an address and a device."""

    def __init__(self, api: Callable[[str], Api], sandbox: Sandbox, kind: str = "transactional") -> None:
        self.shop: Shop = a_shop(kind)
        templates.publish(Template.objects.get(tenant=self.shop.tenant), CONTENT)
        self.ada = self.shop.recipient(phone=PHONE, email="ada@mail.example")
        self.api, self.sandbox = api(api_key(self.shop.tenant)), sandbox

    def device(self, token: str = "token-of-ada", recipient: Recipient | None = None) -> None:
        Device.objects.create(tenant=self.shop.tenant, recipient=recipient or self.ada, token=token)

    def send(self, route: Any, **fields: Any) -> str:
        got = self.api("POST", "/v1/notifications", {"recipient": "ada", "template": "order", "route": route, **fields})
        assert got.status == 202, got.body
        return str(got.body["id"])

    def read(self, notification: str) -> Any:
        got = self.api("GET", f"/v1/notifications/{notification}")
        assert got.status == 200, got.body
        return got.body

    def states(self, notification: str) -> list[str]:
        return [step["state"] for step in self.read(notification)["steps"]]

    def statuses(self, notification: str) -> dict[str, str]:
        return {d["channel"]: d["status"] for d in self.read(notification)["deliveries"]}

    def work(self, after: timedelta = timedelta()) -> None:
        """What the sweep and the workers do at that time from now."""
        routes.sweep(datetime.now(UTC) + after)
        sweep()
        for name in ("push", "in_app", "sms", "email"):
            deliver(name, list(Lane))

    def arrived(self) -> list[str]:
        """The channels of the messages that the receiver got."""
        return sorted(m["channel"] for m in self.sandbox.report(detail=100)["messages"])


@pytest.fixture
def site(api: Callable[[str], Api], sandbox: Sandbox, settings: Settings) -> Site:
    settings.SANDBOX_URL, settings.SANDBOX_CA = sandbox.url, sandbox.ca
    return Site(api, sandbox)


MINUTE = timedelta(minutes=1)


def test_a_push_that_fails_lets_the_sms_leave_at_once(site: Site) -> None:
    site.device("ada-unregistered")
    notification = site.send(PUSH_THEN_SMS)
    assert site.states(notification) == ["started", "waiting"]
    site.work()
    assert site.statuses(notification) == {"push": "failed", "sms": "queued"}
    site.work()
    assert site.statuses(notification) == {"push": "failed", "sms": "sent"}
    assert site.states(notification) == ["started", "started"]
    assert site.arrived() == ["sms"]


def test_a_push_that_is_not_seen_lets_the_sms_leave_after_its_time_and_once(site: Site) -> None:
    site.device()
    notification = site.send(PUSH_THEN_SMS)
    site.work()
    site.work(9 * MINUTE)
    assert site.arrived() == ["push"]
    waiting = site.read(notification)["steps"][1]
    left = Delivery.objects.get(channel="push").settled_at
    explained = site.api("GET", f"/v1/notifications/{notification}/explain").body
    lines = {c["channel"]: c["rules"][-1] for c in explained["now"]["channels"]}
    assert lines["push"]["looked_at"] == "step 1 of its route" and lines["push"]["said"] == "passed"
    assert lines["sms"]["looked_at"] == "step 2 of its route: 10m after the step before, unless it was seen"
    assert lines["sms"]["said"].startswith("waits until ")
    assert left is not None and waiting["state"] == "waiting"
    assert datetime.fromisoformat(waiting["leaves_at"]) == left + 10 * MINUTE
    for minutes in (11, 11, 12):
        site.work(minutes * MINUTE)
    assert site.arrived() == ["push", "sms"]
    sms = next(d for d in site.read(notification)["deliveries"] if d["channel"] == "sms")
    assert ("started", "step 1 was not seen after 10m") in [(e["what"], e["detail"]) for e in sms["history"]]
    assert Route.objects.get().due_at is None


def test_an_inbox_message_that_was_shown_stops_the_rest(site: Site) -> None:
    notification = site.send(INBOX_THEN_SMS)
    site.work()
    changes.see_up_to(site.ada.pk, 1)
    site.work(11 * MINUTE)
    assert site.arrived() == []
    assert site.states(notification) == ["started", "not_needed"]


def test_an_inbox_message_that_is_read_stops_the_rest(site: Site) -> None:
    notification = site.send(INBOX_THEN_SMS)
    site.work()
    changes.act(site.ada.pk, InboxMessage.objects.get().pk, "read", now=datetime.now(UTC))
    site.work(11 * MINUTE)
    assert site.arrived() == []
    sms = next(d for d in site.read(notification)["deliveries"] if d["channel"] == "sms")
    assert (sms["status"], sms["reason"], sms["detail"]) == ("suppressed", "not_needed", "step 1 reached the recipient")
    assert site.states(notification) == ["started", "not_needed"]
    assert Route.objects.get().due_at is None


def test_an_inbox_message_that_is_not_read_lets_the_sms_leave(site: Site) -> None:
    site.send(INBOX_THEN_SMS)
    site.work()
    site.work(11 * MINUTE)
    assert site.arrived() == ["sms"]


def test_unless_delivered_needs_no_more_than_an_inbox_that_has_it(site: Site) -> None:
    route = [{"channel": "in_app"}, {"after": "30s", "unless": "delivered", "channel": "sms"}]
    notification = site.send(route)
    site.work()
    site.work(MINUTE)
    assert (site.arrived(), site.states(notification)) == ([], ["started", "not_needed"])


def test_a_cancelled_notification_sends_no_later_step(site: Site) -> None:
    site.device()
    notification = site.send(PUSH_THEN_SMS)
    site.work()
    got = site.api("POST", f"/v1/notifications/{notification}/cancel")
    assert got.status == 200, got.body
    assert site.statuses(notification) == {"push": "sent", "sms": "cancelled"}
    assert site.states(notification) == ["started", "cancelled"]
    site.work(11 * MINUTE)
    assert site.arrived() == ["push"]
    assert site.api("POST", f"/v1/notifications/{notification}/cancel").status == 200


def test_a_group_is_cancelled_with_its_later_steps(site: Site) -> None:
    site.device()
    for _ in range(2):
        site.send(PUSH_THEN_SMS, group_key="trip")
    site.work()
    got = site.api("POST", "/v1/notifications/cancel", {"group_key": "trip"})
    assert got.body == {"notifications": 2, "messages": 2, "in_flight": 0, "more": False}
    site.work(11 * MINUTE)
    assert site.arrived() == ["push", "push"]


def test_an_opt_out_of_sms_after_acceptance_holds_for_its_step(site: Site) -> None:
    site.device()
    notification = site.send(THREE)
    site.work()
    Preference.objects.create(tenant=site.shop.tenant, recipient=site.ada, channels_off=["sms"])
    site.work(11 * MINUTE)
    assert site.statuses(notification) == {"push": "sent", "sms": "suppressed", "email": "queued"}
    # suppressed is failed for good: the step after it leaves at once
    site.work(11 * MINUTE)
    assert site.arrived() == ["email", "push"]


def test_a_rescheduled_notification_moves_its_whole_route(site: Site) -> None:
    site.device()
    first = datetime.now(UTC) + timedelta(hours=1)
    notification = site.send(PUSH_THEN_SMS, send_at=first.isoformat())
    then = first + timedelta(days=1)
    got = site.api("POST", f"/v1/notifications/{notification}/reschedule", {"send_at": then.isoformat()})
    assert got.status == 200, got.body
    assert datetime.fromisoformat(got.body["steps"][1]["leaves_at"]) == then + 10 * MINUTE
    assert set(Delivery.objects.values_list("due_at", flat=True)) == {then}
    site.work(timedelta(hours=2))
    assert site.arrived() == []
    Delivery.objects.update(due_at=datetime.now(UTC))
    site.work()
    assert site.arrived() == ["push"]
    site.work(timedelta(hours=26))
    assert site.arrived() == ["push", "sms"]


def test_a_route_whose_first_step_left_is_not_rescheduled(site: Site) -> None:
    site.device()
    notification = site.send(PUSH_THEN_SMS)
    site.work()
    then = datetime.now(UTC) + timedelta(hours=1)
    got = site.api("POST", f"/v1/notifications/{notification}/reschedule", {"send_at": then.isoformat()})
    assert (got.status, got.body["code"]) == (409, "too_late")
    site.work(11 * MINUTE)
    assert site.arrived() == ["push", "sms"]


def test_the_first_step_that_can_reach_starts_at_acceptance(site: Site) -> None:
    got = site.api("POST", "/v1/notifications", {"recipient": "ada", "template": "order", "route": THREE})
    shown = [(d["channel"], d["step"], d["status"], d.get("reason", "")) for d in got.body["deliveries"]]
    assert shown == [("push", 1, "suppressed", "no_address"), ("sms", 2, "queued", ""), ("email", 3, "queued", "")]
    site.work()
    assert site.arrived() == ["sms"]
    assert site.states(got.body["id"]) == ["started", "started", "waiting"]


def test_the_route_of_a_template_counts_until_a_request_says_otherwise(site: Site) -> None:
    site.device()
    got = site.api("PUT", "/v1/templates/order", {"content": CONTENT, "route": PUSH_THEN_SMS})
    assert got.status == 200, got.body
    assert got.body["route"] == [
        {"channels": ["push"]}, {"after": "10m", "unless": "seen", "channels": ["sms"]},
    ]  # fmt: skip
    body = {"recipient": "ada", "template": "order"}

    def positions(**fields: Any) -> dict[str, int]:
        got = site.api("POST", "/v1/notifications", {**body, **fields})
        assert got.status == 202, got.body
        return dict(Delivery.objects.filter(notification_id=got.body["id"]).values_list("channel", "queue_position"))

    later = QueuePosition.LATER_STEP
    assert positions()["sms"] == later and len(positions()) == 2
    switched_off: list[dict[str, Any]] = [{"route": None}, {"route": []}, {"channels": ["push", "sms"]}]
    for off in switched_off:
        assert later not in positions(**off).values()
    assert positions(route=[{"channel": "sms"}, {"channel": "email", "after": "1d"}])["email"] == later
    assert site.api("PUT", "/v1/templates/order", {"content": CONTENT, "route": None}).body["route"] is None
    assert later not in positions().values()
    got = site.api("PUT", "/v1/templates/order", {"content": {"push": CONTENT["push"]}, "route": PUSH_THEN_SMS})
    assert (got.status, got.body["field"], got.body["code"]) == (400, "route.1.channel", "no_content")
    assert Template.objects.get(key="order").route is None


def test_a_wrong_route_is_refused_and_nothing_is_stored(site: Site) -> None:
    for step, field in (({"channel": "sms"}, "route.1.after"), ({"channel": "chat", "after": "1h"}, "route.1.channel")):
        body = {"recipient": "ada", "template": "order", "route": [{"channel": "push"}, step]}
        got = site.api("POST", "/v1/notifications", body)
        assert (got.status, got.body["field"]) == (400, field), got.body
    assert not Delivery.objects.exists() and not Route.objects.exists()


def test_channels_beside_a_route_are_refused(site: Site) -> None:
    body = {"recipient": "ada", "template": "order", "route": PUSH_THEN_SMS, "channels": ["push"]}
    got = site.api("POST", "/v1/notifications", body)
    assert (got.status, got.body["field"], got.body["code"]) == (400, "channels", "two_ways")


def test_bulk_items_have_routes_of_their_own(site: Site) -> None:
    site.device()
    items = [
        {"recipient": "ada", "template": "order", "route": PUSH_THEN_SMS},
        {"recipient": "ada", "template": "order", "route": [{"channel": "push"}, {"channel": "sms"}]},
        {"recipient": "ada", "template": "order"},
    ]
    got = site.api("POST", "/v1/notifications/bulk", {"items": items})
    assert [item["status"] for item in got.body["items"]] == [202, 400, 202]
    assert got.body["items"][1]["problem"]["field"] == "route.1.after"
    assert Route.objects.count() == 1


def test_a_full_queue_makes_the_next_step_wait(site: Site, settings: Settings) -> None:
    site.device("ada-unregistered")
    site.send(PUSH_THEN_SMS)
    deliver("push", list(Lane))
    queue = OrderingQueue.objects.create(
        tenant=site.shop.tenant, recipient_id=site.ada.pk, channel="sms", lane=Lane.TRANSACTIONAL, mode="live",
        unfinished=settings.ORDERING_QUEUE_LIMIT,
    )  # fmt: skip
    site.work()
    assert site.arrived() == []
    OrderingQueue.objects.filter(pk=queue.pk).update(unfinished=0)
    site.work(MINUTE)
    assert site.arrived() == ["sms"]
    assert not OrderingQueue.objects.filter(unfinished__gt=0).exists()


def test_a_later_step_in_quiet_hours_is_held_and_stopped_when_an_earlier_one_is_seen(
    api: Callable[[str], Api], sandbox: Sandbox, settings: Settings
) -> None:
    settings.SANDBOX_URL, settings.SANDBOX_CA = sandbox.url, sandbox.ca
    site = Site(api, sandbox, "marketing")
    notification = site.send(INBOX_THEN_SMS)
    site.work()
    now = datetime.now(UTC)
    quiet = {"quiet_from": (now - timedelta(hours=1)).time(), "quiet_until": (now + timedelta(hours=1)).time()}
    Preference.objects.create(tenant=site.shop.tenant, recipient=site.ada, **quiet)
    site.work(11 * MINUTE)
    sms = Delivery.objects.get(channel="sms")
    assert (sms.status, sms.queue_position, site.arrived()) == (Status.QUEUED, QueuePosition.PARKED, [])
    routes.sweep(now + 12 * MINUTE)
    assert Route.objects.get().due_at == sms.due_at - timedelta(seconds=1)
    changes.act(site.ada.pk, InboxMessage.objects.get().pk, "read", now=datetime.now(UTC))
    routes.sweep(sms.due_at)
    assert site.states(notification) == ["started", "not_needed"]
    assert not OrderingQueue.objects.filter(unfinished__gt=0).exists()


def test_not_after_holds_for_a_later_step(site: Site) -> None:
    site.device()
    notification = site.send(PUSH_THEN_SMS, not_after=(datetime.now(UTC) + 5 * MINUTE).isoformat())
    site.work()
    Delivery.objects.filter(channel="sms").update(not_after=datetime.now(UTC))
    site.work(11 * MINUTE)
    assert (site.arrived(), site.statuses(notification)["sms"]) == (["push"], "expired")


def test_a_route_comes_before_preferred_channels_which_choose_within_a_step(site: Site) -> None:
    site.device()
    got = site.api("PUT", "/v1/recipients/ada/preferences", {"preferred_channels": {"orders": "sms"}})
    assert got.status == 200, got.body
    first = site.send(PUSH_THEN_SMS)
    assert site.statuses(first) == {"push": "queued", "sms": "queued"}
    together = site.send([{"channels": ["push", "sms"]}, {"after": "1h", "channel": "email"}])
    assert site.statuses(together) == {"push": "suppressed", "sms": "queued", "email": "queued"}
    site.work()
    assert site.arrived() == ["push", "sms"]


def test_a_later_step_whose_account_was_deleted_leaves_through_another_one(site: Site) -> None:
    site.device()
    notification = site.send(PUSH_THEN_SMS)
    site.work()
    ProviderAccount.objects.filter(channel="sms").delete()
    registry.reset()
    site.work(11 * MINUTE)
    site.work(11 * MINUTE)
    assert (site.arrived(), site.statuses(notification)["sms"]) == (["push", "sms"], "sent")


def test_a_category_with_a_route_that_is_not_over_is_in_use(site: Site) -> None:
    site.device()
    notification = site.send(PUSH_THEN_SMS)
    site.work()
    uses = [use.description for use in find_uses(Category.objects.get(tenant=site.shop.tenant, key="orders"))]
    assert "notifications with a route that is not over" in uses
    site.api("POST", f"/v1/notifications/{notification}/cancel")
    uses = [use.description for use in find_uses(Category.objects.get(tenant=site.shop.tenant, key="orders"))]
    assert "notifications with a route that is not over" not in uses


def test_a_route_beside_a_digest_is_refused(site: Site) -> None:
    digest = {"key": "day", "template": "order", "window": "10m"}
    body = {"recipient": "ada", "template": "order", "route": PUSH_THEN_SMS, "digest": digest}
    got = site.api("POST", "/v1/notifications", body)
    assert (got.status, got.body["field"]) == (400, "digest"), got.body
