"""/v1/frequency-caps, and what a cap answers to a request."""

from __future__ import annotations

from typing import Any

import pytest

from notifier.models import CapCount, FrequencyCap
from tenants.models import AuditLog
from tests.api.conftest import ApiSite, payload

CAP = {"category": "news", "channel": "in_app", "most": 1, "period": "day"}


def create(site: ApiSite, **values: Any) -> str:
    got = site.acme("POST", "/v1/frequency-caps", {**CAP, **values})
    assert got.status == 201, got.body
    return str(got.body["id"])


def test_a_cap_is_created_read_changed_listed_and_deleted(site: ApiSite) -> None:
    cap_id = create(site)
    address = f"/v1/frequency-caps/{cap_id}"
    assert site.acme("GET", address).body == {"id": cap_id, **CAP}
    assert site.acme("PATCH", address, {"most": 5}).body["most"] == 5
    everything = create(site, category=None, channel="")
    listed = site.acme("GET", "/v1/frequency-caps").body["data"]
    assert [(cap["id"], cap["category"], cap["channel"]) for cap in listed] == [
        (everything, None, None),
        (cap_id, "news", "in_app"),
    ]
    assert site.acme("DELETE", address).status == 204
    assert site.acme("GET", address).status == 404
    actions = (
        AuditLog.objects.filter(action__startswith="frequency_cap").order_by("id").values_list("action", flat=True)
    )
    assert list(actions) == [f"frequency_cap.{verb}" for verb in ("create", "change", "create", "delete")]


@pytest.mark.parametrize(
    ("values", "field", "code"),
    [
        ({"most": 0}, "most", "min_value"),
        ({"most": 1001}, "most", "max_value"),
        ({"most": "2"}, "most", "invalid"),
        ({"most": True}, "most", "invalid"),
        ({"period": "month"}, "period", "invalid_choice"),
        ({"category": "nothing"}, "category", "unknown_category"),
        ({"channel": "pigeon"}, "channel", "unknown_channel"),
        ({"window": "day"}, "window", "unknown_field"),
    ],
)
def test_a_wrong_cap_is_refused_with_its_field(site: ApiSite, values: dict[str, Any], field: str, code: str) -> None:
    got = site.acme("POST", "/v1/frequency-caps", {**CAP, **values})
    assert (got.status, got.body["field"], got.body["code"]) == (400, field, code)
    assert not FrequencyCap.objects.exists()


def test_a_second_cap_of_the_same_kind_is_refused(site: ApiSite) -> None:
    create(site)
    create(site, category=None, channel=None)
    for kind in ({}, {"category": "", "channel": None}):
        got = site.acme("POST", "/v1/frequency-caps", {**CAP, **kind, "most": 9})
        assert (got.status, got.body["code"], got.body["field"]) == (409, "exists", "period")
    assert FrequencyCap.objects.count() == 2


def test_another_tenants_cap_does_not_exist(site: ApiSite) -> None:
    address = f"/v1/frequency-caps/{create(site)}"
    for method in ("GET", "PATCH", "DELETE"):
        assert site.globex(method, address, {"most": 0} if method == "PATCH" else None).status == 404
    assert site.globex("GET", "/v1/frequency-caps").body["data"] == []


def test_a_category_with_a_cap_is_not_deleted(site: ApiSite) -> None:
    site.acme("POST", "/v1/categories", {"key": "promotions", "name": "Promotions", "kind": "marketing"})
    create(site, category="promotions")
    got = site.acme("DELETE", "/v1/categories/promotions")
    assert (got.status, got.body["code"]) == (409, "category_in_use")
    assert "1 of promotions on in_app each day" in got.body["detail"]


def test_the_answer_to_a_request_names_the_cap(site: ApiSite) -> None:
    create(site)
    first, second = (
        site.acme("POST", "/v1/notifications", payload(category="news", channels=["in_app"])) for _ in range(2)
    )
    assert [d["status"] for d in first.body["deliveries"]] == ["queued"]
    assert [(d["status"], d["reason"]) for d in second.body["deliveries"]] == [("suppressed", "frequency_cap")]
    assert CapCount.objects.get().holders


def test_an_explanation_of_a_request_names_the_cap(site: ApiSite) -> None:
    create(site)
    site.acme("POST", "/v1/notifications", payload(category="news", channels=["in_app"]))
    got = site.acme("GET", "/v1/recipients/dora/explain?template=shipped&channel=in_app")
    assert got.status == 200, got.body
    (channel,) = got.body["channels"]
    assert (channel["outcome"], channel["reason"]) == ("suppressed", "frequency_cap")
    (line,) = [rule for rule in channel["rules"] if rule["rule"] == "frequency_cap"]
    assert "1 of 1 places are taken" in line["looked_at"] and line["said"] == "suppressed: frequency_cap"
