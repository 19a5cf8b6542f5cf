"""/v1/categories: creation, archiving, deletion of unused categories, and opt-outs that outlive a category."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.models import RestrictedError

from notifier.delivery import recheck
from notifier.delivery.ledger import claims
from notifier.models import Delivery, Template
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.people import Address
from notifier.vocabulary.status import Lane, Reason, Status
from tenants import categories
from tenants.models import AuditLog, Category, Preference
from tests.api.conftest import CONTENT, ApiSite, payload

CONTENTS = {"content": CONTENT}


def opt_out(site: ApiSite, *entries: str) -> None:
    Preference.objects.create(tenant=site.people.acme, recipient=site.dora, categories_off=list(entries))


def create(site: ApiSite, key: str = "promotions", kind: str = "marketing") -> Category:
    assert site.acme("POST", "/v1/categories", {"key": key, "name": key, "kind": kind}).status == 201
    return Category.objects.get(tenant=site.people.acme, key=key)


# -- deleting ----------------------------------------------------------------------------------------------------------


def test_a_category_of_a_template_is_not_deleted(site: ApiSite) -> None:
    got = site.acme("DELETE", "/v1/categories/news")
    assert (got.status, got.body["code"]) == (409, "category_in_use")
    assert "template shipped" in got.body["detail"] and "Archive" in got.body["detail"]
    assert Template.objects.get(key="shipped").category.key == "news"  # type: ignore[union-attr]


def test_a_category_of_a_scheduled_notification_is_not_deleted(site: ApiSite) -> None:
    create(site)
    later = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    sent = site.acme("POST", "/v1/notifications", payload(category="promotions", send_at=later, channels=["in_app"]))
    assert sent.status == 202, sent.body
    got = site.acme("DELETE", "/v1/categories/promotions")
    assert (got.status, got.body["code"]) == (409, "category_in_use")
    assert "scheduled notifications" in got.body["detail"]
    Delivery.objects.update(status=Status.CANCELLED)
    assert site.acme("DELETE", "/v1/categories/promotions").status == 204


def test_the_deletion_of_an_unused_category_is_audited(site: ApiSite) -> None:
    create(site)
    assert site.acme("DELETE", "/v1/categories/promotions").status == 204
    assert site.acme("DELETE", "/v1/categories/promotions").status == 404
    assert AuditLog.objects.get(action="category.delete").detail == {"key": "promotions"}


def test_another_tenants_category_is_not_found(site: ApiSite) -> None:
    for method, body in (("GET", None), ("PATCH", {"name": "x"}), ("DELETE", None)):
        assert site.globex(method, "/v1/categories/news", body).status == 404


@pytest.mark.django_db(transaction=True)
def test_the_database_refuses_to_delete_the_category_of_a_template(site: ApiSite) -> None:
    with pytest.raises(RestrictedError):
        Category.objects.get(key="news").delete()
    with pytest.raises(IntegrityError), transaction.atomic():
        Category.objects.filter(key="news")._raw_delete("default")


# -- opt-outs outlive the category -------------------------------------------------------------------------------------


def test_an_opt_out_holds_again_when_the_category_is_created_again(site: ApiSite) -> None:
    create(site)
    opt_out(site, "promotions")
    assert site.acme("DELETE", "/v1/categories/promotions").status == 204
    create(site)
    got = site.acme("POST", "/v1/notifications", payload(category="promotions"))
    assert {d["reason"] for d in got.body["deliveries"]} == {"category_off"}


def test_an_opt_out_from_a_deleted_category_survives_a_change_of_other_preferences(site: ApiSite) -> None:
    create(site)
    opt_out(site, "promotions", "gone:push")
    assert site.acme("DELETE", "/v1/categories/promotions").status == 204
    path = "/v1/recipients/dora/preferences"
    read = site.acme("GET", path).body
    assert site.acme("PUT", path, read).body == read
    site.acme("PUT", path, {"categories": {"news": False}})
    assert sorted(Preference.objects.get().categories_off) == ["gone:push", "news", "promotions"]
    site.acme("PUT", path, {"categories": {"promotions": True}})
    assert sorted(Preference.objects.get().categories_off) == ["gone:push"]
    assert site.acme("PUT", path, {"categories": {"never": False}}).status == 400


@pytest.mark.parametrize(
    ("key", "lane", "reason"),
    [
        ("gone", Lane.TRANSACTIONAL, Reason.CATEGORY_OFF),
        ("gone", Lane.BULK, Reason.CATEGORY_OFF),
        ("gone", Lane.CRITICAL, None),
        ("news", Lane.TRANSACTIONAL, None),
    ],
)
def test_a_waiting_message_obeys_the_opt_out_from_a_deleted_category(
    site: ApiSite, key: str, lane: Lane, reason: Reason | None
) -> None:
    opt_out(site, "gone")
    row = claims.Claimed(
        id=new_id(), tenant_id=site.people.acme.pk, recipient_id=site.dora.pk, account_id=new_id(), channel="in_app",
        address=Address("dora"), lane=lane, mode="live", content={}, attempt=0, fence=1,
        accepted_at=datetime.now(UTC), category=key,
    )  # fmt: skip
    outcomes = recheck.plan_again([row], datetime.now(UTC))
    assert [o.reason for o in outcomes] == ([reason] if reason else [])


# -- archiving ---------------------------------------------------------------------------------------------------------


def test_nothing_new_may_use_an_archived_category(site: ApiSite) -> None:
    create(site)
    site.acme("PUT", "/v1/templates/sale", {**CONTENTS, "category": "promotions"})
    got = site.acme("PATCH", "/v1/categories/promotions", {"archived": True})
    assert (got.status, got.body["archived"]) == (200, True)
    for method, path, body in (
        ("PUT", "/v1/templates/another", {**CONTENTS, "category": "promotions"}),
        ("PUT", "/v1/templates/shipped", {**CONTENTS, "category": "promotions"}),
        ("POST", "/v1/notifications", payload(category="promotions")),
    ):
        refused = site.acme(method, path, body)
        assert (refused.status, refused.body["code"], refused.body["field"]) == (400, "category_archived", "category")
    assert not Template.objects.filter(key="another").exists()
    campaign = site.acme("POST", "/v1/campaigns", {"name": "Sale", "template": "sale"})
    assert (campaign.status, campaign.body["code"], campaign.body["field"]) == (400, "category_archived", "template")


def test_a_template_of_an_archived_category_goes_on_and_the_noes_hold(site: ApiSite) -> None:
    assert site.acme("PATCH", "/v1/categories/news", {"archived": True}).status == 200
    published = site.acme("PUT", "/v1/templates/shipped", {**CONTENTS, "category": "news", "name": "Shipped"})
    assert (published.status, published.body["category"]) == (200, "news")
    sent = site.acme("POST", "/v1/notifications", payload(category="news", channels=["in_app"]))
    assert [d["status"] for d in sent.body["deliveries"]] == ["queued"]
    got = site.acme("PUT", "/v1/recipients/dora/preferences", {"categories": {"news": False}})
    assert got.body["categories"] == {"news": False}
    again = site.acme("POST", "/v1/notifications", payload())
    assert {d["reason"] for d in again.body["deliveries"]} == {"category_off"}


def test_a_restored_category_may_be_used_again(site: ApiSite) -> None:
    create(site)
    for archived, status in ((True, 400), (False, 201)):
        site.acme("PATCH", "/v1/categories/promotions", {"archived": archived})
        assert site.acme("GET", "/v1/categories/promotions").body["archived"] is archived
        assert site.acme("PUT", "/v1/templates/new", {**CONTENTS, "category": "promotions"}).status == status


# -- key and kind ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"key": "other"}, "key"),
        ({"kind": "spam"}, "kind"),
        ({"archived": "yes"}, "archived"),
        ({"name": ""}, "name"),
        ({"name": "\u200b"}, "name"),
    ],
)
def test_a_bad_change_is_refused_with_the_field(site: ApiSite, change: dict[str, Any], field: str) -> None:
    got = site.acme("PATCH", "/v1/categories/news", change)
    assert (got.status, got.body["field"]) == (400, field)
    assert Category.objects.get(tenant=site.people.acme, key="news").name == "News"


@pytest.mark.parametrize("entry", ["news", "news:push"])
def test_a_category_that_a_recipient_turned_off_does_not_become_critical(site: ApiSite, entry: str) -> None:
    opt_out(site, entry)
    got = site.acme("PATCH", "/v1/categories/news", {"kind": "critical"})
    assert (got.status, got.body["code"], got.body["field"]) == (409, "category_turned_off", "kind")
    assert site.acme("PATCH", "/v1/categories/news", {"kind": "marketing"}).body["kind"] == "marketing"


def test_a_deleted_category_that_a_recipient_turned_off_is_not_made_again_as_critical(site: ApiSite) -> None:
    opt_out(site, "promotions")
    wanted = {"key": "promotions", "name": "Promotions", "kind": "critical"}
    assert site.acme("POST", "/v1/categories", wanted).body["code"] == "category_turned_off"
    assert site.globex("POST", "/v1/categories", wanted).status == 201


def test_a_category_that_no_recipient_turned_off_may_become_critical(site: ApiSite) -> None:
    opt_out(site, "newsletter", "other")
    assert site.acme("PATCH", "/v1/categories/news", {"kind": "critical"}).body["kind"] == "critical"


def test_a_refusal_lists_only_the_first_uses(site: ApiSite) -> None:
    category = Category.objects.get(tenant=site.people.acme, key="news")
    for n in range(categories.MAX_USES + 3):
        Template.objects.create(tenant=site.people.acme, key=f"t{n}", category=category)
    assert len(categories.find_uses(category)) == categories.MAX_USES


def test_a_category_is_created_once(site: ApiSite) -> None:
    wanted = {"key": "promotions", "name": "Promotions", "kind": "marketing"}
    assert site.acme("POST", "/v1/categories", wanted).status == 201
    again = site.acme("POST", "/v1/categories", wanted)
    assert (again.status, again.body["field"]) == (409, "key")
    assert [c["key"] for c in site.acme("GET", "/v1/categories").body["data"]] == ["news", "promotions"]
    assert site.globex("GET", "/v1/categories").body["data"] == []
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
def test_a_bad_category_is_refused_with_the_field(site: ApiSite, change: dict[str, Any], field: str) -> None:
    got = site.acme("POST", "/v1/categories", {"key": "promotions", "name": "P", **change})
    assert (got.status, got.body["field"]) == (400, field), got.body


# -- opt-in, preferred channels, over the cap --------------------------------------------------------------------------


def test_a_categorys_rules_are_read_as_they_were_written(site: ApiSite) -> None:
    rules = {"opt_in": "double", "preferred_channels": ["email", "sms"], "over_cap": "defer"}
    body = {"key": "promotions", "name": "Promotions", "kind": "marketing"}
    made = site.acme("POST", "/v1/categories", {**body, **rules})
    assert made.status == 201 and {**made.body, **rules} == made.body
    changed = site.acme("PATCH", "/v1/categories/promotions", {"opt_in": "", "preferred_channels": []})
    assert (changed.body["opt_in"], changed.body["preferred_channels"]) == ("", [])
    assert changed.body["over_cap"] == "defer"


@pytest.mark.parametrize(
    ("rules", "field"),
    [
        ({"opt_in": "triple"}, "opt_in"),
        ({"opt_in": "single", "kind": "critical"}, "opt_in"),
        ({"preferred_channels": ["pigeon"]}, "preferred_channels"),
        ({"preferred_channels": ["email", "email"]}, "preferred_channels"),
        ({"preferred_channels": "email"}, "preferred_channels"),
        ({"over_cap": "explode"}, "over_cap"),
    ],
)
def test_a_wrong_rule_of_a_category_is_refused_with_the_field(site: ApiSite, rules: dict[str, Any], field: str) -> None:
    got = site.acme("POST", "/v1/categories", {"key": "promotions", "name": "P", "kind": "marketing", **rules})
    assert got.status == 400, got.body
    assert field in {got.body["field"], *(e["field"] for e in got.body.get("errors", []))}, got.body
    assert not Category.objects.filter(key="promotions").exists()
