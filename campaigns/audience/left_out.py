"""Who was left out of a campaign, and why: counts by reason and channel, pages of people, and all of them as a stream.

The ledger has a row for each message that was suppressed, while arming or later. Two reasons have no row: an id of the
list that is no recipient, and an address that another recipient of the campaign has; the campaign counts both.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db import connection

from campaigns.audience.budget import rows_within
from campaigns.final_report import final_content
from campaigns.models import Campaign
from notifier.delivery.ledger.campaigns import suppressed_rows
from notifier.vocabulary.ids import id_floor
from notifier.vocabulary.status import Reason, Status
from tenants.models import Recipient

COUNT_MS = 800
PAGE = 50
#: rows of one statement of a stream; each takes some milliseconds, and no transaction stays open for the whole file
PIECE = 2_000
#: reasons that are the recipient's own will, or the tenant's: an audience of these people would be sent nothing, or
#: would go around what they chose
WILL = frozenset(
    {
        Reason.EVERYTHING_OFF,
        Reason.CATEGORY_OFF,
        Reason.NOT_OPTED_IN,
        Reason.RECIPIENT_BLOCKED,
        Reason.RECIPIENT_ERASED,
    }
)
#: reasons that have no row in the ledger
WITHOUT_ROWS = (Reason.UNKNOWN_RECIPIENT, Reason.DUPLICATE_ADDRESS)


@dataclass(frozen=True)
class ReasonCount:
    """`messages` were left out for this reason. An empty `channel`: of all channels, because the ledger could not be
    counted in time. `listed`: there are rows to show."""

    reason: str
    channel: str
    messages: int
    listed: bool = True

    @property
    def may_be_reached_otherwise(self) -> bool:
        return self.listed and self.reason not in WILL


class Person(NamedTuple):
    """One message that was left out."""

    id: uuid.UUID
    recipient: Recipient | None  #: None: deleted since
    detail: str


@dataclass(frozen=True)
class Page:
    people: Sequence[Person]
    after: uuid.UUID | None = None
    before: uuid.UUID | None = None


def counts_of(campaign: Campaign) -> list[ReasonCount]:
    """The reasons, the most frequent first. Takes at most COUNT_MS; then the counts are those of arming."""
    if campaign.first_armed_ms is None:
        return []
    unlisted = [
        ReasonCount(reason, "", campaign.excluded[reason], listed=False)
        for reason in WITHOUT_ROWS
        if campaign.excluded.get(reason)
    ]
    if (content := final_content(campaign)) is not None:
        return [*_final_counts(content), *unlisted]
    rows = rows_within(COUNT_MS, suppressed_rows.COUNTS, _campaign(campaign))
    if rows is None:
        armed = sorted(campaign.excluded.items(), key=lambda item: -item[1])
        return [
            *(ReasonCount(reason, "", n, listed=False) for reason, n in armed if reason not in WITHOUT_ROWS),
            *unlisted,
        ]
    return [*(ReasonCount(*row) for row in rows), *unlisted]


def _final_counts(content: Mapping[str, Any]) -> list[ReasonCount]:
    """Of a campaign whose messages are deleted: the counts are left, the people are not."""
    counts = [
        ReasonCount(reason, channel, count, listed=False)
        for channel, statuses in content["results"]["channels"].items()
        for reason, count in statuses.get(Status.SUPPRESSED.label, {}).items()
    ]
    return sorted(counts, key=lambda each: -each.messages)


def page_of(
    campaign: Campaign,
    reason: str,
    channel: str,
    *,
    after: uuid.UUID | None = None,
    before: uuid.UUID | None = None,
    size: int = PAGE,
) -> Page:
    """One page of people, in the order of the ledger."""
    values = {**_campaign(campaign), "reason": reason, "channel": channel, "size": size + 1}
    if before is not None:
        rows = _rows(suppressed_rows.BEFORE, {**values, "key": before})
        page = rows[:size][::-1]
        return Page(_people(campaign, page), page[-1][0] if page else None, page[0][0] if len(rows) > size else None)
    rows = _rows(suppressed_rows.AFTER, {**values, "key": after or uuid.UUID(int=0)})
    page = rows[:size]
    more = page[-1][0] if len(rows) > size else None
    return Page(_people(campaign, page), more, page[0][0] if page and after is not None else None)


def piece_of(campaign: Campaign, reason: str, channel: str, after: uuid.UUID | None) -> list[tuple[Any, ...]]:
    """PIECE people after a key, for a file: id (the next key), external id, name, email, phone, locale, platform,
    detail."""
    key = after or uuid.UUID(int=0)
    values = {**_campaign(campaign), "reason": reason, "channel": channel, "size": PIECE, "key": key}
    return _rows(suppressed_rows.PEOPLE, values)


def external_ids_of(campaign: Campaign, reason: str, channel: str) -> Iterator[str]:
    """The external ids of active recipients, each once, by a cursor of the server. Needs a transaction."""
    values = {**_campaign(campaign), "reason": reason, "channel": channel}
    with connection.chunked_cursor() as cursor:
        cursor.execute(suppressed_rows.EXTERNAL_IDS, values)
        for (external_id,) in cursor:
            yield external_id


def _campaign(campaign: Campaign) -> dict[str, Any]:
    # as `arming.delivery_id_range`, which is above this package
    ms = campaign.first_armed_ms or 0
    return {
        "tenant": campaign.tenant_id,
        "campaign": campaign.pk,
        "low": str(id_floor(ms)),
        "high": str(id_floor(ms + 1)),
    }


def _people(campaign: Campaign, rows: Sequence[tuple[Any, ...]]) -> list[Person]:
    recipients = Recipient.objects.filter(tenant_id=campaign.tenant_id).in_bulk([row[1] for row in rows])
    return [Person(pk, recipients.get(recipient), detail) for pk, recipient, detail in rows]


def _rows(sql: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())
