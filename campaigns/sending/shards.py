"""The work of a shard's task: claim the shard, send it, and finish the campaign when it was the last shard."""

from __future__ import annotations

import uuid

from campaigns.lifecycle.fan_out.fanout import enqueue
from campaigns.lifecycle.fan_out.finish import finish_if_done
from campaigns.models import Shard
from campaigns.sending.claim import claim
from campaigns.sending.claimed_shard import ClaimedShard
from campaigns.sending.sender import Sender
from notifier import failpoints
from notifier.tracing import derived, switch


def send_shard(shard_id: uuid.UUID, worker: str) -> None:
    """Send what is left of one shard. A repeated or late task finds nothing to claim and does nothing."""
    began = switch.clock()
    claimed = claim(shard_id, worker)
    if claimed is None:
        return
    if began:
        claimed.trace = derived.open_shard(shard_id, claimed.campaign.pk, began)
    state = Sender(claimed).run()
    if state is not None:
        failpoints.reach("shard.after-release")
    if claimed.trace is not None:
        derived.close_shard(claimed.trace, _attributes(claimed, state))
    if state == Shard.State.DONE:
        finish_if_done(claimed.campaign.pk)
    elif state == Shard.State.ARMED:
        # the sender stopped early to let other tasks run; if the campaign is paused, the next task claims nothing
        enqueue(shard_id, claimed.channel)


def _attributes(claimed: ClaimedShard, state: Shard.State | None) -> dict[str, str | int]:
    """What the span of a turn says."""
    return {
        "tenant.id": str(claimed.campaign.tenant_id),
        "campaign.id": str(claimed.campaign.pk),
        "shard.id": str(claimed.id),
        "channel": claimed.channel,
        "provider": claimed.account.provider,
        "messages": claimed.outcomes.size,
        "state": str(state.value) if state is not None else "claim lost",
    }
