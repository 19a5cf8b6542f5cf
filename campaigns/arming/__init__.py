"""Arming: everything that can fail fails here. It freezes the audience, plans and renders each message, writes the
ledger's rows and the shards.

Called by the API, the admin and the commands (`request_arm`, `disarm`) and by the tasks of the queue `batch`
(`workers.scheduler`). Calls `campaigns.audience`, `campaigns.shard` and the engine's planning, content and ledger.

Reading order: `request`, with `locks` (who arms now); `workers`: scheduler, run, ranges (the audience in ranges of some
ten thousand entries, `limits`; a range is one transaction of any worker, so that memory stays flat, progress shows, and
a crash leaves the range to the next worker), rest (of an A/B test); `planning`: waves, planner, topic_message,
assignment, variants, caps; `ids` of deliveries; `storing`: sharding, prepared, ledger; `warm` opens connections ahead.
`email_page` renders one email again, for its recipient's browser.
"""

from campaigns.arming.locks import is_being_armed
from campaigns.arming.request import (
    delivery_id_range,
    disarm,
    drafts_with_rows,
    remove_disarmed,
    request_arm,
    return_to_draft,
)
from campaigns.arming.workers.rest import campaigns_to_arm as campaigns_with_rest_to_arm
from campaigns.arming.workers.run import arm, arm_ranges, begin

__all__ = [
    "arm",
    "arm_ranges",
    "begin",
    "campaigns_with_rest_to_arm",
    "delivery_id_range",
    "disarm",
    "drafts_with_rows",
    "is_being_armed",
    "remove_disarmed",
    "request_arm",
    "return_to_draft",
]
