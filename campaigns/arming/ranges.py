"""Slices: the parts of an audience that workers arm side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import orjson
from django.conf import settings
from django.db import connection
from django.db.models.functions import Now

from campaigns import audience
from campaigns.arming.render_problems import RenderProblem, merge_problems
from campaigns.models import AudienceRange, Campaign
from campaigns.states import State

#: entries of a slice: some 30 MB in memory while it is armed, a third of a second of work
ENTRIES = 10_000


def freeze_audience(campaign: Campaign) -> bool:
    """Freeze the audience as slices; False when an edit has overtaken this arming."""
    assert campaign.audience is not None
    # tiny shards mean small slices: cutting.NUMBERS must do for the shards of one
    bounds = list(audience.key_ranges(campaign.audience, min(ENTRIES, 100 * settings.SHARD_SIZE)))
    AudienceRange.objects.bulk_create(
        (
            AudienceRange(tenant_id=campaign.tenant_id, campaign=campaign, number=n, after=b.after, until=b.until)
            for n, b in enumerate(bounds)
        ),
        batch_size=1_000,
    )
    # `armed_at` says that slices were cut, and from when on consent is looked at again
    mine = Campaign.objects.filter(pk=campaign.pk, state=State.ARMING, revision=campaign.revision)
    return mine.update(armed_at=Now(), audience_size=sum(b.entries for b in bounds)) == 1


_TAKE = """
SELECT s.id, s.number, s.after, s.until FROM campaigns_audiencerange s JOIN campaigns_campaign c ON c.id = s.campaign_id
WHERE s.campaign_id = %s AND c.revision = %s AND c.state = 'arming'
ORDER BY s.id LIMIT 1 FOR UPDATE OF s SKIP LOCKED
"""


def lock_next_range(campaign: Campaign) -> AudienceRange | None:
    """A slice that nobody works on; it is ours as long as the transaction lasts."""
    found = list(AudienceRange.objects.raw(_TAKE, [campaign.pk, campaign.revision]))
    return found[0] if found else None


# adds what other workers have added meanwhile, too
_DONE = """
UPDATE campaigns_campaign c SET processed = c.processed + %s, unreached = c.unreached + %s, excluded = (
  SELECT coalesce(jsonb_object_agg(reason, n), '{}') FROM (
    SELECT reason, sum(n::bigint) AS n
    FROM (SELECT * FROM jsonb_each_text(c.excluded) UNION ALL SELECT * FROM jsonb_each_text(%s::jsonb)) e (reason, n)
    GROUP BY reason) s)
WHERE c.id = %s AND c.state = 'arming' AND c.revision = %s
"""


@dataclass(frozen=True)
class RangeCounts:
    """What arming a slice found out: how many people it has, how many of them get no message, how many messages were
    left out by reason, and what could not be rendered."""

    people: int
    unreached: int
    excluded: Mapping[str, int]
    problems: list[RenderProblem]


def finish_range(campaign: Campaign, taken: AudienceRange, count: RangeCounts) -> bool:
    """Give up the slice and show how far arming is; False when an edit has overtaken it. To be the last statements of
    the transaction, which holds the campaign's row from here on."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM campaigns_audiencerange WHERE id = %s", [taken.pk])
        excluded = orjson.dumps(dict(count.excluded)).decode()
        cursor.execute(_DONE, [count.people, count.unreached, excluded, campaign.pk, campaign.revision])
        mine = bool(cursor.rowcount)
    if mine and count.problems:
        # the row is ours since the statement before
        before = Campaign.objects.values_list("problems", flat=True).get(pk=campaign.pk)
        Campaign.objects.filter(pk=campaign.pk).update(problems=merge_problems(before, count.problems))
    return mine
