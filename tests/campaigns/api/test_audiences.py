"""Audiences over the API, as the web role."""

from __future__ import annotations

from typing import Any

import pytest

from campaigns.edit import uploads
from campaigns.models import Audience, AudienceMember, Campaign
from tests.campaigns.api.conftest import Api
from tests.campaigns.conftest import Site


def test_a_segment_is_created_and_tells_how_many_it_reaches(site: Site, api: Api) -> None:
    filter_ = [{"field": "external_id", "op": "in", "value": ["ada", "bob", "zoe"]}]
    status, created = api("POST", "/v1/audiences", {"name": "Two", "source": "segment", "filter": filter_})
    assert (status, created["filter"]) == (201, filter_)
    assert api("GET", f"/v1/audiences/{created['id']}")[1]["reaches"] == 2


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "x", "source": "segment", "filter": {"a": 1}}, "filter"),
        ({"name": "x", "source": "segment", "filter": [{"field": "name", "op": "gt", "value": 1}]}, "filter.0.op"),
        ({"name": "x", "source": "segment", "filter": [{"field": "a", "op": "eq", "value": 1}]}, "filter.0.field"),
        ({"name": "x", "source": "list", "filter": [{"field": "name", "op": "eq", "value": "a"}]}, "filter"),
        ({"name": "x", "source": "segment"}, "filter"),
        ({"name": "x", "source": "segment", "filter": []}, "filter"),
        ({"name": "x", "source": "segment", "filter": None}, "filter"),
        ({"name": "x", "source": "everybody", "filter": [{"field": "name", "op": "eq", "value": "a"}]}, "filter"),
        ({"name": "x", "source": "crowd"}, "source"),
        ({"name": "x", "source": "topic"}, "topic"),
        ({"name": "x", "source": "topic", "topic": "news de"}, "topic"),
        ({"name": "x", "source": "topic", "topic": "'a' in topics &&"}, "topic"),
        ({"name": "x", "source": "topic", "topic": "news", "locale": "klingon"}, "locale"),
        ({"name": "x", "source": "topic", "topic": "news", "filter": [{"field": "name"}]}, "filter"),
        ({"name": "x", "source": "everybody", "topic": "news"}, "topic"),
        ({"name": "x", "source": "list", "locale": "de"}, "locale"),
        ({"name": "x", "source": "list", "app": "shop"}, "app"),
        ({"name": " ", "source": "list"}, "name"),
        ({"name": "Everybody", "source": "list"}, "name"),
        ({"source": "list"}, "name"),
    ],
)
def test_a_wrong_audience_is_refused_by_field(site: Site, api: Api, body: dict[str, Any], field: str) -> None:
    status, problem = api("POST", "/v1/audiences", body)
    assert (status, problem["field"]) == (400, field)
    assert Audience.objects.count() == 1


def test_everybody_is_a_source_of_its_own(site: Site, api: Api) -> None:
    status, created = api("POST", "/v1/audiences", {"name": "All", "source": "everybody"})
    assert (status, created["source"], created["filter"]) == (201, "everybody", [])
    assert api("GET", f"/v1/audiences/{created['id']}")[1]["reaches"] == 4


def test_a_list_says_which_ids_are_no_recipient(site: Site, api: Api) -> None:
    _, created = api("POST", "/v1/audiences", {"name": "List", "source": "list"})
    members = f"/v1/audiences/{created['id']}/members"
    _, report = api("PUT", members, b"external_id\nada\nzoe\nnobody\n", content_type="text/csv")
    assert (report["stored"], report["known"], report["unknown"]) == (3, 1, 2)
    assert report["unknown_ids"] == ["zoe", "nobody"]
    _, report = api("PUT", members, {"external_ids": ["ada", "zoe"]})
    assert (report["known"], report["unknown"], report["unknown_ids"]) == (1, 1, ["zoe"])


def test_a_list_is_filled_from_a_csv_and_replaced_by_the_next(site: Site, api: Api) -> None:
    _, created = api("POST", "/v1/audiences", {"name": "List", "source": "list"})
    members = f"/v1/audiences/{created['id']}/members"
    status, report = api("PUT", members, b"external_id;x\nada;1\nada;2\nnobody;3\n;4\n", content_type="text/csv")
    assert status == 200
    assert (report["rows"], report["stored"], report["duplicates"], report["rejected"]) == (4, 2, 1, 1)
    assert report["problems"] == [{"line": 5, "reason": "has no external_id"}]
    assert api("PUT", members, {"external_ids": ["bob", "bob", 7]})[1]["stored"] == 1
    assert list(AudienceMember.objects.values_list("external_id", flat=True)) == ["bob"]


def test_a_csv_larger_than_a_json_body_may_be_is_read(site: Site, api: Api) -> None:
    _, created = api("POST", "/v1/audiences", {"name": "List", "source": "list"})
    csv = b"".join(b"somebody-with-a-long-id-%09d;%s\n" % (n, b"x" * 40) for n in range(uploads.AT_ONCE - 1))
    csv = b"external_id;note\n" + csv
    status, report = api("PUT", f"/v1/audiences/{created['id']}/members", csv, content_type="text/csv; charset=utf-8")
    assert (status, report["stored"], len(csv) > 2**20) == (200, uploads.AT_ONCE - 1, True)


@pytest.mark.parametrize(
    ("content", "kind", "code"),
    [
        (b"PK\x03\x04", "text/csv", "file_refused"),
        (b"a,b\n1,2\n", "text/csv", "file_refused"),
        (b"\n", "text/csv", "file_refused"),
        (b"ada\n\xff\n", "text/csv", "file_refused"),
        (b"{", "application/json", "malformed_json"),
        (b"email\nada@example.com\n", "text/csv", "file_refused"),
        (b"external_id\n", "text/csv", "file_refused"),
        (b"external_id,x\n,1\n", "text/csv", "file_refused"),
        (b'{"external_ids": "ada"}', "application/json", "not_a_list"),
        (b'{"external_ids": []}', "application/json", "empty"),
        (b'{"external_ids": [7]}', "application/json", "empty"),
        (b"{}", "application/json", "required"),
    ],
)
def test_what_is_no_list_leaves_the_members_as_they_were(
    site: Site, api: Api, content: bytes, kind: str, code: str
) -> None:
    audience = Audience.objects.create(tenant=site.acme, name="List", source="list")
    AudienceMember.objects.create(tenant=site.acme, audience=audience, external_id="ada")
    status, problem = api("PUT", f"/v1/audiences/{audience.pk}/members", content, content_type=kind)
    assert (status, problem["code"]) == (400, code)
    assert AudienceMember.objects.filter(audience=audience).count() == 1


def test_a_segment_takes_no_members(site: Site, api: Api) -> None:
    assert api("PUT", f"/v1/audiences/{site.everybody.pk}/members", {"external_ids": []})[0] == 400


def test_a_list_cannot_be_replaced_while_it_is_being_frozen(site: Site, api: Api) -> None:
    audience = Audience.objects.create(tenant=site.acme, name="List", source="list")
    site.draft(audience=audience, state=Campaign.State.ARMING)
    status, problem = api("PUT", f"/v1/audiences/{audience.pk}/members", {"external_ids": ["ada"]})
    assert (status, problem["code"]) == (409, "audience_in_use")


def test_a_filter_is_counted_before_an_audience_is_made_of_it(site: Site, api: Api) -> None:
    filter_ = [{"field": "external_id", "op": "in", "value": ["ada", "zoe"]}]
    assert api("POST", "/v1/audiences/count", {"filter": filter_}) == (200, {"reaches": 1, "exact": True})
    either = [{"any": [*filter_, {"field": "device.platform", "op": "eq", "value": "fcm"}]}]
    assert api("POST", "/v1/audiences/count", {"filter": either}) == (200, {"reaches": 4, "exact": True})
    status, problem = api("POST", "/v1/audiences/count", {"filter": [{"any": [{"field": "nme"}]}]})
    assert (status, problem["field"]) == (400, "filter.0.any.0.field")
    assert api("POST", "/v1/audiences/count", {"filter": []})[0] == 400
    assert Audience.objects.count() == 1


def test_a_topic_has_devices_that_only_google_knows(site: Site, api: Api) -> None:
    body = {"name": "News", "source": "topic", "topic": "'news'in topics", "locale": "de-at", "app": "shop"}
    status, created = api("POST", "/v1/audiences", body)
    assert (status, created["topic"], created["locale"], created["app"]) == (201, "'news' in topics", "de-AT", "shop")
    shown = api("GET", f"/v1/audiences/{created['id']}")[1]
    assert (shown["reaches"], shown["size"]) == (None, 0)
    assert api("PUT", f"/v1/audiences/{created['id']}/members", {"external_ids": ["ada"]})[0] == 400
