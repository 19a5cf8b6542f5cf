"""`digest` of a notification, and /v1/categories/<key>/digest: what is refused, and that nothing is stored then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from notifier.delivery.content import templates
from notifier.models import Digest, DigestSetting, Notification, Template
from tests.api.conftest import ApiSite, payload

SUMMARY = {"push": {"en": {"title": "{{ count }} orders", "body": "{% for i in items %}{{ i.order }} {% endfor %}"}}}
SETTING = {"template": "summary", "window": "10m"}
DIGEST = {"key": "k", "template": "summary", "window": "10m"}
ADDRESS = "/v1/categories/news/digest"


@pytest.fixture
def shop(site: ApiSite) -> ApiSite:
    publish(site, "summary", SUMMARY)
    publish(site, "mail", {"email": {"en": {"subject": "{{ count }}", "text": "t"}}})
    return site


def publish(site: ApiSite, key: str, content: Any) -> None:
    templates.publish(Template.objects.create(tenant=site.people.acme, key=key), content)


def without(values: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != name}


@pytest.mark.parametrize(
    ("digest", "field"),
    [
        (without(DIGEST, "key"), "digest.key"),
        ({**DIGEST, "key": "a key"}, "digest.key"),
        ({**DIGEST, "key": ""}, "digest.key"),
        ({**DIGEST, "key": 7}, "digest.key"),
        (without(DIGEST, "template"), "digest.template"),
        ({**DIGEST, "template": "nothing"}, "digest.template"),
        ({**DIGEST, "template": "shipped"}, "digest.template"),  # reads {{ order }}
        ({**DIGEST, "template": "mail"}, "digest.template"),  # no common channel
        (without(DIGEST, "window"), "digest.window"),
        ({**DIGEST, "window": "0s"}, "digest.window"),
        ({**DIGEST, "window": "31d"}, "digest.window"),
        ({**DIGEST, "window": "soon"}, "digest.window"),
        ({**DIGEST, "window": 600}, "digest.window"),
        ({**DIGEST, "max_window": "5m"}, "digest.max_window"),
        ({**DIGEST, "schedule": "daily at 09:00"}, "digest.schedule"),
        ({**without(DIGEST, "window"), "schedule": "hourly"}, "digest.schedule"),
        ({**without(DIGEST, "window"), "schedule": "daily at 24:00"}, "digest.schedule"),
        ({**DIGEST, "max_items": 0}, "digest.max_items"),
        ({**DIGEST, "max_items": 501}, "digest.max_items"),
        ({**DIGEST, "windw": "1m"}, "digest.windw"),
        ("daily", "digest"),
    ],
    ids=str,
)
def test_a_wrong_digest_is_named_and_nothing_is_stored(shop: ApiSite, digest: Any, field: str) -> None:
    got = shop.acme("POST", "/v1/notifications", payload(digest=digest))
    assert (got.status, got.body["field"]) == (400, field), got.body
    bulk = shop.acme("POST", "/v1/notifications/bulk", {"items": [payload(digest=digest)]})
    assert [item["status"] for item in bulk.body["items"]] == [400]
    assert not Notification.objects.exists() and not Digest.objects.exists()


def test_a_digest_has_its_own_time(shop: ApiSite) -> None:
    later = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    got = shop.acme("POST", "/v1/notifications", payload(digest=DIGEST, send_at=later))
    assert (got.status, got.body["field"]) == (400, "digest")
    route = [{"channel": "push"}, {"after": "10m", "channel": "in_app"}]
    got = shop.acme("POST", "/v1/notifications", payload(digest=DIGEST, route=route))
    assert (got.status, got.body["field"]) == (400, "digest")


def test_the_answer_says_which_messages_wait_for_a_digest(shop: ApiSite) -> None:
    got = shop.acme("POST", "/v1/notifications", payload(digest=DIGEST))
    assert got.status == 202, got.body
    shown = {d["channel"]: (d["status"], d.get("reason", "")) for d in got.body["deliveries"]}
    assert shown == {"push": ("queued", "in_digest"), "in_app": ("queued", "")}


def test_a_digest_of_a_request_takes_what_it_does_not_say_from_the_category(shop: ApiSite) -> None:
    assert shop.acme("PUT", ADDRESS, {**SETTING, "max_items": 7}).status == 201
    assert shop.acme("POST", "/v1/notifications", payload(digest={"key": "k"})).status == 202
    digest = Digest.objects.get()
    assert (digest.key, digest.template, digest.max_items) == ("k", "summary", 7)


def test_the_setting_of_a_category_is_written_read_and_deleted(shop: ApiSite) -> None:
    assert shop.acme("GET", ADDRESS).status == 404
    assert shop.acme("PUT", ADDRESS, SETTING).status == 201
    assert shop.acme("PUT", ADDRESS, {"template": "summary", "schedule": "daily at 09:00"}).status == 200
    assert shop.acme("GET", ADDRESS).body == {
        "template": "summary", "window": "", "max_window": "", "schedule": "daily at 09:00", "max_items": 100,
        "channels": [],
    }  # fmt: skip
    assert shop.globex("GET", ADDRESS).status == 404
    assert shop.acme("DELETE", ADDRESS).status == 204
    assert not DigestSetting.objects.exists()


@pytest.mark.parametrize(
    ("setting", "field"),
    [
        (without(SETTING, "template"), "template"),
        ({**SETTING, "template": "nothing"}, "template"),
        ({**SETTING, "template": "shipped"}, "template"),
        (without(SETTING, "window"), "window"),
        ({**SETTING, "window": "0m"}, "window"),
        ({**SETTING, "schedule": "daily at 09:00"}, "schedule"),
        ({**SETTING, "max_items": 501}, "max_items"),
        ({**SETTING, "channels": ["email"]}, "channels"),
        ({**SETTING, "key": "k"}, "key"),
    ],
    ids=str,
)
def test_a_wrong_setting_is_named_and_nothing_is_stored(shop: ApiSite, setting: Any, field: str) -> None:
    got = shop.acme("PUT", ADDRESS, setting)
    assert (got.status, got.body["field"]) == (400, field), got.body
    assert not DigestSetting.objects.exists()


def test_messages_over_a_cap_need_a_digest_to_join(shop: ApiSite) -> None:
    got = shop.acme("PATCH", "/v1/categories/news", {"over_cap": "digest"})
    assert (got.status, got.body["field"], got.body["code"]) == (400, "over_cap", "no_digest")
    assert shop.acme("PUT", ADDRESS, SETTING).status == 201
    assert shop.acme("PATCH", "/v1/categories/news", {"over_cap": "digest"}).status == 200
    got = shop.acme("DELETE", ADDRESS)
    assert (got.status, got.body["code"]) == (409, "digest_in_use")


def test_a_category_with_an_open_digest_is_not_deleted(shop: ApiSite) -> None:
    assert shop.acme("PUT", ADDRESS, SETTING).status == 201
    assert shop.acme("POST", "/v1/notifications", payload()).status == 202
    Template.objects.filter(key="shipped").update(category=None)
    got = shop.acme("DELETE", "/v1/categories/news")
    assert (got.status, got.body["code"]) == (409, "category_in_use"), got.body
    assert "open digests" in got.body["detail"]


def test_an_explanation_names_the_digest(shop: ApiSite) -> None:
    assert shop.acme("PUT", ADDRESS, SETTING).status == 201
    assert shop.acme("POST", "/v1/notifications", payload()).status == 202
    got = shop.acme("GET", "/v1/recipients/dora/explain?template=shipped")
    lines = {
        channel["channel"]: line
        for channel in got.body["channels"]
        for line in channel["rules"]
        if line["rule"] == "in_digest"
    }
    assert lines["push"]["said"].startswith("gathered")
    assert "summary: 10m after the newest item" in lines["push"]["looked_at"]
    assert "with 1 items" in lines["push"]["looked_at"]
    assert lines["in_app"]["said"] == "passed: the digest does not go to this channel"
