"""In the admin, a member of one tenant can neither read nor change anything of another tenant.

The tests open, search and post to every page of every registered model with the other tenant's ids.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db.models import AutoField, BigAutoField, Model
from django.urls import URLPattern, URLResolver, reverse

from tenants.admin.site import admin_site
from tests.flows.admin import Browser
from tests.flows.http import Answer
from tests.flows.site import Site
from tests.flows.two_tenants import Side

#: models of which the two tenants have no row: those that take longer than a minute, or belong to no tenant
WITHOUT_ROWS = {
    "django_celery_beat.clockedschedule",
    "django_celery_beat.crontabschedule",
    "django_celery_beat.intervalschedule",
    "django_celery_beat.periodictask",
    "django_celery_beat.solarschedule",
    "notifier.deadletter",
    "notifier.engagementcount",  # only of a tenant that counts opens without persons
    "notifier.receipt",  # the page shows calls that no worker could read
    "tenants.import",
    "tenants.erasure",  # only of a person who was erased
    "tenants.optinproof",  # only of a category with double opt-in
}
#: models whose list only an operator may open
FOR_OPERATORS = {"tenants.user"}
MODELS: list[type[Model]] = sorted(admin_site._registry, key=lambda model: model._meta.label_lower)


@pytest.fixture(scope="module")
def owners(pair: tuple[Side, Side]) -> tuple[Browser, Browser]:
    return pair[0].tenant.owner(), pair[1].tenant.owner()


def name_of(model: type[Model], page: str) -> str:
    return f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}"


def pages_of_a_row(model: type[Model]) -> list[str]:
    """The names of all pages about one row, including pages that Django does not have."""
    begin = f"{model._meta.app_label}_{model._meta.model_name}_"
    return [f"admin:{p.name}" for p in patterns() if p.name and p.name.startswith(begin) and p.pattern.converters]


def patterns() -> Iterator[URLPattern]:
    for one in admin_site.get_urls():
        if isinstance(one, URLResolver):
            yield from (inner for inner in one.url_patterns if isinstance(inner, URLPattern))


def rows(browser: Browser, model: type[Model], search: str = "") -> list[str]:
    """The ids to which this user's list of the model links."""
    answer = browser.get(f"{reverse(name_of(model, 'changelist'))}?q={search}")
    here = re.escape(reverse(name_of(model, "changelist")))
    return list(dict.fromkeys(re.findall(rf'href="{here}([^/"]+)/change/', answer.text)))


def unknown_id(model: type[Model]) -> str:
    return "999999999" if isinstance(model._meta.pk, AutoField | BigAutoField) else str(uuid.uuid4())


def fresh(browser: Browser) -> Browser:
    """A browser with the same login, so that cookies of one answer are not sent with the next request."""
    return Browser(browser.origin, dict(browser.cookies))


def without_id(answer: Answer, pk: str) -> tuple[int, str]:
    """The status and the redirect of an answer, without the id of the request."""
    return answer.status, answer.headers.get("location", "").replace(pk, "…")


def leaks(answer: Answer, other: Side) -> list[str]:
    return [word for word in other.secrets if word in answer.text or word in str(answer.headers)]


@pytest.fixture(scope="module")
def theirs(site: Site, pair: tuple[Side, Side], owners: tuple[Browser, Browser]) -> dict[type[Model], list[str]]:
    """The ids of the other tenant's rows, by model."""
    operator = Browser(site.url)
    operator.log_in(*site.operator)
    ids_of = {model: rows(owners[1], model) for model in MODELS}
    for model in MODELS:
        if model._meta.label_lower in FOR_OPERATORS:
            ids_of[model] = rows(operator, model, pair[1].tenant.credentials.slug)
    assert {model._meta.label_lower for model, ids in ids_of.items() if not ids} == WITHOUT_ROWS
    return ids_of


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label_lower)
def test_no_page_of_a_model_shows_or_takes_another_tenants_rows(
    model: type[Model],
    pair: tuple[Side, Side],
    owners: tuple[Browser, Browser],
    theirs: dict[type[Model], list[str]],
) -> None:
    me, other = fresh(owners[0]), pair[1]
    wrong = open_lists(me, model, other)
    shared = set(rows(me, model)) & set(theirs[model])
    assert shared == set()
    for page in pages_of_a_row(model):
        for method in ("get", "post"):
            nobody = unknown_id(model)
            expected = without_id(visit(me, method, page, nobody), nobody)
            for pk in theirs[model][:2]:
                answer = visit(me, method, page, pk)
                wrong += [f"{method} {page} {pk} shows {word}" for word in leaks(answer, other)]
                if without_id(answer, pk) != expected:
                    wrong.append(
                        f"{method} {page} {pk}: {without_id(answer, pk)}, for an id that does not exist {expected}"
                    )
    assert wrong == []
    if model._meta.label_lower not in FOR_OPERATORS:
        assert set(theirs[model]) <= set(rows(fresh(owners[1]), model)), "a row is gone"


def visit(browser: Browser, method: str, page: str, pk: str) -> Answer:
    address = reverse(page, args=[pk])
    return fresh(browser).get(address) if method == "get" else fresh(browser).post(address, post="yes")


def open_lists(me: Browser, model: type[Model], other: Side) -> list[str]:
    """Open the list, the page to add a row, and searches for words of the other tenant."""
    listed, add = (reverse(name_of(model, page)) for page in ("changelist", "add"))
    terms = (other.word.lower(), other.person, other.template)
    addresses = [listed, add, *(f"{listed}?q={term}" for term in terms)]
    wrong = []
    for address in addresses:
        answer = fresh(me).get(address)
        assert answer.status < 500, f"{address}: {answer.status}"
        wrong += [f"{address} shows {word}" for word in leaks(answer, other)]
    return wrong


def test_an_owner_can_open_a_row_of_every_model(pair: tuple[Side, Side], owners: tuple[Browser, Browser]) -> None:
    """Otherwise the test above would prove nothing."""
    for model in MODELS:
        if model._meta.label_lower in WITHOUT_ROWS | FOR_OPERATORS:
            continue
        pk = rows(owners[0], model)[0]
        assert visit(owners[0], "get", name_of(model, "change"), pk).status == 200, model


def test_choices_filters_and_forms_offer_the_own_tenant_only(
    pair: tuple[Side, Side], owners: tuple[Browser, Browser], theirs: dict[type[Model], list[str]]
) -> None:
    me, other = fresh(owners[0]), pair[1]
    tenant = next(pk for model, ids in theirs.items() if model._meta.label_lower == "tenants.tenant" for pk in ids)
    form = {"channel": "push", "address": "planted", "cause": "manual", "tenant": tenant}
    answer = me.submit("/admin/tenants/suppression/add/", **form)
    assert answer.status == 200, "another tenant must not be a choice"
    assert leaks(answer, other) == []
    assert "planted" not in fresh(owners[1]).get("/admin/tenants/suppression/").text
    for model in MODELS:
        listed = reverse(name_of(model, "changelist"))
        for parameter in ("of", "tenant__id__exact"):
            answer = fresh(me).get(f"{listed}?{parameter}={tenant}")
            assert (answer.status < 500, leaks(answer, other)) == (True, []), listed


def test_concurrent_requests_of_two_tenants_do_not_mix(
    pair: tuple[Side, Side], owners: tuple[Browser, Browser]
) -> None:
    """The scope on a pooled connection lasts for one transaction."""
    addresses = [reverse(name_of(model, "changelist")) for model in MODELS] * 2
    with ThreadPoolExecutor(8) as pool:
        seen = [
            (pool.submit(fresh(owners[mine]).get, address), pair[1 - mine]) for address in addresses for mine in (0, 1)
        ]
        assert [word for answer, other in seen for word in leaks(answer.result(), other)] == []
