"""A shard: claim it under a lease and a fence, send it in chunks, write each chunk down before the next begins."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import structlog
from django.conf import settings
from django.db import connection

from campaigns import payload
from campaigns.finish import finish_if_done
from campaigns.models import Campaign, Shard, ShardPayload
from campaigns.prepare import id_range
from campaigns.states import State
from notifier.channels import channel
from notifier.delivery import accounts, limits, store
from notifier.delivery.pump import Pump
from notifier.delivery.recheck import changed_since, plan_again
from notifier.delivery.send import rerouted
from notifier.delivery.settle import Outcome, settle
from notifier.delivery.store import Claimed
from notifier.models import ProviderAccount
from notifier.vocabulary import Lane, Reason, Status

log = structlog.get_logger("campaigns")

_CLAIM = """
UPDATE campaigns_shard s SET state = 'running', fence = s.fence + 1, worker = %s,
  began_at = COALESCE(s.began_at, now()), lease_until = now() + make_interval(secs => %s)
FROM campaigns_campaign c
WHERE s.id = %s AND c.id = s.campaign_id AND c.state = 'running'
  AND (s.state = 'armed' OR (s.state = 'running' AND s.lease_until < now()
       AND now() > pg_postmaster_start_time() + make_interval(secs => %s)))
RETURNING s.fence
"""

_RENEW = """
UPDATE campaigns_shard SET lease_until = now() + make_interval(secs => %s)
WHERE id = %s AND fence = %s AND state = 'running'
"""

# what an earlier holder of this shard had on the wire when it was lost
_RECOVER = f"""
UPDATE notifier_delivery SET status = %s, reason = '{Reason.IN_DOUBT}', settled_at = CASE WHEN %s THEN now() END
WHERE id = ANY(%s) AND id >= %s AND id < %s AND status = {Status.SENDING} AND fence < %s AND lease_until IS NULL
"""


@dataclass(frozen=True)
class Held:
    """A shard in this process's hands."""

    shard: Shard
    campaign: Campaign
    account: ProviderAccount
    fence: int
    worker: str


def send_shard(shard_id: uuid.UUID, worker: str) -> None:
    """Send what is left of one shard. A repeated or late doorbell finds nothing to claim and does nothing."""
    held = _claim(shard_id, worker)
    if held is None:
        return
    rows = payload.unpack(ShardPayload.objects.values_list("rows", flat=True).get(shard_id=shard_id))
    if held.fence > 1:
        _recover(held, rows)
    if _send(held, rows):
        Shard.objects.filter(pk=shard_id, fence=held.fence, state=Shard.State.RUNNING).update(
            state=Shard.State.DONE, ended_at=datetime.now(UTC), lease_until=None
        )
        finish_if_done(held.campaign.pk)
    else:
        _let_go(held)


def _claim(shard_id: uuid.UUID, worker: str) -> Held | None:
    lease = float(settings.LEASE_SECONDS)
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [worker[:100], lease, shard_id, lease])
        row = cursor.fetchone()
    if row is None:
        return None
    shard = Shard.objects.select_related("campaign__template__category", "account").get(pk=shard_id)
    return Held(shard, shard.campaign, shard.account, row[0], worker)


def _recover(held: Held, rows: Sequence[payload.PayloadRow]) -> None:
    """Rows that were on the wire: armed again where the collapse key hides a repeat, else unknown."""
    again = channel(held.shard.channel).repeat_when_in_doubt
    status = Status.ARMED if again else Status.UNKNOWN
    with connection.cursor() as cursor:
        cursor.execute(
            _RECOVER,
            [int(status), not again, [r.delivery_id for r in rows], *id_range(held.campaign), held.fence],
        )
        if cursor.rowcount:
            log.info("shard recovered", action="recover", shard=str(held.shard.pk), in_doubt=cursor.rowcount)


def _send(held: Held, rows: list[payload.PayloadRow]) -> bool:
    """True when every row was dealt with; False when the campaign was stopped or the shard was taken over.

    The next chunk leaves when half the window is free: it does not wait for the slowest answer of the last one, and
    never more than a window is in doubt."""
    claimed = [_row(held, row) for row in rows]
    quiet = {row.delivery_id: row.quiet for row in rows if row.quiet}
    rate = accounts.rate_of(held.account)
    size = channel(held.shard.channel).window
    pump = Pump()
    at = 0
    try:
        while at < len(claimed):
            room = min(size - pump.rows, len(claimed) - at)
            if pump.rows > size // 2:
                if not _renew(held):
                    break
                pump.settle(0.5)
                continue
            grant = limits.take(held.account.id, rate, room)
            # after the bucket: a Redis that hangs must not stand between this look and the wire
            if not _may_go_on(held):
                break
            if grant.granted:
                _launch_chunk(pump, held, claimed[at : at + grant.granted], quiet)
                at += grant.granted
            pump.settle(0.0)
            if grant.wait:
                time.sleep(min(grant.wait, 0.5))
        while pump.flights and _renew(held):
            pump.settle(0.5)
    finally:
        pump.drain()
    return at == len(claimed)


def _may_go_on(held: Held) -> bool:
    """The campaign still runs, and the shard is still ours; renews its lease."""
    if Campaign.objects.values_list("state", flat=True).get(pk=held.campaign.pk) != State.RUNNING:
        return False
    return _renew(held)


def _renew(held: Held) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_RENEW, [float(settings.LEASE_SECONDS), held.shard.pk, held.fence])
        return bool(cursor.rowcount)


def _let_go(held: Held) -> None:
    """The campaign does not run any more, and what was on the wire is settled. Not before that: a worker killed in
    between must leave a lease that runs out, or nobody would account for its rows."""
    state = Campaign.objects.values_list("state", flat=True).get(pk=held.campaign.pk)
    ended = state == State.CANCELLED
    Shard.objects.filter(pk=held.shard.pk, fence=held.fence, state=Shard.State.RUNNING).update(
        state=Shard.State.CANCELLED if ended else Shard.State.ARMED, lease_until=None
    )


def _launch_chunk(pump: Pump, held: Held, rows: list[Claimed], quiet: Mapping[uuid.UUID, tuple[int, int]]) -> None:
    refused = _refused(held, rows, quiet)
    kept_back = {o.row.id for o in refused}
    # refused rows are begun too, in the same statement, so that settle finds them under this fence
    begun = {r.id: r for r in store.begin_armed(rows)}
    pump.launch(held.account, [r for r in begun.values() if r.id not in kept_back])
    # after the launch: a settlement may wait for the database, and nothing may stand between the look and the wire
    settle([replace(o, row=begun[o.row.id]) for o in refused if o.row.id in begun])


def _refused(held: Held, rows: list[Claimed], quiet: Mapping[uuid.UUID, tuple[int, int]]) -> list[Outcome]:
    """Who must not get it any more (consent changed since arming), or not yet (quiet hours), or too late."""
    now = datetime.now(UTC)
    if held.campaign.not_after is not None and held.campaign.not_after <= now:
        return [Outcome(r, Status.EXPIRED, Reason.NOT_AFTER) for r in rows]
    if not held.account.enabled:
        return rerouted(rows)
    recipients, addresses = changed_since(
        held.campaign.tenant_id,
        rows[0].accepted_at,
        [r.recipient_id for r in rows],
        [r.address.value for r in rows],
    )
    suspects = [r for r in rows if r.recipient_id in recipients or r.address.value in addresses]
    outcomes = plan_again(suspects, now)
    minute = now.hour * 60 + now.minute
    decided = {r.id for r in suspects}
    for row in rows:
        left = payload.quiet_minutes_left(quiet.get(row.id), minute)
        if left is not None and row.id not in decided:
            outcomes.append(Outcome(row, Status.QUEUED, wait=left * 60.0 - now.second, held=True))
    return outcomes


def _row(held: Held, row: payload.PayloadRow) -> Claimed:
    campaign = held.campaign
    category = campaign.template.category
    assert campaign.armed_at is not None
    return Claimed(
        id=row.delivery_id,
        tenant_id=campaign.tenant_id,
        recipient_id=row.recipient_id,
        account_id=held.account.id,
        channel=held.shard.channel,
        address=row.address,
        lane=Lane.BULK,
        mode=campaign.mode,
        content=row.content,
        attempt=0,
        fence=held.fence,
        accepted_at=campaign.armed_at,
        not_after=campaign.not_after,
        campaign_id=campaign.pk,
        category=category.key if category else "",
        in_shard=True,
    )
