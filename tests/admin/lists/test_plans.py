"""No click reads a table: every statement of every list, filter, search and page of the admin, by its plan.

Written over the registry, so that a new page is looked at, too. The bounds of the lists are a twentieth of those in
production, as the tables are small.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connection
from django.db.models import Model
from django.test.utils import CaptureQueriesContext

from campaigns.models import Campaign
from notifier.models import Delivery, TemplateVersion
from tenants.access import EVERY_TENANT, set_scope
from tenants.admin import admin_site
from tenants.admin.lists.large_tables import LargeTableAdmin
from tenants.models import User
from tests.admin.conftest import Browser, Site, url
from tests.admin.lists.many_rows import many_rows

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(900)]
LogIn = Callable[[User], Browser]

#: small tables, written by users of the admin or with a few rows for each campaign; a new page is listed here or is a
#: LargeTableAdmin
SMALL = {
    "Tenant", "Member", "Invitation", "ApiKey", "ProviderAccount", "EngagementCount", "Category", "FrequencyCap",
    "Template", "TemplateVersion", "Layout", "Sender", "DigestSetting", "Incident", "WebhookEndpoint",
    "Import", "Campaign", "CampaignApproval", "Audience", "Schedule", "User", "PeriodicTask", "ClockedSchedule",
    "CrontabSchedule", "SolarSchedule",
    "IntervalSchedule",
}  # fmt: skip
LARGE = sorted((m for m, page in admin_site._registry.items() if isinstance(page, LargeTableAdmin)), key=str)
TABLES = [model._meta.db_table for model in LARGE]
#: the limits of lists, a twentieth of those in production
LIMITS = {
    "filter_window": 1_000,
    "counted": 500,
    "search_matches": 100,
    "newest_notifications": 50,
    "sorted_messages": 300,
}
#: rows that one step of a plan may read, in tables of 10,000
BOUND = 2_500


def test_every_page_is_small_by_nature_or_a_large_list() -> None:
    names = {model.__name__ for model in admin_site._registry}
    assert names == SMALL | {model.__name__ for model in LARGE}


@pytest.fixture
def large_site(site: Site, settings: Any) -> Site:
    """Globex has 10,000 rows in each table, ACME those of the fixture."""
    settings.ADMIN_LIST_LIMITS = LIMITS
    many_rows(site.people.globex, site.globex_rows[TemplateVersion])
    return site


@dataclass(frozen=True)
class Seen:
    """One answer and the plans of what was asked for it."""

    answer: Any
    reads: list[tuple[int, str]]

    def worst(self) -> tuple[int, str]:
        return max(self.reads, default=(0, ""))


def look(browser: Browser, page: str, data: Any, scope: Any) -> Seen:
    with CaptureQueriesContext(connection) as queries:
        answer = browser.get(page, data)
    assert answer.status_code == 200, (page, data, answer.status_code)
    return Seen(answer, list(explained([q["sql"] for q in queries], scope)))


def explained(statements: list[str], scope: Any) -> Iterator[tuple[int, str]]:
    """Rows that each step over a table reads, with the statement; settings made between them are made again."""
    set_scope(scope)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE notifier_web")
        for sql in statements:
            if sql.startswith("SET LOCAL enable"):
                cursor.execute(sql)
            elif sql.startswith("SELECT") and any(f'FROM "{table}"' in sql for table in TABLES):
                cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")
                yield from ((rows, sql[:600]) for rows in read(cursor.fetchone()[0][0]["Plan"]))
        cursor.execute("RESET ROLE")


def read(plan: dict[str, Any]) -> Iterator[int]:
    if "Relation Name" in plan:
        removed = sum(plan.get(f"Rows Removed by {why}", 0) for why in ("Filter", "Index Recheck"))
        yield int((plan["Actual Rows"] + removed) * plan["Actual Loops"])
    for inner in plan.get("Plans", ()):
        yield from read(inner)


def clicks(browser: Browser, model: type[Model]) -> Iterator[dict[str, str]]:
    """The list, its next page, each choice of each filter, and searches that find one, many and nothing."""
    yield {}
    shown = browser.get(url(model, "changelist")).context["cl"]
    if shown.further:
        yield dict(pair.split("=") for pair in shown.further.lstrip("?").split("&"))
    for spec in shown.filter_specs:
        for choice in list(spec.choices(shown))[:5]:
            query = choice["query_string"].lstrip("?")
            if query:
                yield dict(pair.split("=") for pair in query.split("&"))
    if model is Delivery:
        of = {"campaign_id": str(Campaign.objects.get(name="large").pk)}
        yield from (of, {**of, "status__exact": "60"}, {**of, "status__exact": "40"}, {**of, "channel": "in_app"})
    yield from ({"q": term} for term in ("u777", "nobody-at-all", str(uuid.UUID(int=7))))


@pytest.mark.timeout(900)
@pytest.mark.parametrize("who", ["cleo", "ana", "olga"])
def test_no_click_reads_more_than_its_bound(who: str, large_site: Site, log_in: LogIn, olga: User) -> None:
    people = {"cleo": large_site.people.cleo, "ana": large_site.people.ana, "olga": olga}
    scope: Any = {"cleo": [large_site.people.globex.pk], "ana": [large_site.people.acme.pk], "olga": EVERY_TENANT}[who]
    browser = log_in(people[who])
    too_much = []
    for model in LARGE:
        for asked in clicks(browser, model):
            rows, sql = look(browser, url(model, "changelist"), asked, scope).worst()
            if rows > BOUND:
                too_much.append(f"{model.__name__} {asked}: {rows} rows by {sql}")
    assert not too_much, "\n".join(too_much)
