"""No page of the admin reads a table or asks much, whatever the size of the tenant: the plan of every statement and
the number of statements, for home, campaigns in each state, reports, audiences, templates, people, and each list."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from notifier.models import TemplateVersion
from tenants.access import set_scope
from tenants.models import User
from tests.admin.conftest import Browser, Site
from tests.admin.lists.many_rows import many_rows
from tests.admin.lists.pages_at_size import Click, clicks, enter, large_tenancy
from tests.admin.lists.test_plans import BOUND, LIMITS, TABLES, read

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(900)]
LogIn = Callable[[User], Browser]
#: statements of a page. They have the session, the user, the roles and the zone of the tenant among them
MOST = 12
#: statements that one click of several makes: a person's data is looked at for the first time in an hour, and what a
#: process believes for a second is read anew
OF_THE_HOUR = 2
#: pages that join several things: name or state -> statements at most; docs/performance.md names them
MORE = {
    "/admin/": 19,
    "armed /admin/campaigns/campaign/ID/change/": 38,
    "launching /admin/campaigns/campaign/ID/change/": 40,
    "(draft|arming) /admin/campaigns/campaign/ID/change/": 31,
    "(running|finished|cancelled) /admin/campaigns/campaign/ID/change/.*": 20,
    "(paused|failed) /admin/campaigns/campaign/ID/change/": 17,
    "armed /admin/campaigns/campaign/ID/go/": 25,
    "finished /admin/campaigns/campaign/ID/explain/.*": 28,
    "/admin/campaigns/campaign/ID/change/": 31,
    "/admin/campaigns/campaign/look/ POST": 17,
    "/admin/campaigns/audience/ID/change/": 18,
    "/admin/campaigns/audience/add/": 13,
    "/admin/notifier/template/ID/change/": 13,
    "/admin/notifier/template/ID/preview/.*": 31,
    "/admin/tenants/recipient/ID/timeline/": 14,
    "/admin/notifier/delivery/ID/change/": 14,
    "/admin/notifier/notification/ID/change/": 17,
}
#: preflight reads 2,001 messages of an armed campaign by the primary key: of the 10,000 here the planner reads all
SPOT_CHECK = 'SELECT "notifier_delivery"."recipient_id" AS "recipient_id", "notifier_delivery"."channel"'
ID = re.compile("[0-9a-f]{8}-[0-9a-f-]{27}")
#: the scope, time limits, savepoints, and the role of the test's own browser
SETTINGS = re.compile(r"SAVEPOINT|RELEASE|ROLLBACK|SET |RESET |SELECT (set_config|current_setting)\(")
TIME_LIMIT = re.compile(r"SELECT set_config\('statement_timeout', '([^']*)'")


def click_on(browser: Browser, click: Click) -> tuple[int, list[str]]:
    """The status, and the statements: those of a file, too."""
    with CaptureQueriesContext(connection) as queries:
        if click.posted is None:
            answer = browser.get(click.page, click.query)
        else:
            answer = browser.post(click.page, click.posted)
        for _piece in getattr(answer, "streaming_content", ()):
            pass
    return answer.status_code, [query["sql"] for query in queries]


def rows_read(statements: Sequence[str], scope: Any) -> Iterator[tuple[int, str]]:
    """The rows that each step over a large table reads, as the web role. Statements with a time limit of milliseconds
    are bounded by it, and are left out (campaigns.audience.budget)."""
    set_scope(scope)
    limited = False
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE notifier_web")
        for sql in statements:
            if limit := TIME_LIMIT.match(sql):
                limited = limit[1].endswith("ms")
            if sql.startswith("SET LOCAL enable"):
                cursor.execute(sql)
            elif not limited and sql.lstrip().startswith(("SELECT", "WITH")) and any(table in sql for table in TABLES):
                cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")
                yield from ((rows, sql[:500]) for rows in read(cursor.fetchone()[0][0]["Plan"]))
        cursor.execute("RESET ROLE")


def most_statements(click: Click) -> int:
    most = max((most for part, most in MORE.items() if re.fullmatch(part, ID.sub("ID", str(click)))), default=MOST)
    return most + OF_THE_HOUR


def test_no_page_reads_much_or_asks_much(site: Site, log_in: LogIn, settings: Any) -> None:
    settings.ADMIN_LIST_LIMITS = LIMITS
    tenancy = large_tenancy(many_rows(site.people.globex, site.globex_rows[TemplateVersion]), site.people.cleo)
    browser, scope, wrong = log_in(tenancy.user), [tenancy.tenant.pk], []
    # what is asked once in a process: the compiled template, content types
    browser.get("/admin/")
    for click in clicks(tenancy):
        if click.state:
            enter(tenancy, click.state)
        status, statements = click_on(browser, click)
        # the level of the load is asked for once a second, whatever page is looked at then
        asked = [sql for sql in statements if not SETTINGS.match(sql) and "tenants_loadshedding" not in sql]
        read_most = max(
            rows_read([sql for sql in statements if not sql.startswith(SPOT_CHECK)], scope), default=(0, "")
        )
        rows, sql = read_most
        if status >= 400 and status != 403:  # an operator's page
            wrong.append(f"{click}: status {status}")
        if len(asked) > most_statements(click):
            wrong.append(f"{click}: {len(asked)} statements")
        if rows > BOUND:
            wrong.append(f"{click}: {rows} rows by {sql}")
    assert not wrong, "\n".join(wrong)
