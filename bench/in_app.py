"""The part `in_app`: campaigns to the inboxes of a tenant, from GO until every row of the ledger is complete."""

from __future__ import annotations

from typing import Any

import psycopg

from bench import campaign
from bench.campaign import CampaignRun, Kind
from bench.record import campaign_entry, disagreements
from bench.site import BenchSite
from bench.tenants import BODY, TITLE, BenchTenant
from notifier.local.console import Say

IN_APP = Kind("in_app", "big-game-in-app")
_TEMPLATE = {"category": "promotions", "content": {"in_app": {"en": {"title": TITLE, "body": BODY}}}}
#: the first campaign makes the inboxes, the second one finds them
CAMPAIGNS = ("first", "second")

_MESSAGES = "SELECT count(*) FROM inbox_inboxmessage WHERE tenant_id = %s"
#: inboxes whose messages are not numbered 1, 2, 3 …, or whose counters differ from a count
_WRONG_INBOXES = """
SELECT count(*) FROM inbox_feed f JOIN (
  SELECT recipient_id, count(*) AS messages, count(DISTINCT seq) AS numbers, max(seq) AS last,
         count(*) FILTER (WHERE state = 0) AS unread
  FROM inbox_inboxmessage WHERE tenant_id = %s GROUP BY recipient_id) m USING (recipient_id)
WHERE (m.numbers, m.last, f.last_seq, f.unread) <> (m.messages, m.messages, m.messages, m.unread)
"""


def measure_in_app(
    site: BenchSite, measured: BenchTenant, warm: BenchTenant, say: Say
) -> tuple[dict[str, Any], list[str]]:
    """Figures and problems of two campaigns to all inboxes of the tenant `measured`. A campaign to the small tenant
    `warm` comes before, so that the sending process has run this code.

    Figures of each campaign: those of other campaigns (`campaign_entry`), with messages/s from GO until every outcome
    is stored, and CPU µs a message by process; `total_us` has the ledger's rows as well, which are complete some
    seconds later. A problem: the number of messages in the inboxes differs from the ledger or from the audience; a gap
    or a repeat in an inbox; a counter that differs from a count. Raises StepFailed."""
    site.start(IN_APP.worker)
    for tenant in (warm, measured):
        tenant.api.put(f"/v1/templates/{IN_APP.template}", _TEMPLATE)
    problems: list[str] = []
    figures: dict[str, Any] = {"size": measured.size, "campaigns": {}}
    with site.database() as database:
        _send(site, database, warm, "warm in-app")
        for name in CAMPAIGNS:
            site.vacuum()
            run = _send(site, database, measured, f"in-app {name}")
            problems += [f"in-app, {name}: {problem}" for problem in _problems(database, run)]
            figures["campaigns"][name] = entry = _entry(run)
            say("in-app", f"{name}: {run.per_s:,.0f}/s, {entry['total_us']:.1f} µs a message, rows included")
    return figures, problems


def _send(site: BenchSite, database: psycopg.Connection[Any], tenant: BenchTenant, name: str) -> CampaignRun:
    armed = campaign.arm(site, tenant, name, IN_APP)
    return campaign.send(site, armed, lambda: _count(database, _MESSAGES, tenant))


def _entry(run: CampaignRun) -> dict[str, Any]:
    return {**campaign_entry(run), "total_us": round(run.cpu_us + run.expansion_cpu_us, 2)}


def _problems(database: psycopg.Connection[Any], run: CampaignRun) -> list[str]:
    """`requests` of the run are the messages that its inboxes got."""
    wrong = _count(database, _WRONG_INBOXES, run.armed.tenant)
    return [*disagreements(run), *([f"{wrong} inboxes have a gap, a repeat or wrong counters"] if wrong else [])]


def _count(database: psycopg.Connection[Any], query: str, tenant: BenchTenant) -> int:
    row = database.execute(query, [tenant.tenant_id]).fetchone()
    return int(row[0]) if row else 0
