"""The rows of the files of a report: counts, and the messages that failed. No address is in them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence

from campaigns.arming import delivery_id_range
from campaigns.models import Campaign
from campaigns.report.funnel import Account
from campaigns.report.reasons import reason_text
from campaigns.report.report_json import Counted
from notifier.delivery.ledger.campaigns import campaign_counts
from notifier.vocabulary.status import Status
from tenants.access import scope

RESULTS_HEADER = (
    "channel",
    "platform",
    "account",
    "provider",
    "language",
    "status",
    "reason",
    "messages",
    "unsubscribed",
)
FAILED_HEADER = ("external_id", "channel", "platform", "status", "reason", "what it means", "detail", "at")
_NO_ACCOUNT = Account("", "")
#: rows of one transaction
_PAGE = 2_000


def result_rows(counted: Counted) -> Iterator[Sequence[object]]:
    """A row for each cell."""
    for cell in sorted(counted.cells, key=lambda cell: (cell.channel, -cell.messages)):
        account = counted.accounts.get(cell.account or "", _NO_ACCOUNT)
        yield (
            cell.channel, cell.platform, account.name, account.provider, cell.locale, Status(cell.status).label,
            cell.reason, cell.messages, cell.unsubscribed,
        )  # fmt: skip


def failed_rows(campaign: Campaign) -> Iterator[Sequence[object]]:
    """A row for each message that failed, expired or is in doubt, in pages of a transaction each: whoever reads the
    file slowly holds none open."""
    after, end = delivery_id_range(campaign)
    first = True
    while True:
        with scope(campaign.tenant_id):
            page = campaign_counts.failed_page(campaign.tenant_id, campaign.pk, (after, end), _PAGE, with_first=first)
        for row in page:
            at = row.settled_at.isoformat() if row.settled_at else ""
            what = (Status(row.status).label, row.reason, reason_text(row.reason))
            yield (row.external_id, row.channel, row.platform, *what, row.detail, at)
        if len(page) < _PAGE:
            return
        after, first = uuid.UUID(str(page[-1].id)), False
