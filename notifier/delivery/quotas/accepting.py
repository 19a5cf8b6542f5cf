"""The step of an acceptance that refuses what is over a quota, and counts the rest. Test messages reach no recipient
and are not counted; a digest counts when it leaves and is never refused, because its items were accepted."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence

import orjson

from notifier.delivery.accept_context import AcceptContext
from notifier.delivery.digests.gathering import gathered_channels
from notifier.delivery.draft import Draft
from notifier.delivery.quotas import counting
from notifier.delivery.quotas.counting import Use
from notifier.errors import NotifierError, QuotaExceeded
from notifier.vocabulary.quotas import Quotas, read_quotas
from notifier.vocabulary.status import Mode, QueuePosition, Status


def quotas_of(context: AcceptContext) -> Quotas:
    """Of the column as the acceptance's cursor reads it: text."""
    stored: object = context.tenant.quotas
    return read_quotas(orjson.loads(stored) if isinstance(stored, str) else stored)


def refuse_over_quota(context: AcceptContext, outcomes: Sequence[Draft | NotifierError]) -> list[Draft | NotifierError]:
    """The outcomes, with a refusal in place of each request with a message that no quota has room for."""
    uses = counting.uses(context.tenant.id, quotas_of(context), context.tenant.timezone, context.now)
    left = {id(use): use.left for use in uses}
    checked: list[Draft | NotifierError] = []
    for outcome in outcomes:
        # digests gather later; what they take does not leave by itself
        if isinstance(outcome, Draft) and (messages := _messages(outcome, gathered_channels(context, outcome))):
            full = next((use for use in uses if messages[use.quota.channel] > left[id(use)]), None)
            if full is not None and outcome.request.of_digest is None:
                checked.append(refusal(full, context.now.timestamp()))
                continue
            for use in uses:
                left[id(use)] -= messages[use.quota.channel]
        checked.append(outcome)
    return checked


def count(context: AcceptContext, drafts: Sequence[Draft]) -> None:
    """Count the messages of accepted requests."""
    counts: Counter[str] = Counter()
    for draft in drafts:
        counts += _messages(draft)
    quotas = quotas_of(context)
    counting.add(context.tenant.id, counting.keys(quotas, counts, context.tenant.timezone, context.now))


def _messages(draft: Draft, gathered: Collection[str] = ()) -> Counter[str]:
    """channel -> messages that will leave, later steps of a route included, those for a digest not."""
    if draft.request.mode != Mode.LIVE:
        return Counter()
    return Counter(
        row.channel
        for row in draft.rows
        if row.status == Status.QUEUED and row.queue_position != QueuePosition.IN_DIGEST and row.channel not in gathered
    )


def refusal(use: Use, now: float, asked: int = 1) -> QuotaExceeded:
    """Names the channel, the quota, and when it renews."""
    quota, renews_at = use.quota, use.renews_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    wanted = "" if asked == 1 else f" {asked:,} more were asked for."
    return QuotaExceeded(
        f"The quota of {quota.most:,} {quota.channel} messages a {quota.period.value} has {use.left:,} left.{wanted} "
        f"It renews at {renews_at}. Send less, wait, or ask the operator for a larger quota.",
        field="channels",
        retry_after=max(1, math.ceil(use.renews_at.timestamp() - now)),
    )
