"""/v1/layouts, and the layout that a template names."""

from __future__ import annotations

from typing import Any

import pytest

from notifier.models import Layout, Template
from tests.api.conftest import ApiSite

FRAME = {"html": "<b>{{ content }}</b>"}
PAGE = {"email": {"en": {"subject": "Hi", "html": "<p>Hello</p>"}}}


def html_of(key: str) -> Any:
    newest = Template.objects.get(key=key).versions.first()
    assert newest is not None
    return (newest.published or newest.content)["email"]["en"]["html"]


def test_a_template_has_the_layout_that_it_names(site: ApiSite) -> None:
    made = site.acme("PUT", "/v1/layouts/frame", {**FRAME, "default": True})
    assert (made.status, made.body["default"]) == (201, True)
    site.acme("PUT", "/v1/layouts/plain", {"html": "<i>{{ content }}</i>"})
    for layout, html in (
        (None, "<b><p>Hello</p></b>"),
        ("plain", "<i><p>Hello</p></i>"),
        ("none", "<p>Hello</p>"),
        ("default", "<b><p>Hello</p></b>"),
    ):
        body = {"content": PAGE} if layout is None else {"content": PAGE, "layout": layout}
        got = site.acme("PUT", "/v1/templates/page", body)
        assert (got.body["layout"], html_of("page")) == (layout or "default", html)
        assert got.body["content"] == PAGE


def test_a_changed_layout_is_in_the_next_version_only(site: ApiSite) -> None:
    site.acme("PUT", "/v1/layouts/frame", {**FRAME, "default": True})
    site.acme("PUT", "/v1/templates/page", {"content": PAGE})
    changed = site.acme("PUT", "/v1/layouts/frame", {"html": "<i>{{ content }}</i>"})
    assert (changed.status, changed.body["default"], html_of("page")) == (200, True, "<b><p>Hello</p></b>")
    assert site.acme("PUT", "/v1/templates/page", {"content": PAGE}).body["version"] == 2
    assert html_of("page") == "<i><p>Hello</p></i>"


def test_one_layout_is_the_default(site: ApiSite) -> None:
    for key in ("one", "two"):
        site.acme("PUT", f"/v1/layouts/{key}", {**FRAME, "default": True})
    listed = site.acme("GET", "/v1/layouts").body["data"]
    assert [(layout["key"], layout["default"]) for layout in listed] == [("one", False), ("two", True)]


def test_a_layout_that_a_template_names_is_not_deleted(site: ApiSite) -> None:
    site.acme("PUT", "/v1/layouts/frame", FRAME)
    site.acme("PUT", "/v1/templates/page", {"content": PAGE, "layout": "frame"})
    refused = site.acme("DELETE", "/v1/layouts/frame")
    assert (refused.status, "'page' names this layout" in refused.body["detail"]) == (409, True)
    site.acme("PUT", "/v1/templates/page", {"content": PAGE, "layout": "none"})
    assert site.acme("DELETE", "/v1/layouts/frame").status == 204
    assert not Layout.objects.exists()


@pytest.mark.parametrize(
    ("key", "body", "field"),
    [
        ("none", FRAME, "key"),
        ("a%20b", FRAME, "key"),
        ("frame", {}, "html"),
        ("frame", {"html": "<p></p>"}, "html"),
        ("frame", {"text": "{{ content }}{% if %}"}, "text"),
        ("frame", {**FRAME, "postal_address": "Vienna"}, "html"),
        ("frame", {**FRAME, "colour": "red"}, "colour"),
        ("frame", {**FRAME, "default": "yes"}, "default"),
    ],
)
def test_a_wrong_layout_names_the_field_and_stores_nothing(
    site: ApiSite, key: str, body: dict[str, Any], field: str
) -> None:
    got = site.acme("PUT", f"/v1/layouts/{key}", body)
    assert (got.status, got.body["field"]) == (400, field), got.body
    assert not Layout.objects.exists()


def test_layouts_are_hidden_from_other_tenants(site: ApiSite) -> None:
    site.acme("PUT", "/v1/layouts/frame", FRAME)
    assert site.globex("GET", "/v1/layouts").body["data"] == []
    assert [site.globex(method, "/v1/layouts/frame").status for method in ("GET", "DELETE")] == [404, 404]
    got = site.globex("PUT", "/v1/templates/page", {"content": PAGE, "layout": "frame"})
    assert (got.status, got.body["field"], got.body["code"]) == (400, "layout", "unknown_layout")
