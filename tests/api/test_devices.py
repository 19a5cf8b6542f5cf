"""/v1/recipients/<external_id>/devices."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tenants.models import ConsentChange, Device
from tests.api.conftest import ApiSite


def test_registering_a_device_twice_keeps_one(site: ApiSite) -> None:
    phone = {"platform": "fcm", "token": "new-token-1", "app": "shop"}
    created = site.acme("POST", "/v1/recipients/dora/devices", phone)
    again = site.acme("POST", "/v1/recipients/dora/devices", phone)
    assert (created.status, again.status, again.body["id"]) == (201, 200, created.body["id"])
    listed = site.acme("GET", "/v1/recipients/dora/devices").body["data"]
    assert [d["token"] for d in listed] == ["token-of-dora", "new-token-1"]


def test_a_token_moves_to_the_recipient_that_registers_it_last(site: ApiSite) -> None:
    site.acme("PUT", "/v1/recipients/emil", {})
    got = site.acme("POST", "/v1/recipients/emil/devices", {"platform": "fcm", "token": "token-of-dora"})
    assert (got.status, got.body["id"]) == (200, str(site.phone.pk))
    assert site.acme("GET", "/v1/recipients/dora/devices").body["data"] == []
    assert ConsentChange.objects.filter(recipient_id=site.dora.pk, changed="device").exists()


@pytest.mark.parametrize("app", [None, "", "shop", "another"])
def test_a_token_belongs_to_one_recipient_whatever_its_app(site: ApiSite, app: str | None) -> None:
    Device.objects.filter(pk=site.phone.pk).update(app="shop")
    site.acme("PUT", "/v1/recipients/emil", {})
    device = {"platform": "fcm", "token": "token-of-dora"} | ({} if app is None else {"app": app})
    got = site.acme("POST", "/v1/recipients/emil/devices", device)
    assert (got.status, got.body["id"]) == (200, str(site.phone.pk))
    assert got.body["app"] == ("shop" if app is None else app)
    [stored] = Device.objects.filter(token="token-of-dora")
    assert stored.recipient.external_id == "emil"


def test_the_same_token_on_two_platforms_makes_two_devices(site: ApiSite) -> None:
    Device.objects.filter(pk=site.phone.pk).update(token="a1" * 32)
    got = site.acme("POST", "/v1/recipients/dora/devices", {"platform": "apns", "token": "a1" * 32})
    assert got.status == 201
    assert Device.objects.count() == 2


def test_two_spellings_of_a_token_make_one_device(site: ApiSite) -> None:
    tokens = ("AB" * 32, "ab" * 32)
    answers = [site.acme("POST", "/v1/recipients/dora/devices", {"platform": "apns", "token": t}) for t in tokens]
    assert [(a.status, a.body["token"]) for a in answers] == [(201, tokens[1]), (200, tokens[1])]
    assert answers[0].body["id"] == answers[1].body["id"]


def test_a_dead_token_is_used_again_once_it_is_registered_again(site: ApiSite) -> None:
    Device.objects.filter(pk=site.phone.pk).update(dead_since=datetime.now(UTC))
    got = site.acme("POST", "/v1/recipients/dora/devices", {"platform": "fcm", "token": "token-of-dora"})
    assert got.body["dead_since"] is None


def test_two_tenants_may_register_the_same_token(site: ApiSite) -> None:
    got = site.globex("POST", "/v1/recipients/zoe/devices", {"platform": "fcm", "token": "token-of-dora"})
    assert got.status == 201
    assert Device.objects.filter(token="token-of-dora").count() == 2


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"platform": "pager"}, "platform"),
        ({"platform": None}, "platform"),
        ({"platform": ["fcm"]}, "platform"),
        ({"token": "short"}, "token"),
        ({"token": "with spaces in it"}, "token"),
        ({"token": "a-good-token "}, "token"),
        ({"token": "\u200ba-good-token"}, "token"),
        ({"token": "a-good-token\ufeff"}, "token"),
        ({"token": "ünïcödé-token"}, "token"),
        ({"token": "x" * 1025}, "token"),
        ({"token": 12345678}, "token"),
        ({"app": "x" * 101}, "app"),
        ({"app": 7}, "app"),
    ],
)
def test_a_bad_device_is_refused_with_the_field(site: ApiSite, change: dict[str, Any], field: str) -> None:
    got = site.acme("POST", "/v1/recipients/dora/devices", {"platform": "fcm", "token": "a-good-token", **change})
    assert (got.status, got.body["field"]) == (400, field), got.body
    assert Device.objects.count() == 1


def test_a_removed_device_is_gone(site: ApiSite) -> None:
    path = f"/v1/recipients/dora/devices/{site.phone.pk}"
    assert site.acme("DELETE", path).status == 204
    assert site.acme("DELETE", path).status == 404


def test_the_zone_of_a_phone_is_stored_in_its_own_spelling_and_shown_at_the_recipient(site: ApiSite) -> None:
    phone = {"platform": "fcm", "token": "new-token-1", "timezone": "europe/berlin"}
    made = site.acme("POST", "/v1/recipients/dora/devices", phone)
    assert (made.status, made.body["timezone"]) == (201, "Europe/Berlin")
    assert site.acme("GET", "/v1/recipients/dora").body["device_timezone"] == "Europe/Berlin"
    refused = site.acme(
        "POST", "/v1/recipients/dora/devices", {**phone, "token": "new-token-2", "timezone": "Mars/One"}
    )
    assert (refused.status, refused.body["field"]) == (400, "timezone")
    assert not Device.objects.filter(token="new-token-2").exists()
