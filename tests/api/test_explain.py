"""/v1/notifications/<id>/explain and /v1/recipients/<external_id>/explain."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from notifier.delivery.planning.rules import ORDER
from notifier.models import Delivery, Notification
from tenants.models import Category, Preference, Suppression
from tests.api.conftest import ApiSite, payload

DRY_RUN = "/v1/recipients/dora/explain"


def channel_of(body: dict[str, Any], name: str) -> dict[str, Any]:
    [channel] = [c for c in body["channels"] if c["channel"] == name]
    return dict(channel)


def line_of(channel: dict[str, Any], rule: str) -> dict[str, str]:
    [line] = [line for line in channel["rules"] if line["rule"] == rule]
    return dict(line)


def test_a_dry_run_tells_every_rule_in_order_and_stores_nothing(site: ApiSite) -> None:
    got = site.acme("GET", f"{DRY_RUN}?template=shipped")
    assert got.status == 200, got.body
    assert (got.body["recipient"], got.body["category"], got.body["kind"]) == ("dora", "news", "transactional")
    for name in ("push", "in_app"):
        channel = channel_of(got.body, name)
        assert (channel["outcome"], channel["reason"], channel["messages"]) == ("leaves", "", 1)
        assert [line["rule"] for line in channel["rules"]][: len(ORDER)] == [str(reason) for reason, _ in ORDER]
    assert not Notification.objects.exists() and not Delivery.objects.exists()


def test_a_dry_run_names_the_choice_with_its_time_and_source(site: ApiSite) -> None:
    site.acme("PUT", "/v1/recipients/dora/preferences", {"channels": {"push": False}})
    push = channel_of(site.acme("GET", f"{DRY_RUN}?template=shipped&channel=push").body, "push")
    assert (push["outcome"], push["reason"]) == ("suppressed", "channel_off")
    line = line_of(push, "channel_off")
    assert line["looked_at"].startswith("the channel push is off (changed 20")
    assert line["looked_at"].endswith(" UTC by api)")
    assert line["said"] == "suppressed: channel_off"
    assert line_of(push, "category_off")["said"].startswith("not reached")


def test_a_dry_run_in_another_category_asks_for_its_opt_in(site: ApiSite) -> None:
    Category.objects.create(tenant=site.people.acme, key="offers", name="O", kind="marketing", opt_in="single")
    query = f"{DRY_RUN}?template=shipped&channel=push&category=offers"
    assert channel_of(site.acme("GET", query).body, "push")["reason"] == "not_opted_in"
    site.acme("PUT", "/v1/recipients/dora/preferences", {"categories": {"offers": True}})
    assert channel_of(site.acme("GET", query).body, "push")["outcome"] == "leaves"
    until = (datetime.now(UTC) + timedelta(days=2)).replace(second=0, microsecond=0)
    site.acme("PUT", "/v1/recipients/dora/preferences", {"snoozed_until": until.isoformat()})
    push = channel_of(site.acme("GET", query).body, "push")
    assert (push["outcome"], push["reason"]) == ("waits", "snoozed")
    assert datetime.fromisoformat(push["until"]) == until
    assert line_of(push, "snoozed")["said"].startswith("waits until ")


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ("", "template", "required"),
        ("template=", "template", "required"),
        ("template=none", "template", "unknown_template"),
        ("template=shipped&channel=pigeon", "channel", "unknown_channel"),
        ("template=shipped&channel=email", "channel", "no_content"),
        ("template=shipped&category=none", "category", "unknown_category"),
        ("template=shipped&chanel=push", "chanel", "unknown_field"),
        ("template=shipped%00", "template", None),
    ],
)
def test_a_wrong_query_is_refused_with_the_parameter(site: ApiSite, query: str, field: str, code: str | None) -> None:
    got = site.acme("GET", f"{DRY_RUN}?{query}")
    assert (got.status, got.body["field"]) == (400, field), got.body
    assert code in (None, got.body["code"])


def test_another_tenants_recipient_and_notification_answer_404(site: ApiSite) -> None:
    sent = site.acme("POST", "/v1/notifications", payload())
    assert site.globex("GET", f"{DRY_RUN}?template=shipped").status == 404
    assert site.globex("GET", "/v1/recipients/dora/explain").status == 404
    assert site.acme("GET", "/v1/recipients/zoe/explain?template=shipped").status == 404
    assert site.globex("GET", f"/v1/notifications/{sent.body['id']}/explain").status == 404


def test_a_notification_tells_what_was_decided_and_what_changed_since(site: ApiSite) -> None:
    Suppression.objects.create(tenant=site.people.acme, channel="push", address="token-of-dora", cause="complaint")
    sent = site.acme("POST", "/v1/notifications", payload())
    assert sent.status == 202, sent.body
    site.acme("PUT", "/v1/recipients/dora/preferences", {"categories": {"news": False}})
    got = site.acme("GET", f"/v1/notifications/{sent.body['id']}/explain").body
    decided = {d["channel"]: (d["decided"], d["since"]) for d in got["deliveries"]}
    assert decided["push"] == ("suppressed: address_suppressed", [])
    assert decided["in_app"][0] == "accepted, to leave at once"
    assert [(c["changed"], c["source"]) for c in got["changes"]] == [("preference", "api")]
    assert channel_of(got["now"], "in_app")["reason"] == "category_off"
    push = channel_of(got["now"], "push")
    assert line_of(push, "address_suppressed")["looked_at"].startswith("suppressions of 1 of 1 addresses (changed ")


def test_a_scheduled_notification_that_waits_for_the_morning_says_so(site: ApiSite) -> None:
    Category.objects.filter(key="news").update(kind="marketing")
    night = (datetime.now(UTC) + timedelta(days=2)).replace(hour=23, minute=0, second=0, microsecond=0)
    Preference.objects.create(tenant=site.people.acme, recipient=site.dora, quiet_from="22:00", quiet_until="07:00")
    sent = site.acme("POST", "/v1/notifications", payload(send_at=night.isoformat(), channels=["in_app"]))
    assert sent.status == 202, sent.body
    [delivery] = site.acme("GET", f"/v1/notifications/{sent.body['id']}/explain").body["deliveries"]
    assert delivery["decided"] == f"accepted, and waits until {night + timedelta(hours=8):%Y-%m-%d %H:%M} UTC"
