"""Conditions on recipients by their messages, as SQL over `r` (tenants_recipient): for the segments of audiences. A
campaign's outcomes reach the ledger at its end, so a campaign that still runs counts for what is written."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from notifier.vocabulary.ids import id_floor, id_ms
from notifier.vocabulary.status import TAKEN, Mode, Status

Sql = tuple[str, list[Any]]


class Stage(StrEnum):
    """How far a message came."""

    GOT = "got"  #: a provider took it
    OPENED = "opened"
    CLICKED = "clicked"


_STATUSES = {
    Stage.GOT: [int(status) for status in TAKEN],
    Stage.OPENED: [int(Status.OPENED), int(Status.CLICKED)],
    Stage.CLICKED: [int(Status.CLICKED)],
}
# the tenant is compared, too: a recipient's row names no message of another tenant. A rehearsal reached nobody
_EXISTS = (
    "EXISTS (SELECT FROM notifier_delivery d WHERE d.tenant_id = r.tenant_id AND d.recipient_id = r.id"
    f" AND d.mode = '{Mode.LIVE}' AND d.status = ANY(%s::smallint[]) AND {{}})"
)


def of_campaigns(stage: Stage, campaigns: Sequence[str]) -> Sql:
    """Whether a message of one of these campaigns (ids) came so far. A message's id is not older than its campaign's,
    so the partitions before stay closed."""
    since = id_floor(min(id_ms(uuid.UUID(campaign)) for campaign in campaigns))
    sql = _EXISTS.format("d.campaign_id = ANY(%s::uuid[]) AND d.id >= %s::uuid")
    return sql, [_STATUSES[stage], list(campaigns), str(since)]


def within_days(stage: Stage, days: int) -> Sql:
    """Whether a message of the last `days` days came so far. The bound on the id opens the partitions of those days
    only."""
    since = id_floor(int((datetime.now(UTC) - timedelta(days=days)).timestamp() * 1000))
    return _EXISTS.format("d.id >= %s::uuid"), [_STATUSES[stage], str(since)]
