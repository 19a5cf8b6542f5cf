"""Templates and messages that cannot be rendered are refused at publishing or acceptance, within a bounded time."""

from __future__ import annotations

import time

import pytest

from notifier.models import Delivery, Notification
from tenants.models import Recipient
from tests.api.conftest import ApiSite, payload


def publish_title(site: ApiSite, title: str) -> None:
    content = {"push": {"en": {"title": title, "body": "b"}}, "in_app": {"en": {"title": title, "body": "b"}}}
    got = site.acme("PUT", "/v1/templates/shipped", {"content": content})
    assert got.status == 200, got.body


def test_a_message_that_cannot_be_rendered_is_refused_with_the_part_and_the_variable(site: ApiSite) -> None:
    publish_title(site, "{% if recipient.attributes.points > 20 %}{{ 10 | divided_by: order }}{% endif %}x")
    Recipient.objects.filter(pk=site.dora.pk).update(attributes={"points": 150})
    refused = site.acme("POST", "/v1/notifications", payload(data={"order": 0}))
    assert (refused.status, refused.body["code"], refused.body["field"]) == (400, "template_error", "data.order")
    assert "title cannot be rendered: order: " in refused.body["detail"]
    Recipient.objects.create(tenant=site.people.acme, external_id="emil", attributes={"points": "many"})
    items = [
        payload(data={"order": 2}),
        payload(recipient="emil", data={"order": 2}),
        payload(data={"order": 0}),
    ]
    got = site.acme("POST", "/v1/notifications/bulk", {"items": items})
    assert (got.status, got.body["accepted"]) == (207, 1)
    wrong = [item["problem"]["field"] for item in got.body["items"] if item["status"] == 400]
    assert wrong == ["data.recipient.attributes.points", "data.order"]
    assert Notification.objects.count() == 1


@pytest.mark.parametrize(
    "title",
    [
        "{{ (1..6000000) | reverse | size }}",
        "{% if (1..60000000) contains 'x' %}{% endif %}",
        "{{ order" + " | escape" * 25 + " }}",
        "{% for i in (1..9999) %}{% for j in (1..9999) %}{% endfor %}{% endfor %}",
    ],
)
def test_a_template_that_needs_too_much_time_or_memory_is_refused_with_the_reason(site: ApiSite, title: str) -> None:
    publish_title(site, title)
    began = time.process_time()
    got = site.acme("POST", "/v1/notifications", payload(data={"order": "&" * 60_000}))
    assert (got.status, got.body["code"]) == (400, "template_error"), got.body
    assert time.process_time() - began < 2
    assert not Notification.objects.exists()


def test_the_items_of_a_bulk_share_one_rendering_budget(site: ApiSite) -> None:
    publish_title(site, "{% for i in (1..9999) %}{% if a == b %}{% endif %}{% endfor %}x")
    slow = payload(data={name: [{"id": n, "name": f"n{n}"} for n in range(900)] for name in "ab"})
    began = time.process_time()
    got = site.acme("POST", "/v1/notifications/bulk", {"items": [slow] * 15})
    assert time.process_time() - began < 2
    assert {item["problem"]["code"] for item in got.body["items"]} == {"template_error"}


@pytest.mark.parametrize(
    ("title", "why"),
    [
        ("{{ order" + " | upcase" * 31 + " }}", "filters in a row"),
        ("{{ partial }}", "meaning of its own"),
        ("{{ nil }}", "meaning of its own"),
        ("{% comment %}" + "{%a" * 20_000, "not closed"),
        ("{% if order %}" * 31 + "{% endif %}" * 31, "nesting"),
    ],
)
def test_a_template_that_can_only_fail_is_refused_at_publishing(site: ApiSite, title: str, why: str) -> None:
    content = {"push": {"en": {"title": title, "body": "b"}}}
    got = site.acme("PUT", "/v1/templates/shipped", {"content": content})
    assert (got.status, got.body["field"]) == (400, "content.push.en.title"), got.body
    assert why in got.body["detail"]


@pytest.mark.parametrize(
    ("order", "field"),
    [
        ("javascript:alert(1)", "content.push.en.link"),
        ("x" * 4100, "content.push.en.link"),
        ("/" + "x" * 4100, "content.push.en.link"),
    ],
)
def test_a_link_that_the_provider_would_refuse_is_refused_at_acceptance(site: ApiSite, order: str, field: str) -> None:
    content = {"push": {"en": {"title": "a", "body": "b", "link": "{{ order }}"}}}
    assert site.acme("PUT", "/v1/templates/linked", {"content": content}).status == 201
    got = site.acme("POST", "/v1/notifications", payload(template="linked", data={"order": order}))
    assert (got.status, got.body["field"]) == (400, field), got.body
    bulk = [payload(template="linked", data={"order": text}) for text in ("/orders/17", order)]
    answer = site.acme("POST", "/v1/notifications/bulk", {"items": bulk})
    assert (answer.status, answer.body["accepted"], answer.body["items"][1]["problem"]["field"]) == (207, 1, field)
    assert Delivery.objects.count() == 1
