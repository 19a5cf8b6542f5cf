"""What a member of one tenant can learn of, or do to, another in the admin: nothing. Every page of every registered
model is opened, searched and posted to with the other's ids."""

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
from tests.flows.pair import Side
from tests.flows.site import Site

#: models of which `pair` has no row: what cannot be had in a minute, or what belongs to no tenant
WITHOUT_ROWS = {
    "django_celery_beat.clockedschedule",
    "django_celery_beat.crontabschedule",
    "django_celery_beat.intervalschedule",
    "django_celery_beat.periodictask",
    "django_celery_beat.solarschedule",
    "notifier.deadletter",
    "tenants.import",
}
#: models whose rows only an operator lists
FOR_OPERATORS = {"tenants.user"}
MODELS: list[type[Model]] = sorted(admin_site._registry, key=lambda model: model._meta.label_lower)


@pytest.fixture(scope="module")
def owners(pair: tuple[Side, Side]) -> tuple[Browser, Browser]:
    return pair[0].tenant.owner(), pair[1].tenant.owner()


def name_of(model: type[Model], page: str) -> str:
    return f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}"


def pages_of_a_row(model: type[Model]) -> list[str]:
    """The names of every page about one row, those of our own included."""
    begin = f"{model._meta.app_label}_{model._meta.model_name}_"
    return [f"admin:{p.name}" for p in patterns() if p.name and p.name.startswith(begin) and p.pattern.converters]


def patterns() -> Iterator[URLPattern]:
    for one in admin_site.get_urls():
        if isinstance(one, URLResolver):
            yield from (inner for inner in one.url_patterns if isinstance(inner, URLPattern))


def rows(browser: Browser, model: type[Model], search: str = "") -> list[str]:
    """The ids that the list of this model links to, as this person sees it."""
    answer = browser.get(f"{reverse(name_of(model, 'changelist'))}?q={search}")
    here = re.escape(reverse(name_of(model, "changelist")))
    return list(dict.fromkeys(re.findall(rf'href="{here}([^/"]+)/change/', answer.text)))


def nobodys(model: type[Model]) -> str:
    return "999999999" if isinstance(model._meta.pk, AutoField | BigAutoField) else str(uuid.uuid4())


def fresh(browser: Browser) -> Browser:
    """The same login; nothing that one answer sets is sent with the next request."""
    return Browser(browser.origin, dict(browser.cookies))


def told(answer: Answer, pk: str) -> tuple[int, str]:
    """What the answer says, apart from the id that was in the question."""
    return answer.status, answer.headers.get("location", "").replace(pk, "…")


def leaks(answer: Answer, other: Side) -> list[str]:
    return [word for word in other.secrets if word in answer.text or word in str(answer.headers)]


@pytest.fixture(scope="module")
def theirs(site: Site, pair: tuple[Side, Side], owners: tuple[Browser, Browser]) -> dict[type[Model], list[str]]:
    """Model -> ids of the other tenant's rows."""
    operator = Browser(site.url)
    operator.log_in(*site.operator)
    found = {model: rows(owners[1], model) for model in MODELS}
    for model in MODELS:
        if model._meta.label_lower in FOR_OPERATORS:
            found[model] = rows(operator, model, pair[1].tenant.papers.slug)
    assert {model._meta.label_lower for model, ids in found.items() if not ids} == WITHOUT_ROWS
    return found


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label_lower)
def test_no_page_of_a_model_shows_or_takes_another_tenants_rows(
    model: type[Model],
    pair: tuple[Side, Side],
    owners: tuple[Browser, Browser],
    theirs: dict[type[Model], list[str]],
) -> None:
    me, other = fresh(owners[0]), pair[1]
    wrong = look_around(me, model, other)
    shared = set(rows(me, model)) & set(theirs[model])
    assert shared == set()
    for page in pages_of_a_row(model):
        for method in ("get", "post"):
            nobody = nobodys(model)
            expected = told(visit(me, method, page, nobody), nobody)
            for pk in theirs[model][:2]:
                answer = visit(me, method, page, pk)
                wrong += [f"{method} {page} {pk} shows {word}" for word in leaks(answer, other)]
                if told(answer, pk) != expected:
                    wrong.append(f"{method} {page} {pk}: {told(answer, pk)}, for an id that nobody has {expected}")
    assert wrong == []
    if model._meta.label_lower not in FOR_OPERATORS:
        assert set(theirs[model]) <= set(rows(fresh(owners[1]), model)), "a row is gone"


def visit(browser: Browser, method: str, page: str, pk: str) -> Answer:
    address = reverse(page, args=[pk])
    return fresh(browser).get(address) if method == "get" else fresh(browser).post(address, post="yes")


def look_around(me: Browser, model: type[Model], other: Side) -> list[str]:
    """The list, searches for the other's word, its filters by the other's tenant, and the page to add one."""
    listed, add = (reverse(name_of(model, page)) for page in ("changelist", "add"))
    word = other.word.lower()
    addresses = [listed, add, *(f"{listed}?q={term}" for term in (word, other.person, other.template))]
    wrong = []
    for address in addresses:
        answer = fresh(me).get(address)
        assert answer.status < 500, f"{address}: {answer.status}"
        wrong += [f"{address} shows {found}" for found in leaks(answer, other)]
    return wrong


def test_every_row_of_ones_own_can_be_seen(pair: tuple[Side, Side], owners: tuple[Browser, Browser]) -> None:
    """Else the test above would prove nothing."""
    for model in MODELS:
        if model._meta.label_lower in WITHOUT_ROWS | FOR_OPERATORS:
            continue
        pk = rows(owners[0], model)[0]
        assert visit(owners[0], "get", name_of(model, "change"), pk).status == 200, model


def test_choices_search_boxes_and_forms_offer_ones_own_only(
    pair: tuple[Side, Side], owners: tuple[Browser, Browser], theirs: dict[type[Model], list[str]]
) -> None:
    me, other = fresh(owners[0]), pair[1]
    tenant = next(pk for model, ids in theirs.items() if model._meta.label_lower == "tenants.tenant" for pk in ids)
    form = {"channel": "push", "address": "planted", "cause": "manual", "tenant": tenant}
    answer = me.submit("/admin/tenants/suppression/add/", **form)
    assert answer.status == 200, "a tenant that is not one's own is no choice"
    assert leaks(answer, other) == []
    assert "planted" not in fresh(owners[1]).get("/admin/tenants/suppression/").text
    for model in MODELS:
        listed = reverse(name_of(model, "changelist"))
        for parameter in ("of", "tenant__id__exact"):
            answer = fresh(me).get(f"{listed}?{parameter}={tenant}")
            assert (answer.status < 500, leaks(answer, other)) == (True, []), listed


def test_pages_are_not_mixed_up_when_both_look_at_once(
    pair: tuple[Side, Side], owners: tuple[Browser, Browser]
) -> None:
    """Pooled connections carry the scope of one transaction only."""
    addresses = [reverse(name_of(model, "changelist")) for model in MODELS] * 2
    with ThreadPoolExecutor(8) as pool:
        seen = [
            (pool.submit(fresh(owners[mine]).get, address), pair[1 - mine]) for address in addresses for mine in (0, 1)
        ]
        assert [word for answer, other in seen for word in leaks(answer.result(), other)] == []
