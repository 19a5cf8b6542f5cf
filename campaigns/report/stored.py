"""The report of a campaign, in time for a page: of a small campaign counted now, of a large one from its row.

Counting 500,000 messages took 4 to 11 s on two busy cores, and a page must not. So a task counts large campaigns: when
one has ended, and whenever a report is asked for that is old. Receipts that come late are in the next count.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from django.db import connection, transaction
from django.db.models import Q, Sum

from campaigns.arming import delivery_id_range
from campaigns.final_report import final_content
from campaigns.lifecycle.fan_out.waves import waves_of
from campaigns.models import Campaign, CampaignReport, Shard
from campaigns.report.funnel import Account, Cell, Interval, interval_width
from campaigns.report.report_json import Counted, pack, unpack
from campaigns.report.results import Results, requeued_rows, results
from campaigns.shard import full_speed
from notifier.channels.queues import BATCH
from notifier.delivery.engagement import counts
from notifier.delivery.ledger.campaigns import campaign_report
from notifier.models import ProviderAccount
from notifier.tasks import post
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.load import Work
from tenants.load_shedding import may_run

log = structlog.get_logger("campaigns")

#: a campaign of so many messages is counted in the request
SMALL = 20_000
#: a report that took s seconds to count is counted again after SHARE × s, and not before OLD
_SHARE, _OLD = 20, timedelta(seconds=60)
#: a task that was posted and did not count is posted again after this
_LOST = timedelta(minutes=5)
#: an opt-out counts for a message of the campaign for so long after it
OPT_OUT_DAYS = 7
#: receipts, opens and clicks do not come later: the report does not change any more
_FINAL_AFTER = timedelta(days=60)


#: what rooms above count with the report: key of the stored content -> JSON of a campaign
_more: dict[str, Callable[[Campaign], Any]] = {}


def register_count(name: str, count: Callable[[Campaign], Any]) -> None:
    """Let each stored report have this count as well. Call it in `AppConfig.ready`."""
    _more[name] = count


@dataclass(frozen=True)
class Report:
    """`is_counting`: a newer count is on its way; the page asks again."""

    counted: Counted
    counted_at: datetime
    is_counting: bool = False


def report_of(campaign: Campaign, small: int = SMALL) -> Report | None:
    """The report. None of a large campaign whose first count is on its way. `small`: the most messages that are counted
    in the request."""
    now = datetime.now(UTC)
    if (content := final_content(campaign)) is not None:
        return Report(unpack(content), campaign.report_final_at or now)
    if messages_of(campaign) <= small:
        return Report(count(campaign), now)
    row = CampaignReport.objects.filter(tenant_id=campaign.tenant_id, campaign=campaign).first()
    is_counting = is_old(campaign, row, now) and request(campaign, row, now)
    if row is None or row.computed_at is None:
        return None
    return Report(unpack(row.content), row.computed_at, is_counting)


def results_of(campaign: Campaign) -> Results:
    """The results: counted now, or the last ones of a campaign whose messages are deleted."""
    content = final_content(campaign)
    if content is None:
        return results(campaign)
    return replace(unpack(content).results, waves=waves_of(campaign), counted=counts.of_campaign(campaign.pk))


def messages_of(campaign: Campaign) -> int:
    """How many messages the campaign has."""
    sizes = Shard.objects.filter(tenant_id=campaign.tenant_id, campaign=campaign).aggregate(Sum("size"))
    return int(sizes["size__sum"] or 0)


def count(campaign: Campaign) -> Counted:
    """Count everything now, whatever it takes."""
    launched = campaign.launched_at or datetime.now(UTC)
    low, high = delivery_id_range(campaign)
    width = interval_width(min(datetime.now(UTC) - launched, _FINAL_AFTER).total_seconds())
    values: dict[str, Any] = {
        "tenant": campaign.tenant_id,
        "campaign": campaign.pk,
        "low": low,
        "high": high,
        "launched": launched,
    }
    values |= {"category": campaign.category, "channels": campaign.channels, "width": width}
    # when it was accounted for, its last message had left
    values["until"] = (campaign.accounted_at or datetime.now(UTC)) + timedelta(days=OPT_OUT_DAYS)
    values["opt_out_days"] = OPT_OUT_DAYS
    with connection.cursor() as cursor:
        cursor.execute(campaign_report.CELLS, values)
        cells = [Cell(*row) for row in cursor.fetchall()]
        cursor.execute(campaign_report.OVER_TIME, values)
        intervals = [Interval(*row) for row in cursor.fetchall()]
    return Counted(results(campaign), cells, intervals, width, _accounts(campaign, cells))


def _accounts(campaign: Campaign, cells: list[Cell]) -> dict[str, Account]:
    ids = {cell.account for cell in cells if cell.account}
    rows = ProviderAccount.objects.filter(tenant_id=campaign.tenant_id, pk__in=ids)
    return {str(pk): Account(name, provider) for pk, name, provider in rows.values_list("pk", "name", "provider")}


def count_and_store(campaign_id: uuid.UUID, small: int = SMALL) -> bool:
    """The task. False when there is nothing to count, when counting would slow down a campaign that leaves now, or
    while load is shed."""
    campaign = Campaign.objects.filter(pk=campaign_id, launched_at__isnull=False).first()
    if campaign is None or messages_of(campaign) <= small or full_speed.is_active() or not may_run(Work.ANALYTICS):
        return False
    began = time.monotonic()
    counted = count(campaign)
    more = _count_more(campaign)
    seconds = time.monotonic() - began
    store(campaign, {**pack(counted), **more}, seconds)
    log.info("report counted", action="report", campaign=str(campaign_id), seconds=round(seconds, 1))
    return True


def store(campaign: Campaign, content: Mapping[str, Any], seconds: float = 0, *, final: bool = False) -> None:
    """Store what was counted. `final`: for the last time, in one transaction with the mark of the campaign."""
    columns = {"content": content, "computed_at": datetime.now(UTC), "seconds": seconds, "requested_at": None}
    with transaction.atomic():
        if not final and not _is_open(campaign):
            return
        CampaignReport.objects.update_or_create(
            campaign=campaign, defaults={"tenant_id": campaign.tenant_id, **columns}
        )
        if final:
            Campaign.objects.filter(pk=campaign.pk).update(report_final_at=columns["computed_at"])


def _is_open(campaign: Campaign) -> bool:
    """Whether no final report is stored. Locks the row: a count that began before the last one is not stored after."""
    rows = Campaign.objects.select_for_update().filter(pk=campaign.pk, report_final_at__isnull=True)
    return bool(list(rows.values_list("pk")))


def last_content(campaign: Campaign) -> dict[str, Any]:
    """What stays of a campaign whose messages are deleted: `store` it as final."""
    return {**pack(count(campaign)), **_count_more(campaign), "requeued": [list(r) for r in requeued_rows(campaign)]}


def _count_more(campaign: Campaign) -> dict[str, Any]:
    return {name: count_one(campaign) for name, count_one in _more.items()}


def request_count(campaign: Campaign) -> None:
    """Let a worker count after this transaction, as at the end of a campaign."""
    transaction.on_commit(lambda: post("campaigns.report", str(campaign.pk), queue=BATCH))


def is_old(campaign: Campaign, row: CampaignReport | None, now: datetime) -> bool:
    if row is None or row.computed_at is None:
        return True
    assert campaign.launched_at is not None
    if row.computed_at > campaign.launched_at + _FINAL_AFTER:
        return False
    return now - row.computed_at > max(_OLD, timedelta(seconds=_SHARE * row.seconds))


def request(campaign: Campaign, row: CampaignReport | None, now: datetime) -> bool:
    """Post the task, unless it was posted just now. True when a count is on its way."""
    if row is None:
        columns = {"id": new_id(), "tenant_id": campaign.tenant_id, "requested_at": now}
        _, is_new = CampaignReport.objects.get_or_create(campaign=campaign, defaults=columns)
        posts = is_new
    else:
        lost = Q(requested_at__isnull=True) | Q(requested_at__lt=now - _LOST)
        posts = CampaignReport.objects.filter(lost, pk=row.pk).update(requested_at=now) == 1
    if posts:
        request_count(campaign)
    return True
