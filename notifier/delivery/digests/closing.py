"""Close due digests. One transaction locks a digest, accepts its notification, ends the rows of its items and closes
it, so that a digest leaves once, however many sweeps run and whenever a worker is killed."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

import structlog
from django.db import Error, OperationalError, connection, transaction
from psycopg.errors import LockNotAvailable

from notifier import failpoints
from notifier.delivery.digests import rows
from notifier.delivery.digests.ended_rows import EndedRow, end_rows
from notifier.delivery.digests.items import Content, WaitingRow, load_contents
from notifier.delivery.digests.rows import Closed, DueDigest
from notifier.delivery.digests.templates import digest_channels
from notifier.delivery.digests.versions import external_ids_of, newest_versions
from notifier.delivery.ledger import ordering
from notifier.delivery.planning.category_rules import load_rules, rule_for
from notifier.errors import InvalidInput, MissingVariables, NotifierError, QueueFull, TemplateFailed, Unconfigured
from notifier.vocabulary.load import Work
from notifier.vocabulary.people import SendRequest
from notifier.vocabulary.status import LANE_OF, Lane, Mode, Reason, Status
from tenants.load_shedding import may_run
from tenants.models import Tenant

log = structlog.get_logger("notifier.delivery")

#: digests of a tenant that one transaction closes, and the items that they may have together
BATCH, MOST_ITEMS = 100, 20_000
#: digests that one sweep closes; the next sweep closes the next ones
MOST_DIGESTS = 1_000
#: items that one call of acceptance renders: the time of its renderings is limited (render_budget)
RENDERED_TOGETHER = 500
#: what may pass (a full queue, an error of the program) is tried again so often, and so long after the latest close
RETRY, GIVE_UP = timedelta(minutes=1), timedelta(days=1)
#: how long a closing waits for a lock. An acceptance locks the windows of frequency caps, then ordering queues, then
#: digests; a closing has locked its digests before it locks queues and windows. The closing gives way before PostgreSQL
#: ends one of two transactions that wait for each other (deadlock_timeout, 1 s), which may be the caller's
LOCK_WAIT = "200ms"


class Accepted(Protocol):
    @property
    def notification_id(self) -> uuid.UUID: ...


#: delivery.accept.accept, which stands above this package
Accept = Callable[[uuid.UUID, Sequence[SendRequest]], Sequence[Accepted | NotifierError]]


def close_due(accept: Accept, now: datetime) -> int:
    """Close digests that are due, a batch of each tenant; returns how many. Several sweeps may run at once. Closes none
    while load is shed."""
    if not may_run(Work.DIGESTS):
        return 0
    tenants = rows.due_tenants(now)
    random.shuffle(tenants)  # no tenant is always the last one
    closed = 0
    for tenant_id in tenants:
        if closed >= MOST_DIGESTS:
            break
        closed += _close_batch(accept, tenant_id, now)
    return closed


def _close_batch(accept: Accept, tenant_id: uuid.UUID, now: datetime) -> int:
    try:
        return _close_some(accept, tenant_id, now, BATCH)
    except OperationalError as error:
        if not isinstance(error.__cause__, LockNotAvailable):
            raise
        log.info("digests closed later", action="digest.close", tenant=str(tenant_id), reason="a lock is held")
        return 0
    except Error:
        raise  # the database is away, or two transactions waited for each other: the next sweep tries again
    except Exception:
        log.exception("digests not closed together", action="digest.close", tenant=str(tenant_id))
    # one digest must not keep the others of its batch
    return sum(_close_alone(accept, tenant_id, now) for _ in range(BATCH))


def _close_alone(accept: Accept, tenant_id: uuid.UUID, now: datetime) -> int:
    """Close one digest, or postpone it when its closing breaks off."""
    try:
        return _close_some(accept, tenant_id, now, 1)
    except Error:
        raise
    except Exception:
        log.exception("digest not closed", action="digest.close", tenant=str(tenant_id))
    with transaction.atomic():
        for digest in rows.claim_due(tenant_id, now, 1):
            if not _postpone(digest, now):
                content = load_contents([digest], now)[digest.id]
                _failed(digest, content, Reason.TEMPLATE_ERROR, "an internal error").write(now)
    return 0


def _close_some(accept: Accept, tenant_id: uuid.UUID, now: datetime, limit: int) -> int:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [LOCK_WAIT])
        digests = _within_limit(rows.claim_due(tenant_id, now, limit))
        if not digests:
            return 0
        _lock_queues(tenant_id, digests)
        contents = load_contents(digests, now)
        outcomes = _accept_all(accept, tenant_id, digests, contents)
        ends = [_end(digest, contents[digest.id], outcomes.get(digest.id), now) for digest in digests]
        _Ends([row for end in ends for row in end.rows], [d for end in ends for d in end.digests]).write(now)
        failpoints.reach("digests.before-commit")
        log.info(
            "digests closed",
            action="digest.close",
            tenant=str(tenant_id),
            digests=len(digests),
            items=sum(contents[d.id].count for d in digests),
        )
    return len(digests)


def _within_limit(digests: Sequence[DueDigest]) -> list[DueDigest]:
    """The first digests that have MOST_ITEMS items together; one at least."""
    chosen: list[DueDigest] = []
    items = 0
    for digest in digests:
        items += digest.items
        if chosen and items > MOST_ITEMS:
            break
        chosen.append(digest)
    return chosen


def _lock_queues(tenant_id: uuid.UUID, digests: Sequence[DueDigest]) -> None:
    """Lock the queues that the digests' messages join before the rows of the items, as every writer does."""
    rules = load_rules(Tenant.objects.get(pk=tenant_id), {digest.category for digest in digests})
    ordering.lock(
        (
            (tenant_id, d.recipient_id, name, int(LANE_OF[rule_for(rules, d.category, Lane.BULK).kind]), d.mode)
            for d in digests
            for name in d.channels
        ),
        create_missing=True,
    )


# ---- accept ----------------------------------------------------------------------------------------------------------


def _accept_all(
    accept: Accept, tenant_id: uuid.UUID, digests: Sequence[DueDigest], contents: Mapping[uuid.UUID, Content]
) -> dict[uuid.UUID, Accepted | NotifierError]:
    """Digest -> what acceptance said; a digest without items is missing."""
    full = [digest for digest in digests if contents[digest.id].count]
    if not full:
        return {}
    external_ids = external_ids_of(tenant_id, {digest.recipient_id for digest in full})
    versions = newest_versions(tenant_id, {digest.template for digest in full})
    outcomes: dict[uuid.UUID, Accepted | NotifierError] = {}
    for group in _groups(full, contents):
        requests = [
            _request(d, contents[d.id], external_ids.get(d.recipient_id, ""), versions.get(d.template)) for d in group
        ]
        for digest, request, outcome in zip(group, requests, accept(tenant_id, requests), strict=True):
            if isinstance(outcome, TemplateFailed) and len(group) > 1:
                [outcome] = accept(tenant_id, [request])  # alone it has all of the time that a rendering may take
            outcomes[digest.id] = outcome
    return outcomes


def _groups(digests: Sequence[DueDigest], contents: Mapping[uuid.UUID, Content]) -> Iterator[list[DueDigest]]:
    """Digests whose items are rendered in one call."""
    group: list[DueDigest] = []
    rendered = 0
    for digest in digests:
        size = len(contents[digest.id].items)
        if group and rendered + size > RENDERED_TOGETHER:
            yield group
            group, rendered = [], 0
        group.append(digest)
        rendered += size
    yield group


def _request(digest: DueDigest, content: Content, external_id: str, version_id: uuid.UUID | None) -> SendRequest:
    channels = digest_channels(version_id, tuple(digest.channels)) if version_id else tuple(digest.channels)
    if not content.of_campaigns:
        # no channel gets a digest on which no item waits; when the newest item was cancelled, whose template goes
        # elsewhere, the digest goes where that template goes: the other items must not fail
        channels = tuple(name for name in channels if name in content.channels) or channels
    return SendRequest(
        external_id,
        digest.template,
        category=digest.category,
        channels=channels,
        data={"items": [item for _, item in content.items], "count": content.count},
        mode=Mode(digest.mode),
        of_digest=digest.id,
    )


# ---- end -------------------------------------------------------------------------------------------------------------


@dataclass
class _Ends:
    """How the digests of a batch and the rows of their items end; written together."""

    rows: list[EndedRow] = field(default_factory=list)
    digests: list[Closed] = field(default_factory=list)

    def write(self, now: datetime) -> None:
        end_rows(self.rows, now)
        rows.close(self.digests, now)


def _end(digest: DueDigest, content: Content, outcome: Accepted | NotifierError | None, now: datetime) -> _Ends:
    """How one digest ends; a digest whose recipient has too many messages waiting is postponed instead."""
    if isinstance(outcome, QueueFull) and _postpone(digest, now):
        return _Ends()
    if isinstance(outcome, NotifierError):
        return _failed(digest, content, _reason_of(outcome), outcome.message)
    ended = [_ended(*left_out) for left_out in content.ended]
    if outcome is None:
        return _Ends(ended, [Closed(digest.id, None, "")])
    detail = f"notification {outcome.notification_id}"
    ended += [_ended(row, Status.SUPPRESSED, Reason.IN_DIGEST, detail) for row in content.rows]
    return _Ends(ended, [Closed(digest.id, outcome.notification_id, "")])


def _postpone(digest: DueDigest, now: datetime) -> bool:
    """Let the digest close a minute later; False when that was done for long enough."""
    if now >= digest.latest_close + GIVE_UP:
        return False
    rows.postpone(digest.id, now + RETRY)
    return True


def _failed(digest: DueDigest, content: Content, reason: Reason, why: str) -> _Ends:
    """The end of a digest that cannot leave: its items have failed, and say why."""
    log.warning("digest failed", action="digest.close", tenant=str(digest.tenant_id), digest=str(digest.id))
    detail = f"digest {digest.template}: {why}"[:300]
    ended = [_ended(*left_out) for left_out in content.ended]
    ended += [_ended(row, Status.FAILED, reason, detail) for row in content.rows]
    return _Ends(ended, [Closed(digest.id, None, detail)])


def _ended(row: WaitingRow, status: Status, reason: Reason, detail: str) -> EndedRow:
    return EndedRow(row.id, status, reason, detail)


def _reason_of(error: NotifierError) -> Reason:
    if isinstance(error, MissingVariables):
        return Reason.MISSING_VARIABLE
    if isinstance(error, Unconfigured):
        return Reason.NO_ACCOUNT
    if isinstance(error, InvalidInput) and error.code == "unknown_recipient":
        return Reason.UNKNOWN_RECIPIENT
    return Reason.TEMPLATE_ERROR
