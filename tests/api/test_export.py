"""GET /v1/recipients/<external_id>/export."""

from __future__ import annotations

import pytest

from notifier.delivery.send import deliver
from notifier.vocabulary.status import Lane
from tenants.export import export
from tenants.models import Preference, Suppression
from tests.api.conftest import ApiSite, payload

pytestmark = pytest.mark.django_db(transaction=True)
KINDS = {
    "recipient", "devices", "preferences", "suppressions", "opt_in_proofs", "consent_changes", "read_by_staff",
    "requests", "messages", "inbox", "schedules", "next",
}  # fmt: skip


def test_an_export_has_everything_of_one_person_and_nothing_of_others(site: ApiSite) -> None:
    site.dora.email = "dora@example.com"
    site.dora.save()
    Preference.objects.create(tenant=site.people.acme, recipient=site.dora, channels_off=["sms"])
    Suppression.objects.create(tenant=site.people.acme, channel="email", address="dora@example.com")
    assert site.acme("POST", "/v1/notifications", payload()).status == 202
    deliver("in_app", (Lane.TRANSACTIONAL,))
    got = site.acme("GET", "/v1/recipients/dora/export").body
    assert set(got) == KINDS
    assert (got["recipient"]["email"], got["devices"][0]["token"]) == ("dora@example.com", "token-of-dora")
    assert got["preferences"][0]["channels_off"] == ["sms"]
    assert got["suppressions"][0]["cause"] == "manual"
    assert got["consent_changes"][0]["changed"] == "preference"
    assert got["requests"][0]["data"] == {"order": "42"}
    assert {m["channel"] for m in got["messages"]} == {"push", "in_app"}
    assert got["messages"][0]["content"]["title"] == "Order 42"
    assert (got["inbox"][0]["title"], got["next"]) == ("Order 42", None)
    assert site.globex("GET", "/v1/recipients/dora/export").status == 404
    assert site.globex("GET", "/v1/recipients/zoe/export").body["messages"] == []


def test_pages_have_each_row_once(site: ApiSite) -> None:
    for _ in range(7):
        assert site.acme("POST", "/v1/notifications", payload()).status == 202
    deliver("in_app", (Lane.TRANSACTIONAL,))
    pages = [export(site.dora, None, most=3)]
    while pages[-1]["next"]:
        pages.append(export(site.dora, pages[-1]["next"], most=3))
    for kind, count in (("requests", 7), ("messages", 14), ("inbox", 7)):
        ids = [row["id"] for page in pages for row in page[kind]]
        assert (len(ids), len(set(ids)), ids) == (count, count, sorted(ids, reverse=True))
    assert all("recipient" not in page for page in pages[1:])


@pytest.mark.parametrize("before", ["x", ""])
def test_a_wrong_place_to_go_on_from_is_named(site: ApiSite, before: str) -> None:
    answer = site.acme("GET", f"/v1/recipients/dora/export?before={before}")
    assert (answer.status, answer.body["field"]) == (400, "before")
