"""/v1/templates."""

from __future__ import annotations

from typing import Any

import pytest

from notifier.models import Template, TemplateVersion
from tenants.models import Tenant
from tests.api.conftest import CONTENT, ApiSite, payload


def test_publishing_makes_the_next_version_and_the_same_content_makes_none(site: ApiSite) -> None:
    changed = {"push": {"en": {"title": "Sent", "body": "Order {{ order }}"}}}
    got = site.acme("PUT", "/v1/templates/shipped", {"content": changed})
    assert (got.status, got.body["version"], got.body["category"]) == (200, 2, "news")
    again = site.acme("PUT", "/v1/templates/shipped", {"content": changed, "name": "Shipped", "category": None})
    assert (again.body["version"], again.body["name"], again.body["category"]) == (2, "Shipped", None)
    assert site.acme("GET", "/v1/templates/shipped").body == again.body


def test_a_new_template_can_be_sent_at_once(site: ApiSite) -> None:
    made = site.acme("PUT", "/v1/templates/welcome", {"content": CONTENT, "category": "news"})
    assert (made.status, made.body["version"]) == (201, 1)
    assert site.acme("POST", "/v1/notifications", payload(template="welcome")).status == 202


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "content"),
        ({"content": []}, "content"),
        ({"content": {}}, "content"),
        ({"content": {"pigeon": {"en": {}}}}, "channels"),
        ({"content": {"push": []}}, "content.push"),
        ({"content": {"push": {"de": {"title": "a", "body": "b"}}}}, "content.push"),
        ({"content": {"push": {"en": 7}}}, "content.push.en"),
        ({"content": {"in_app": {"en": {"title": "a"}}}}, "content.in_app.en.body"),
        ({"content": {"push": {"en": {"link": "https://shop.test/"}}}}, "content.push.en.title"),
        ({"content": {"push": {"en": {"title": "a", "badge": "many"}}}}, "content.push.en.badge"),
        ({"content": {"push": {"en": {"title": "a", "apns": {"volum": "1"}}}}}, "content.push.en.apns.volum"),
        (
            {"content": {"push": {"en": {"title": "a", "apns": {"interruption_level": "loud"}}}}},
            "content.push.en.apns.interruption_level",
        ),
        ({"content": {"push": {"en": {"title": "a", "body": 7}}}}, "content.push.en.body"),
        ({"content": {"push": {"en": {"title": "a", "body": "{{ broken"}}}}, "content.push.en.body"),
        ({"content": {"push": {"en": {"title": "a", "body": "b", "colour": "red"}}}}, "content.push.en.colour"),
        (
            {"content": {"push": {"en": {"title": "a", "body": "b", "data": {"from": "x"}}}}},
            "content.push.en.data.from",
        ),
        ({"content": {"push": {"en": {"title": "a", "body": "b" * 4100}}}}, "content.push.en.body"),
        ({"content": {"in_app": {"en": {"title": "a" * 501, "body": "b"}}}}, "content.in_app.en.title"),
        ({"content": {"push": {"en": {"title": "a", "body": "b", "link": "javascript:x"}}}}, "content.push.en.link"),
        ({"content": CONTENT, "category": "unknown"}, "category"),
        ({"content": CONTENT, "name": 7}, "name"),
    ],
)
def test_a_bad_template_is_refused_with_the_field_and_makes_no_version(
    site: ApiSite, body: dict[str, Any], field: str
) -> None:
    got = site.acme("PUT", "/v1/templates/fresh", body)
    assert (got.status, got.body["field"]) == (400, field), got.body
    assert not Template.objects.filter(key="fresh").exists()
    assert TemplateVersion.objects.count() == 1


def test_a_key_has_only_letters_digits_hyphens_and_underscores(site: ApiSite) -> None:
    assert site.acme("PUT", "/v1/templates/a%20b", {"content": CONTENT}).body["field"] == "key"


def test_templates_are_listed_and_hidden_from_other_tenants(site: ApiSite) -> None:
    assert [t["key"] for t in site.acme("GET", "/v1/templates").body["data"]] == ["shipped"]
    assert site.globex("GET", "/v1/templates").body["data"] == []
    assert site.globex("GET", "/v1/templates/shipped").status == 404
    assert site.acme("GET", "/v1/templates/none").status == 404


def test_a_link_with_a_scheme_of_the_tenants_app_can_be_published(site: ApiSite) -> None:
    content = {"push": {"en": {"title": "a", "body": "b", "link": "acme-app://orders/17"}}}
    assert site.acme("PUT", "/v1/templates/app", {"content": content}).body["field"] == "content.push.en.link"
    Tenant.objects.filter(pk=site.people.acme.pk).update(link_schemes=["acme-app"])
    assert site.acme("PUT", "/v1/templates/app", {"content": content}).status == 201
    assert site.globex("PUT", "/v1/templates/app", {"content": content}).status == 400


def test_locales_of_content_are_stored_in_canonical_case_and_the_same_content_makes_no_version(site: ApiSite) -> None:
    Tenant.objects.filter(pk=site.people.acme.pk).update(default_locale="pt-BR")
    text = {"title": "a", "body": "b"}
    for written, status in (("pt_BR", 201), ("pt-br", 200), ("PT-BR", 200)):
        got = site.acme("PUT", "/v1/templates/br", {"content": {"push": {written: text}}})
        assert (got.status, got.body["version"], got.body["content"]) == (status, 1, {"push": {"pt-BR": text}})


@pytest.mark.parametrize("more", ["klingon", "", "de at", "EN", "en_"])
def test_a_bad_or_repeated_locale_of_content_is_refused_with_the_field(site: ApiSite, more: str) -> None:
    text = {"title": "a", "body": "b"}
    got = site.acme("PUT", "/v1/templates/new", {"content": {"push": {"en": text, more: text}}})
    assert (got.status, got.body["field"]) == (400, f"content.push.{more}"), got.body
    assert not Template.objects.filter(key="new").exists()
