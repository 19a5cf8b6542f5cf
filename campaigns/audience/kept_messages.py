"""Whether the ledger has the messages that a segment asks for. Those of an old campaign are deleted
(docs/retention.md), and then nobody got it as far as anybody knows: `got_campaign ne …` would find all recipients.

Ask after the recipients are read: the last count of a campaign is committed before the first of its messages goes.
"""

from __future__ import annotations

from campaigns.audience.segments import Condition, check_filter, leaves, values_of
from campaigns.audience.segments.fields import CAMPAIGN_FIELDS
from campaigns.models import Audience, Campaign
from notifier.errors import InvalidInput


def check_kept(audience: Audience, field: str = "") -> None:
    """Raise InvalidInput for a segment that asks for messages of a campaign which are deleted. The error names `field`,
    or else the condition."""
    conditions = _on_campaigns(audience)
    if not conditions:
        return
    ids = {value for condition in conditions for value in values_of(condition)}
    ended = Campaign.objects.filter(tenant_id=audience.tenant_id, pk__in=ids, report_final_at__isnull=False)
    names = {str(pk): name for pk, name in ended.values_list("pk", "name")}
    for condition in conditions:
        for value in values_of(condition):
            if value in names:
                raise InvalidInput(
                    f"The messages of the campaign “{names[value]}” are older than the tenant keeps them, so nobody"
                    f" knows any more who got it. Take {condition.field} out of the segment.",
                    field=field or f"{condition.where}.value",
                )


def is_kept(audience: Audience) -> bool:
    """Whether the segment's conditions on campaigns can be answered."""
    try:
        check_kept(audience)
    except InvalidInput:
        return False
    return True


def _on_campaigns(audience: Audience) -> list[Condition]:
    # arming asks for each range, and few segments name a campaign: the others are not parsed
    if audience.source != Audience.Source.SEGMENT or not any(name in str(audience.filter) for name in CAMPAIGN_FIELDS):
        return []
    return [condition for condition in leaves(check_filter(audience.filter)) if condition.field in CAMPAIGN_FIELDS]
