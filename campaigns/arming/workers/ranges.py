"""The ranges of an audience: rows that workers lock, arm and delete side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import orjson
from django.conf import settings
from django.db import connection
from django.db.models.functions import Now

from campaigns import audience
from campaigns.arming.limits import LIMITS
from campaigns.arming.planning.render_problems import RenderProblem, merge_problems
from campaigns.models import AudienceRange, Campaign
from campaigns.states import State
from notifier.delivery.planning.consent_changes import Unseen


def freeze_audience(campaign: Campaign, unseen: Unseen, range_size: int = LIMITS.range_size) -> bool:
    """Store the audience as ranges; False when an edit has overtaken this arming. `unseen`: the consent changes that
    the ranges may not see, noted before."""
    assert campaign.audience is not None
    # small shards need small ranges: sharding.NUMBERS_PER_RANGE must suffice for the shards of one range
    key_ranges = list(audience.key_ranges(campaign.audience, min(range_size, 100 * settings.SHARD_SIZE)))
    audience.check_kept(campaign.audience, "audience")
    AudienceRange.objects.bulk_create(
        (
            AudienceRange(tenant_id=campaign.tenant_id, campaign=campaign, number=n, after=k.after, until=k.until)
            for n, k in enumerate(key_ranges)
        ),
        batch_size=1_000,
    )
    # `armed_at` says that the ranges are stored
    same_arming = Campaign.objects.filter(pk=campaign.pk, state=State.ARMING, revision=campaign.revision)
    moved = same_arming.update(
        armed_at=Now(),
        audience_size=sum(k.entries for k in key_ranges),
        consent_since=unseen.since,
        consent_transactions=list(unseen.transactions),
        consent_next_transaction=unseen.next_transaction,
    )
    return moved == 1


_LOCK_NEXT = """
SELECT r.id, r.number, r.after, r.until, r.rest FROM campaigns_audiencerange r
JOIN campaigns_campaign c ON c.id = r.campaign_id
WHERE r.campaign_id = %s AND c.revision = %s AND c.state = ANY(%s) AND r.rest = %s
ORDER BY r.id LIMIT 1 FOR UPDATE OF r SKIP LOCKED
"""


#: states of a campaign whose ranges are armed: at first, and the rest of an A/B test after GO
_STATES = {False: [State.ARMING], True: [State.RUNNING]}
#: the same for a range that a worker has armed: a pause meanwhile does no harm, a stop or an edit does
_STATES_AT_END = {False: [State.ARMING], True: [State.RUNNING, State.PAUSED]}


def lock_next_range(campaign: Campaign, *, rest: bool = False) -> AudienceRange | None:
    """Lock a range that no other worker has locked, until the transaction ends. None when no such range is left, or an
    edit or a stop has overtaken this arming. `rest`: of an A/B test whose winner is chosen."""
    values = [campaign.pk, campaign.revision, _STATES[rest], rest]
    return next(iter(AudienceRange.objects.raw(_LOCK_NEXT, values)), None)


def is_left(campaign: Campaign, *, rest: bool = False) -> bool:
    """Whether ranges are not armed yet, locked or not."""
    return AudienceRange.objects.filter(campaign=campaign, rest=rest).exists()


_DELETE = "DELETE FROM campaigns_audiencerange WHERE id = %s"
_KEEP = "UPDATE campaigns_audiencerange SET rest = true WHERE id = %s"
# adds to the counts as they are now: other workers add to them, too
_ADD_COUNTS = """
UPDATE campaigns_campaign c SET processed = c.processed + %s, unreached = c.unreached + %s,
  over_cap = c.over_cap + %s, excluded = (
  SELECT coalesce(jsonb_object_agg(reason, n), '{}') FROM (
    SELECT reason, sum(n::bigint) AS n
    FROM (SELECT * FROM jsonb_each_text(c.excluded) UNION ALL SELECT * FROM jsonb_each_text(%s::jsonb)) e (reason, n)
    GROUP BY reason) s)
WHERE c.id = %s AND c.state = ANY(%s) AND c.revision = %s
"""


@dataclass(frozen=True)
class RangeCounts:
    """What arming one range adds to its campaign: audience entries, recipients without any message, excluded messages
    by reason, why messages cannot be sent, and messages that found a frequency cap full."""

    entries: int
    unreached: int
    excluded: Mapping[str, int]
    problems: list[RenderProblem]
    over_cap: int = 0
    #: the range stays, for the rest of an A/B test
    keep: bool = False


def finish_range(campaign: Campaign, audience_range: AudienceRange, counts: RangeCounts) -> bool:
    """Delete the range, or keep it for its rest, and add its counts to the campaign; False when an edit has overtaken
    this arming. Must be the last statements of the transaction, which locks the campaign's row from here on."""
    with connection.cursor() as cursor:
        cursor.execute(_KEEP if counts.keep else _DELETE, [audience_range.pk])
        excluded = orjson.dumps(dict(counts.excluded)).decode()
        sums = [counts.entries, counts.unreached, counts.over_cap]
        states = _STATES_AT_END[audience_range.rest]
        cursor.execute(_ADD_COUNTS, [*sums, excluded, campaign.pk, states, campaign.revision])
        same_arming = bool(cursor.rowcount)
    if same_arming and counts.problems:
        # the statement before locked the campaign's row
        before = Campaign.objects.values_list("problems", flat=True).get(pk=campaign.pk)
        Campaign.objects.filter(pk=campaign.pk).update(problems=merge_problems(before, counts.problems))
    return same_arming
