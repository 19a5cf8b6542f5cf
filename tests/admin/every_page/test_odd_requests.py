"""No request makes an error of ours: odd ids, filters, searches, actions and forms, for every registered page."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from typing import Any

import pytest
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from campaigns.models import Audience
from notifier.models import DeadLetter, Template
from tenants.admin import admin_site
from tenants.models import Recipient, User
from tests.admin.conftest import Browser, Site, url

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(900)]
UNKNOWN = "01890000-0000-7000-8000-000000000000"
ODD_IDS = ("1", UNKNOWN, "-1", "9" * 30, "x" * 3000, "ü☃", "\0", "a/b", "null", "1e9", "_00", "%00", "0x1f", " ")
ODD_VALUES = ("\0", "", "1", "-1", "9" * 40, "1.5", "x" * 3000, "ü☃", UNKNOWN, "null", "((((", "2026-13-40", "%", "'")
LOOKUPS = ("", "__in", "__isnull", "__gt", "__regex", "__id__exact")
PAGES = sorted(admin_site._registry, key=lambda model: model._meta.label)


class OperatorBrowser(Browser):
    """An operator's browser, to which every page is open; it collects the responses that are server errors."""

    def collect_server_error(self, answer: Any, *request: Any) -> None:
        if answer.status_code not in (200, 301, 302, 400, 403, 404):
            self.server_errors.append(
                (answer.status_code, repr(answer.exc_info[1])[:200] if answer.exc_info else "", request)
            )

    @property
    def server_errors(self) -> list[Any]:
        collected: list[Any] = self.client.__dict__.setdefault("wrong", [])
        return collected


@pytest.fixture
def operator(olga: User, site: Site) -> Iterator[OperatorBrowser]:
    client = Client(raise_request_exception=False)
    client.force_login(olga)
    browser = OperatorBrowser(client)
    yield browser
    assert browser.server_errors == [], "\n".join(str(error)[:600] for error in browser.server_errors)


def test_an_odd_id_finds_nothing(operator: OperatorBrowser) -> None:
    values = cycle(ODD_IDS)
    for model in PAGES:
        base = url(model, "changelist")
        for page in ("change/", "change/", "delete/", "history/", ""):
            odd = next(values)
            answer = operator.get(f"{base}{odd}/{page}")
            operator.collect_server_error(answer, model, odd, page)


def test_an_odd_filter_is_refused_or_finds_nothing(operator: OperatorBrowser) -> None:
    values = cycle(ODD_VALUES)
    for model in PAGES:
        for name, odd in parameters(model, values):
            answer = operator.get(url(model, "changelist"), {name: odd})
            operator.collect_server_error(answer, model, name, odd)


def parameters(model: type[Model], odd: Iterator[str]) -> Iterator[tuple[str, str]]:
    """What a list may be asked, each with one of the values that it does not expect: the next, page after page."""
    fields = [field.name for field in model._meta.concrete_fields]
    known = ("p", "o", "e", "all", "_popup", "_to_field", "of", "after", "before", "campaign_id", "nothing", "q", "q")
    yield from ((name, next(odd)) for name in (*known, *(f"{name}__exact" for name in fields)))
    yield from ((f"{name}{lookup}", next(odd)) for name, lookup in zip(fields, LOOKUPS, strict=False))


def test_an_action_with_odd_rows_does_nothing(operator: OperatorBrowser) -> None:
    odd = cycle(ODD_IDS)
    for model in PAGES:
        before = model._default_manager.count()
        for action in (
            "delete_selected",
            "delete_selected",
            "send_again",
            "revoke",
            "block",
            "unblock",
            "nothing",
            "\0",
        ):
            posted = {
                "action": action,
                "_selected_action": [next(odd), next(odd), UNKNOWN],
                "index": next(odd),
                "post": "y",
            }
            answer = operator.post(url(model, "changelist"), {**posted, "select_across": "1"})
            operator.collect_server_error(answer, model, posted)
        assert model._default_manager.count() == before


def test_a_form_with_fields_missing_or_odd_is_a_form_again(site: Site, operator: OperatorBrowser) -> None:
    for model in PAGES:
        names = [field.name for field in model._meta.get_fields() if getattr(field, "editable", False)]
        pages = [url(model, "add")]
        if model in site.acme_rows:
            pages.append(url(model, "change", site.acme_rows[model].pk))
        for page in pages:
            for posted in ({}, *(dict.fromkeys(names, odd) for odd in ("\0", "9" * 40, "[1]"))):
                answer = operator.post(page, posted)
                operator.collect_server_error(answer, page, posted)


def test_requests_that_once_failed_get_an_ordinary_answer(site: Site, operator: OperatorBrowser) -> None:
    """An address of Django's own that no row of ours has; an action on a number; a filter for U+0000."""
    assert operator.get("/admin/r/1/1/").status_code == 404
    chosen = {"action": "send_again", "_selected_action": ["1"]}
    assert operator.post(url(DeadLetter, "changelist"), chosen).status_code == 302
    assert operator.get(url(DeadLetter, "changelist") + "?status__exact=%00").status_code == 400


def test_pages_beside_the_lists_refuse_odd_values(site: Site, operator: OperatorBrowser) -> None:
    template = site.acme_rows[Template].pk
    for odd in ODD_VALUES:
        request = (
            (reverse("admin:notifier_template_preview", args=[template]), {"recipient": odd, "variables": odd}),
            (reverse("admin:autocomplete"), {"app_label": odd, "model_name": odd, "field_name": odd, "term": odd}),
            (reverse("admin:autocomplete"), autocomplete(odd)),
            (reverse("admin:app_list", args=["tenants"]), {"x": odd}),
            (url(Template, "changelist"), {"_changelist_filters": odd}),
            (reverse("admin:jsi18n"), {"x": odd}),
        )
        for page, data in request:
            operator.collect_server_error(operator.get(page, data), page, odd)


def autocomplete(term: str) -> dict[str, str]:
    named = {"app_label": "tenants", "model_name": "device", "field_name": "recipient"}
    return {**named, "term": term, "page": term}


def test_the_login_page_takes_anything(site: Site) -> None:
    for odd in ODD_VALUES:
        browser = Browser(Client())
        answer = browser.get(reverse("admin:login"), {"next": odd})
        assert answer.status_code in (200, 302, 400), odd
        posted = {"username": odd, "password": odd, "next": odd}
        assert browser.post(reverse("admin:login"), posted).status_code in (200, 302, 400), odd
        assert browser.post(f"{reverse('admin:login')}?next={odd}", {"username": "ana"}).status_code in (200, 400), odd
        assert browser.get(f"/admin/{odd}".replace("\0", "%00")).status_code in (200, 301, 302, 400, 404), odd


ODD_JSON = ("[" * 100_000, '{"a":' * 300 + "1" + "}" * 300, "9" * 5000, '[{"a": "\\ud800"}]', "NaN", '{"a": "\\u0000"}')


def test_no_json_that_a_person_types_makes_an_error(operator: OperatorBrowser, site: Site) -> None:
    tenant = str(site.people.acme.pk)
    for text in ODD_JSON:
        for model, values in (
            (Audience, {"name": "odd", "source": "segment", "filter": text}),
            (Recipient, {"external_id": "odd", "status": "active", "attributes": text}),
            (Template, {"key": "odd", "name": "odd", "content": text}),
        ):
            answer = operator.post(url(model, "add"), {"tenant": tenant, **values})
            operator.collect_server_error(answer, model, text[:40])
            assert answer.status_code == 200, (model, text[:40])
        answer = operator.post(f"{url(Audience, 'changelist')}look/", {"tenant": tenant, "filter": text})
        assert answer.status_code == 400, text[:40]
