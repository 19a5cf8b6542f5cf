"""/v1/recipients."""

from __future__ import annotations

from typing import Any

import pytest

from tenants.models import Device, Recipient
from tests.api.conftest import ApiSite

EMIL = {
    "name": "Emil",
    "email": "emil@example.com",
    "phone": "+49 170 1234567",
    "locale": "de_AT",
    "timezone": "Europe/Vienna",
    "attributes": {"plan": "pro", "age": 41},
}


def test_a_recipient_is_created_and_then_changed_by_put(site: ApiSite) -> None:
    created = site.acme("PUT", "/v1/recipients/emil", EMIL)
    assert created.status == 201, created.body
    assert (created.body["phone"], created.body["locale"], created.body["status"]) == (
        "+491701234567",
        "de-AT",
        "active",
    )
    changed = site.acme("PUT", "/v1/recipients/emil", {"attributes": {"plan": "free"}, "email": None})
    assert (changed.status, changed.body["attributes"], changed.body["email"]) == (200, {"plan": "free"}, "")
    assert changed.body["name"] == "Emil"
    assert site.acme("GET", "/v1/recipients/emil").body == changed.body


@pytest.mark.parametrize(
    ("field", "written", "stored"),
    [
        ("locale", "pt_BR", "pt-BR"),
        ("locale", "DE", "de"),
        ("locale", "en_us", "en-US"),
        ("locale", "zh-hans-cn", "zh-Hans-CN"),
        ("locale", "es-419", "es-419"),
        ("locale", "ckb_iq", "ckb-IQ"),
        ("locale", "\u200bde-at ", "de-AT"),
        ("timezone", "europe/vienna", "Europe/Vienna"),
        ("timezone", "utc", "UTC"),
        ("email", "Ana@Example.COM", "ana@example.com"),
        ("timezone", "america/argentina/buenos_aires", "America/Argentina/Buenos_Aires"),
    ],
)
def test_values_are_stored_in_their_canonical_case(site: ApiSite, field: str, written: str, stored: str) -> None:
    assert site.acme("PUT", "/v1/recipients/emil", {field: written}).body[field] == stored
    if field == "locale":
        assert site.acme("PUT", "/v1/recipients/emil/preferences", {"language": written}).body["language"] == stored


def test_the_same_put_again_changes_nothing_and_makes_no_second_recipient(site: ApiSite) -> None:
    for status in (201, 200):
        assert site.acme("PUT", "/v1/recipients/emil", EMIL).status == status
    assert Recipient.objects.filter(external_id="emil").count() == 1


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"a": "x" * 16_384}, "the limit is 16384"),
        ({"a.b": 1}, "attributes: 'a.b' is no name"),
        ({"a": {"b": [{"": 1}]}}, "attributes.a.b: '' is no name"),
        ({"x" * 65: 1}, "is no name of an attribute"),
        ({"a\u0007": 1}, "is no name of an attribute"),
        ({"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": 1}}}}}}}}}, "more than 8 levels"),
    ],
)
def test_attributes_that_no_path_could_name_are_refused(site: ApiSite, attributes: dict[str, Any], reason: str) -> None:
    answer = site.acme("PUT", "/v1/recipients/emil", {"attributes": attributes})
    assert (answer.status, answer.body["field"]) == (400, "attributes")
    assert reason in answer.body["detail"]
    assert not Recipient.objects.filter(external_id="emil").exists()


def test_an_id_with_invisible_characters_at_its_edges_is_the_same_recipient(site: ApiSite) -> None:
    assert site.acme("PUT", "/v1/recipients/emil", EMIL).status == 201
    invisible = {"name": "\ufeffEmil\u200b", "email": "emil@example.com\u200b", "phone": "\u200e+49 170 1234567\u00a0"}
    for external_id in ("emil%E2%80%8B", "%EF%BB%BFemil", "%C2%A0emil%20", "%E2%80%8Eemil%E2%81%A0"):
        changed = site.acme("PUT", f"/v1/recipients/{external_id}", invisible)
        assert (changed.status, changed.body["external_id"], changed.body["name"]) == (200, "emil", "Emil")
        assert (changed.body["email"], changed.body["phone"]) == ("emil@example.com", "+491701234567")
        assert site.acme("GET", f"/v1/recipients/{external_id}").body["id"] == changed.body["id"]
        device = site.acme("POST", f"/v1/recipients/{external_id}/devices", {"platform": "fcm", "token": "token-one"})
        assert device.status in (200, 201)
    assert Recipient.objects.filter(tenant=site.people.acme, external_id__contains="emil").count() == 1
    assert Device.objects.filter(token__contains="token-one").count() == 1
    assert site.acme("PUT", "/v1/recipients/%E2%80%8B", {}).status == 400


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "nobody"),
        ("email", "a@b@c"),
        ("email", "x" * 250 + "@example.com"),
        ("email", 7),
        ("phone", "12"),
        ("phone", "call me"),
        ("phone", "0170 1234567"),
        ("phone", 491701234567),
        ("timezone", "Berlin"),
        ("timezone", ["UTC"]),
        ("locale", "german, please"),
        ("locale", "klingon"),
        ("locale", "de at"),
        ("locale", "xx"),
        ("locale", "de-AT-u-ca-buddhist"),
        ("timezone", "localtime"),
        ("timezone", "Factory"),
        ("timezone", "posixrules"),
        ("timezone", "right/Europe/Vienna"),
        ("timezone", "posix/UTC"),
        ("name", "x" * 201),
        ("name", {}),
        ("name", "a\u0007b"),
        ("attributes", []),
        ("attributes", None),
        ("attributes", {"x": "y" * 17_000}),
        ("status", "erased"),
        ("status", {}),
        ("nickname", "E"),
    ],
)
def test_a_bad_field_of_a_recipient_is_named_and_nothing_is_stored(site: ApiSite, field: str, value: Any) -> None:
    got = site.acme("PUT", "/v1/recipients/emil", {"name": "Emil", field: value})
    assert (got.status, got.body["field"]) == (400, field), got.body
    assert not Recipient.objects.filter(external_id="emil").exists()


def test_an_external_id_may_hold_slashes_and_has_a_limit(site: ApiSite) -> None:
    assert site.acme("PUT", "/v1/recipients/google%2F7%7C8", {"name": "G"}).body["external_id"] == "google/7|8"
    assert site.acme("GET", "/v1/recipients/google%2f7%7C8/preferences").status == 200
    for external_id in ("x" * 129, "..%E2%80%8B", "%C2%A0."):
        got = site.acme("PUT", f"/v1/recipients/{external_id}", {})
        assert (got.status, got.body["field"]) == (400, "external_id")


def test_two_tenants_may_use_the_same_external_id(site: ApiSite) -> None:
    assert site.acme("PUT", "/v1/recipients/zoe", {"name": "Another"}).status == 201
    assert site.globex("GET", "/v1/recipients/zoe").body["name"] == "Zoe"


def test_an_erased_person_cannot_be_written_to(site: ApiSite) -> None:
    Recipient.objects.filter(pk=site.dora.pk).update(status="erased")
    for method, path, body in [
        ("PUT", "/v1/recipients/dora", {"name": "Dora"}),
        ("PUT", "/v1/recipients/dora/preferences", {}),
        ("POST", "/v1/recipients/dora/devices", {"platform": "fcm", "token": "another-token"}),
    ]:
        got = site.acme(method, path, body)
        assert (got.status, got.body["code"]) == (409, "erased")


def test_recipients_are_listed_by_their_own_ids(site: ApiSite) -> None:
    for name in ("c", "a", "b"):
        site.acme("PUT", f"/v1/recipients/{name}", {})
    first = site.acme("GET", "/v1/recipients?limit=3").body
    assert [r["external_id"] for r in first["data"]] == ["a", "b", "c"]
    second = site.acme("GET", f"/v1/recipients?cursor={first['next_cursor']}").body
    assert ([r["external_id"] for r in second["data"]], second["has_more"]) == (["dora"], False)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("GET", "/preferences", None),
        ("PUT", "/preferences", {}),
        ("GET", "/devices", None),
        ("POST", "/devices", {"platform": "fcm", "token": "another-token"}),
        ("DELETE", "/devices/{phone}", None),
    ],
)
def test_another_tenants_recipient_is_not_found(site: ApiSite, method: str, path: str, body: Any) -> None:
    path = f"/v1/recipients/dora{path.format(phone=site.phone.pk)}"
    assert site.globex(method, path, body).status == 404
    assert Device.objects.count() == 1
