"""What the task of a shard does: claim it, send it, and see whether that was the last of the campaign."""

from __future__ import annotations

import uuid

from campaigns.lifecycle.fanout import enqueue
from campaigns.lifecycle.finish import finish_if_done
from campaigns.models import Shard
from campaigns.sending.claim import claim
from campaigns.sending.sender import Sender


def send_shard(shard_id: uuid.UUID, worker: str) -> None:
    """Send what is left of one shard. A repeated or late doorbell finds nothing to claim and does nothing."""
    claimed = claim(shard_id, worker)
    if claimed is None:
        return
    left = Sender(claimed).run()
    if left == Shard.State.DONE:
        finish_if_done(claimed.campaign.pk)
    elif left == Shard.State.ARMED:
        # it gave its turn away; of a paused campaign the doorbell finds nothing to claim
        enqueue(shard_id, claimed.channel)
