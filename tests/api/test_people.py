"""Recipients, devices, preferences and categories."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from notifier.api.people.preferences import columns
from tenants.models import AuditLog, Category, ConsentChange, Device, Preference, Recipient
from tests.api.conftest import World

EVERYTHING = {
    "name": "Emil",
    "email": "emil@example.com",
    "phone": "+49 170 1234567",
    "locale": "de_AT",
    "timezone": "Europe/Vienna",
    "attributes": {"plan": "pro", "age": 41},
}


# -- recipients --------------------------------------------------------------------------------------------------------


def test_a_recipient_is_created_and_then_changed_by_put(world: World) -> None:
    made = world.acme("PUT", "/v1/recipients/emil", EVERYTHING)
    assert made.status == 201, made.body
    assert (made.body["phone"], made.body["locale"], made.body["status"]) == ("+491701234567", "de-AT", "active")
    changed = world.acme("PUT", "/v1/recipients/emil", {"attributes": {"plan": "free"}, "email": None})
    assert (changed.status, changed.body["attributes"], changed.body["email"]) == (200, {"plan": "free"}, "")
    assert changed.body["name"] == "Emil"
    assert world.acme("GET", "/v1/recipients/emil").body == changed.body


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
        ("timezone", "america/argentina/buenos_aires", "America/Argentina/Buenos_Aires"),
    ],
)
def test_a_locale_and_a_zone_are_stored_in_their_canonical_case(
    world: World, field: str, written: str, stored: str
) -> None:
    assert world.acme("PUT", "/v1/recipients/emil", {field: written}).body[field] == stored
    if field == "locale":
        assert world.acme("PUT", "/v1/recipients/emil/preferences", {"language": written}).body["language"] == stored


def test_the_same_put_again_changes_nothing_and_makes_no_second_recipient(world: World) -> None:
    for status in (201, 200):
        assert world.acme("PUT", "/v1/recipients/emil", EVERYTHING).status == status
    assert Recipient.objects.filter(external_id="emil").count() == 1


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"a": "x" * 16_384}, "the limit is 16384"),
        ({"a.b": 1}, "attributes: 'a.b' is no name"),
        ({"a": {"b": [{"": 1}]}}, "attributes.a.b: '' is no name"),
        ({"x" * 65: 1}, "is no name of an attribute"),
        ({"a\u0007": 1}, "is no name of an attribute"),
        ({"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": 1}}}}}}}}}, "more than 8 levels"),
    ],
)
def test_attributes_that_no_path_could_name_are_refused(world: World, attributes: dict[str, Any], said: str) -> None:
    answer = world.acme("PUT", "/v1/recipients/emil", {"attributes": attributes})
    assert (answer.status, answer.body["field"]) == (400, "attributes")
    assert said in answer.body["detail"]
    assert not Recipient.objects.filter(external_id="emil").exists()


def test_an_id_with_something_invisible_at_its_edges_is_the_same_person(world: World) -> None:
    assert world.acme("PUT", "/v1/recipients/emil", EVERYTHING).status == 201
    invisible = {"name": "\ufeffEmil\u200b", "email": "emil@example.com\u200b", "phone": "\u200e+49 170 1234567\u00a0"}
    for odd in ("emil%E2%80%8B", "%EF%BB%BFemil", "%C2%A0emil%20", "%E2%80%8Eemil%E2%81%A0"):
        changed = world.acme("PUT", f"/v1/recipients/{odd}", invisible)
        assert (changed.status, changed.body["external_id"], changed.body["name"]) == (200, "emil", "Emil")
        assert (changed.body["email"], changed.body["phone"]) == ("emil@example.com", "+491701234567")
        assert world.acme("GET", f"/v1/recipients/{odd}").body["id"] == changed.body["id"]
        device = world.acme("POST", f"/v1/recipients/{odd}/devices", {"platform": "fcm", "token": "token-one"})
        assert device.status in (200, 201)
    assert Recipient.objects.filter(tenant=world.people.acme, external_id__contains="emil").count() == 1
    assert Device.objects.filter(token__contains="token-one").count() == 1
    assert world.acme("PUT", "/v1/recipients/%E2%80%8B", {}).status == 400


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
def test_a_bad_field_of_a_recipient_is_named_and_nothing_is_stored(world: World, field: str, value: Any) -> None:
    got = world.acme("PUT", "/v1/recipients/emil", {"name": "Emil", field: value})
    assert (got.status, got.body["field"]) == (400, field), got.body
    assert not Recipient.objects.filter(external_id="emil").exists()


def test_an_external_id_may_hold_slashes_and_has_a_limit(world: World) -> None:
    assert world.acme("PUT", "/v1/recipients/google%2F7%7C8", {"name": "G"}).body["external_id"] == "google/7|8"
    assert world.acme("GET", "/v1/recipients/google%2f7%7C8/preferences").status == 200
    for external_id in ("x" * 129, "..%E2%80%8B", "%C2%A0."):
        got = world.acme("PUT", f"/v1/recipients/{external_id}", {})
        assert (got.status, got.body["field"]) == (400, "external_id")


def test_both_tenants_may_know_somebody_by_the_same_id(world: World) -> None:
    assert world.acme("PUT", "/v1/recipients/zoe", {"name": "Another"}).status == 201
    assert world.globex("GET", "/v1/recipients/zoe").body["name"] == "Zoe"


def test_an_erased_person_cannot_be_written_to(world: World) -> None:
    Recipient.objects.filter(pk=world.dora.pk).update(status="erased")
    for method, path, body in [
        ("PUT", "/v1/recipients/dora", {"name": "Dora"}),
        ("PUT", "/v1/recipients/dora/preferences", {}),
        ("POST", "/v1/recipients/dora/devices", {"platform": "fcm", "token": "another-token"}),
    ]:
        got = world.acme(method, path, body)
        assert (got.status, got.body["code"]) == (409, "erased")


def test_recipients_are_listed_by_their_own_ids(world: World) -> None:
    for name in ("c", "a", "b"):
        world.acme("PUT", f"/v1/recipients/{name}", {})
    first = world.acme("GET", "/v1/recipients?limit=3").body
    assert [r["external_id"] for r in first["data"]] == ["a", "b", "c"]
    rest = world.acme("GET", f"/v1/recipients?cursor={first['next_cursor']}").body
    assert ([r["external_id"] for r in rest["data"]], rest["has_more"]) == (["dora"], False)


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
def test_another_tenants_recipient_is_not_found(world: World, method: str, path: str, body: Any) -> None:
    path = f"/v1/recipients/dora{path.format(phone=world.phone.pk)}"
    assert world.globex(method, path, body).status == 404
    assert Device.objects.count() == 1


# -- devices -----------------------------------------------------------------------------------------------------------


def test_registering_a_device_twice_keeps_one(world: World) -> None:
    phone = {"platform": "fcm", "token": "new-token-1", "app": "shop"}
    made = world.acme("POST", "/v1/recipients/dora/devices", phone)
    again = world.acme("POST", "/v1/recipients/dora/devices", phone)
    assert (made.status, again.status, again.body["id"]) == (201, 200, made.body["id"])
    listed = world.acme("GET", "/v1/recipients/dora/devices").body["data"]
    assert [d["token"] for d in listed] == ["token-of-dora", "new-token-1"]


def test_a_token_moves_to_who_registered_it_last(world: World) -> None:
    world.acme("PUT", "/v1/recipients/emil", {})
    got = world.acme("POST", "/v1/recipients/emil/devices", {"platform": "fcm", "token": "token-of-dora"})
    assert (got.status, got.body["id"]) == (200, str(world.phone.pk))
    assert world.acme("GET", "/v1/recipients/dora/devices").body["data"] == []
    assert ConsentChange.objects.filter(recipient_id=world.dora.pk, changed="device").exists()


@pytest.mark.parametrize("app", [None, "", "shop", "another"])
def test_a_token_belongs_to_one_recipient_whatever_its_app(world: World, app: str | None) -> None:
    Device.objects.filter(pk=world.phone.pk).update(app="shop")
    world.acme("PUT", "/v1/recipients/emil", {})
    said = {"platform": "fcm", "token": "token-of-dora"} | ({} if app is None else {"app": app})
    got = world.acme("POST", "/v1/recipients/emil/devices", said)
    assert (got.status, got.body["id"]) == (200, str(world.phone.pk))
    assert got.body["app"] == ("shop" if app is None else app)
    [kept] = Device.objects.filter(token="token-of-dora")
    assert kept.recipient.external_id == "emil"


def test_the_same_token_of_two_platforms_is_two_devices(world: World) -> None:
    got = world.acme("POST", "/v1/recipients/dora/devices", {"platform": "webpush", "token": "token-of-dora"})
    assert got.status == 201
    assert Device.objects.count() == 2


def test_a_dead_token_lives_again_when_it_is_registered(world: World) -> None:
    Device.objects.filter(pk=world.phone.pk).update(dead_since=datetime.now(UTC))
    got = world.acme("POST", "/v1/recipients/dora/devices", {"platform": "fcm", "token": "token-of-dora"})
    assert got.body["dead_since"] is None


def test_the_same_token_of_another_tenant_stays_theirs(world: World) -> None:
    got = world.globex("POST", "/v1/recipients/zoe/devices", {"platform": "fcm", "token": "token-of-dora"})
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
def test_a_bad_device_is_refused_with_the_field(world: World, change: dict[str, Any], field: str) -> None:
    got = world.acme("POST", "/v1/recipients/dora/devices", {"platform": "fcm", "token": "a-good-token", **change})
    assert (got.status, got.body["field"]) == (400, field), got.body
    assert Device.objects.count() == 1


def test_a_removed_device_is_gone(world: World) -> None:
    path = f"/v1/recipients/dora/devices/{world.phone.pk}"
    assert world.acme("DELETE", path).status == 204
    assert world.acme("DELETE", path).status == 404


# -- preferences -------------------------------------------------------------------------------------------------------


def test_who_never_chose_allows_everything(world: World) -> None:
    got = world.acme("GET", "/v1/recipients/dora/preferences").body
    assert all(got["channels"].values())
    assert (got["categories"], got["quiet_hours"], got["language"]) == ({}, None, "")


def test_preferences_are_read_as_they_were_said(world: World) -> None:
    Category.objects.create(tenant=world.people.acme, key="promotions", name="Promotions", kind="marketing")
    said = {
        "channels": {"push": False},
        "categories": {"promotions": False, "news": {"push": False, "in_app": True}},
        "quiet_hours": {"from": "22:00", "until": "07:00"},
        "language": "de-AT",
    }
    assert world.acme("PUT", "/v1/recipients/dora/preferences", said).status == 200
    got = world.acme("GET", "/v1/recipients/dora/preferences").body
    assert (got["channels"]["push"], got["channels"]["in_app"]) == (False, True)
    assert got["categories"] == {"promotions": False, "news": {"push": False}}
    assert (got["quiet_hours"], got["language"]) == ({"from": "22:00", "until": "07:00"}, "de-AT")
    again = world.acme("PUT", "/v1/recipients/dora/preferences", got)
    assert again.body == got


def test_what_is_not_given_is_not_lost(world: World) -> None:
    world.acme("PUT", "/v1/recipients/dora/preferences", {"categories": {"news": False}})
    world.acme("PUT", "/v1/recipients/dora/preferences", {"channels": {"push": False}, "quiet_hours": None})
    kept = Preference.objects.get(recipient=world.dora)
    assert (kept.channels_off, kept.categories_off) == (["push"], ["news"])


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"channels": []}, "channels"),
        ({"channels": {"pigeon": False}}, "channels.pigeon"),
        ({"channels": {"push": "no"}}, "channels.push"),
        ({"channels": {"push": 0}}, "channels.push"),
        ({"categories": {"unknown": False}}, "categories.unknown"),
        ({"categories": {"news": 0}}, "categories.news"),
        ({"categories": {"news": {"pigeon": False}}}, "categories.news.pigeon"),
        ({"categories": [1]}, "categories"),
        ({"quiet_hours": "night"}, "quiet_hours"),
        ({"quiet_hours": {"from": "22:00"}}, "quiet_hours.until"),
        ({"quiet_hours": {"from": "25:00", "until": "07:00"}}, "quiet_hours.from"),
        ({"quiet_hours": {"from": "22:00\n", "until": "07:00"}}, "quiet_hours.from"),
        ({"quiet_hours": {"from": "07:00", "until": "07:00"}}, "quiet_hours"),
        ({"quiet_hours": {"from": 22, "until": 7}}, "quiet_hours.from"),
        ({"language": 7}, "language"),
        ({"language": "klingon!"}, "language"),
        ({"language": "klingon"}, "language"),
        ({"language": "de at"}, "language"),
        ({"digest": True}, "digest"),
    ],
)
def test_a_bad_preference_is_refused_with_the_field(world: World, said: dict[str, Any], field: str) -> None:
    got = world.acme("PUT", "/v1/recipients/dora/preferences", said)
    named = {got.body["field"], *(e["field"] for e in got.body.get("errors", []))}
    assert got.status == 400, got.body
    assert field in named, got.body
    assert not Preference.objects.exists()


@pytest.mark.parametrize(
    ("asked", "stored"),
    [
        ({}, {}),
        ({"channels": {"push": True}}, {"channels_off": []}),
        ({"channels": {"push": False, "in_app": False}}, {"channels_off": ["in_app", "push"]}),
        ({"categories": {"news": True}}, {"categories_off": []}),
        ({"categories": {"news": {"push": False}}}, {"categories_off": ["news:push"]}),
        ({"quiet_hours": None}, {"quiet_from": None, "quiet_until": None}),
        ({"language": None}, {"language": ""}),
    ],
)
def test_only_the_noes_are_stored(asked: dict[str, Any], stored: dict[str, Any]) -> None:
    assert columns(asked, frozenset({"news"})) == stored


# -- categories --------------------------------------------------------------------------------------------------------


def test_a_category_is_created_once(world: World) -> None:
    wanted = {"key": "promotions", "name": "Promotions", "kind": "marketing"}
    assert world.acme("POST", "/v1/categories", wanted).status == 201
    again = world.acme("POST", "/v1/categories", wanted)
    assert (again.status, again.body["field"]) == (409, "key")
    assert [c["key"] for c in world.acme("GET", "/v1/categories").body["data"]] == ["news", "promotions"]
    assert world.globex("GET", "/v1/categories").body["data"] == []
    assert AuditLog.objects.get(action="category.create").api_key_id is not None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"key": "a b"}, "key"),
        ({"key": "x\n"}, "key"),
        ({"key": 7.5}, "key"),
        ({"name": 1}, "name"),
        ({"kind": "spam"}, "kind"),
    ],
)
def test_a_bad_category_is_refused_with_the_field(world: World, change: dict[str, Any], field: str) -> None:
    got = world.acme("POST", "/v1/categories", {"key": "promotions", "name": "P", **change})
    assert (got.status, got.body["field"]) == (400, field), got.body
