"""Addresses: which recipient or id a path names. tests/web/test_paths.py asks a real server."""

from __future__ import annotations

import pytest

from notifier.api.framework.paths import Malformed, Segment, partly_decoded
from tenants.models import Recipient
from tests.api.conftest import ApiSite


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"/v1/recipients/zoe", "/v1/recipients/zoe"),
        (b"/v1/%72ecipients/z%6Fe", "/v1/recipients/zoe"),
        (b"/v1/recipients/M%C3%BCller", "/v1/recipients/Müller"),
        (b"/v1/recipients/team%2fpreferences", "/v1/recipients/team%2Fpreferences"),
        (b"/v1/recipients/100%25", "/v1/recipients/100%25"),
        (b"/v1/recipients/a%252Fb", "/v1/recipients/a%252Fb"),
        (b"/v1/recipients/a%3Bb;c", "/v1/recipients/a;b;c"),
        (b"/v1/recipients/a%00", "/v1/recipients/a\0"),
    ],
)
def test_everything_but_slash_and_percent_is_decoded(raw: bytes, path: str) -> None:
    assert partly_decoded(raw) == path


@pytest.mark.parametrize("raw", [b"/M%FCller", b"/M%E4ller", b"/%ED%A0%80", b"/%C0%AF", b"/100%", b"/a%2", b"/%zz"])
def test_a_path_that_is_not_utf8_or_not_encoded_is_refused(raw: bytes) -> None:
    with pytest.raises(Malformed):
        partly_decoded(raw)


@pytest.mark.parametrize("external_id", ["zoe", "team/preferences", "100%", "a%2Fb", "a%252Fb", "/", "%"])
def test_a_segment_is_encoded_and_decoded_without_a_change(external_id: str) -> None:
    assert Segment().to_python(Segment().to_url(external_id)) == external_id


def test_a_trailing_slash_creates_no_recipient(site: ApiSite) -> None:
    for path in ("zoe/", "zoe/preferences/", "zoe/preferences/x", "zoe//", "/", "", "zoe/devices/", "team/a"):
        got = site.acme("PUT", f"/v1/recipients/{path}", {"name": "Zoe"})
        assert (got.status, got.body["code"]) == (404, "not_found"), path
        assert "slash" in got.body["detail"]
    assert list(Recipient.objects.filter(tenant=site.people.acme).values_list("external_id", flat=True)) == ["dora"]


@pytest.mark.parametrize("path", ["notifications", "templates", "categories", "campaigns", "audiences", "recipients"])
def test_every_answer_to_a_trailing_slash_names_the_mistake(site: ApiSite, path: str) -> None:
    for method in ("GET", "POST"):
        got = site.acme(method, f"/v1/{path}/", {})
        assert (got.status, "without a slash" in got.body["detail"]) == (404, True)


def test_an_encoded_id_that_looks_like_an_address_names_a_recipient(site: ApiSite) -> None:
    for external_id in ("team", "team%2Fpreferences", "team%2Fdevices", "a%3Bb", "50%25", "a%252Fb", "M%C3%BCller"):
        assert site.acme("PUT", f"/v1/recipients/{external_id}", {"name": external_id}).status == 201
    names = Recipient.objects.filter(tenant=site.people.acme).exclude(external_id="dora")
    assert set(names.values_list("external_id", flat=True)) == {
        "team", "team/preferences", "team/devices", "a;b", "50%", "a%2Fb", "Müller",
    }  # fmt: skip
    assert site.acme("GET", "/v1/recipients/team%2Fpreferences").body["name"] == "team%2Fpreferences"
    assert "quiet_hours" in site.acme("GET", "/v1/recipients/team/preferences").body
    quiet = {"quiet_hours": {"from": "22:00", "until": "07:00"}}
    assert site.acme("PUT", "/v1/recipients/team%2Fpreferences/preferences", quiet).status == 200
    assert site.acme("GET", "/v1/recipients/team/preferences").body["quiet_hours"] is None


@pytest.mark.parametrize("external_id", ["%20dora", "dora%20", "%C2%A0dora"])
def test_white_space_at_an_edge_creates_no_recipient(site: ApiSite, external_id: str) -> None:
    assert site.acme("PUT", f"/v1/recipients/{external_id}", {}).status == 200
    assert Recipient.objects.filter(tenant=site.people.acme).count() == 1


@pytest.mark.parametrize("external_id", ["dora%0Ax", "..", ".", "%2E%2E", "%20"])
def test_an_id_that_no_address_can_name_is_refused(site: ApiSite, external_id: str) -> None:
    got = site.acme("PUT", f"/v1/recipients/{external_id}", {})
    assert (got.status, got.body["field"]) == (400, "external_id")
    assert Recipient.objects.filter(tenant=site.people.acme).count() == 1


@pytest.mark.parametrize(
    ("method", "address", "code", "field"),
    [
        ("PUT", "/v1/recipients/M%FCller", "malformed_path", None),
        ("GET", "/v1/%ff", "malformed_path", None),
        ("GET", "/v1/notifications?limit=1&recipient=M%FCller", "invalid", "recipient"),
        ("GET", "/v1/recipients?%FF=1", "invalid", "%FF"),
    ],
)
def test_an_address_that_is_not_utf8_is_refused_with_what_to_do(
    site: ApiSite, method: str, address: str, code: str, field: str | None
) -> None:
    got = site.acme(method, address, {})
    assert (got.status, got.body["code"], got.body["field"]) == (400, code, field)
    assert "UTF-8" in got.body["detail"]


def test_an_id_is_found_in_upper_case(site: ApiSite) -> None:
    sent = site.acme("POST", "/v1/notifications", {"recipient": "dora", "template": "shipped", "data": {"order": "1"}})
    made = site.acme("POST", "/v1/audiences", {"name": "all", "source": "list"})
    for path in (f"notifications/{sent.body['id']}", f"audiences/{made.body['id']}"):
        collection, _, uuid = path.partition("/")
        assert site.acme("GET", f"/v1/{collection}/{uuid.upper()}").body["id"] == uuid
    gone = site.acme("DELETE", f"/v1/recipients/dora/devices/{str(site.phone.pk).upper()}")
    assert gone.status == 204
