"""Request arming, and disarm: the parts of arming that happen within a caller's request."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime

from django.db import connection, transaction
from django.db.models import F, Value
from django.db.models.functions import Coalesce

from campaigns.arming import locks
from campaigns.arming.planning.topic_message import topic_content
from campaigns.arming.planning.variants import freeze_versions
from campaigns.arming.planning.waves import check_not_over
from campaigns.audience import check_kept
from campaigns.audience.loading import check_loaded
from campaigns.audit import OPERATOR, Act, Actor, record
from campaigns.models import Campaign
from campaigns.states import LAUNCHED, State, move
from notifier.channels.queues import BATCH
from notifier.delivery.caps import places
from notifier.delivery.content import templates
from notifier.delivery.ledger.campaigns import campaign_rows
from notifier.delivery.ledger.campaigns.campaign_rows import IdRange
from notifier.errors import Conflict, InvalidInput
from notifier.models import Template, TemplateVersion
from notifier.tasks import post
from notifier.vocabulary.ids import id_floor
from notifier.vocabulary.status import Kind
from tenants.categories import check_not_archived

#: an edit removes the rows of a campaign of up to this size within its request; rows of a larger one in the background
MAX_REMOVED_IN_REQUEST = 20_000


def request_arm(campaign: Campaign, by: Actor = OPERATOR) -> None:
    """Begin arming in the background. Raises what is known at once: Conflict, or InvalidInput with the field."""
    with transaction.atomic():
        _begin_arming(campaign)
        record(campaign, Act.ARM, by)


def _begin_arming(campaign: Campaign) -> None:
    if campaign.state in LAUNCHED:
        raise Conflict("This campaign was launched; copy it to send again.", code="already_launched")
    if campaign.not_after is not None and campaign.not_after <= datetime.now(UTC):
        raise InvalidInput("Lies in the past.", field="not_after", code="in_the_past")
    check_not_over(campaign.local_time, datetime.now(UTC))
    version = _version(campaign)
    freeze_versions(campaign)
    # read anew: the caller may have read the template a while ago
    category = Template.objects.select_related("category").get(pk=campaign.template_id).category
    check_not_archived(category, "template")
    if category is not None and category.kind == Kind.MARKETING:
        templates.compiled(version.pk).check_opt_out(campaign.channels, campaign.template.key, "template")
    moved = move(
        campaign.pk,
        State.ARMING,
        allowed_from=[State.DRAFT, State.ARMED],
        version=version,
        category=category.key if category else "",
        # from the row, not from the caller's copy: another arming may have raised it since
        revision=F("revision") + 1,
        armed_at=None,
        audience_size=0,
        processed=0,
        unreached=0,
        excluded={},
        over_cap=0,
        problems=[],
        attempts=0,
        failure="",
        first_armed_ms=Coalesce(F("first_armed_ms"), Value(int(time.time() * 1000))),
    )
    if not moved:
        raise Conflict("This campaign is being armed or was launched.", code="not_armable")
    transaction.on_commit(lambda: post("campaigns.arm", str(campaign.pk), queue=BATCH))


def _version(campaign: Campaign) -> TemplateVersion:
    version = TemplateVersion.objects.filter(template=campaign.template).order_by("-number").first()
    if version is None:
        raise InvalidInput("This template has no published version.", field="template")
    if campaign.audience is None:
        raise InvalidInput("Choose an audience first.", field="audience")
    check_loaded(campaign.audience.pk, "arm it")
    check_kept(campaign.audience, "audience")
    compiled = templates.compiled(version.id)
    missing = set(campaign.channels) - set(compiled.channels)
    if missing or not campaign.channels:
        raise InvalidInput(
            f"The template has no content for: {', '.join(sorted(missing)) or 'no channel'}.", field="channels"
        )
    if campaign.audience.is_topic:
        topic_content(campaign, compiled)
    return version


def disarm(campaign: Campaign, by: Actor = OPERATOR) -> bool:
    """Return a campaign to draft on behalf of an actor. False when it is a draft already. Raises Conflict after GO."""
    with transaction.atomic():
        if disarmed := return_to_draft(campaign):
            record(campaign, Act.DISARM, by)
    return disarmed


def return_to_draft(campaign: Campaign) -> bool:
    """Return a campaign to draft and remove what arming wrote; part of a larger change, which is audited by itself.
    False when the campaign is a draft already. Raises Conflict after GO."""
    if campaign.state == State.DRAFT:
        return False
    with transaction.atomic():
        # an arming that still runs sees another revision and stops
        if not move(
            campaign.pk,
            State.DRAFT,
            allowed_from=[State.ARMED, State.ARMING],
            revision=F("revision") + 1,
            armed_at=None,
            processed=0,
            unreached=0,
            excluded={},
            over_cap=0,
            problems=[],
        ):
            raise Conflict("This campaign was launched and cannot be edited any more.", code="already_launched")
        if campaign.processed <= MAX_REMOVED_IN_REQUEST:
            forget_arming(campaign)
        else:
            transaction.on_commit(lambda: post("campaigns.clear", str(campaign.pk), queue=BATCH))
    return True


_DRAFTS_WITH_ROWS = """
SELECT c.id FROM campaigns_campaign c WHERE c.state = 'draft' AND (
  EXISTS (SELECT 1 FROM campaigns_shard s WHERE s.campaign_id = c.id)
  OR EXISTS (SELECT 1 FROM campaigns_audiencerange s WHERE s.campaign_id = c.id))
"""


def drafts_with_rows() -> list[uuid.UUID]:
    """Drafts for which `remove_disarmed` has something to remove."""
    with connection.cursor() as cursor:
        cursor.execute(_DRAFTS_WITH_ROWS)
        return [row[0] for row in cursor.fetchall()]


def remove_disarmed(campaign_id: uuid.UUID) -> None:
    """Remove the rows of a large campaign that returned to draft; a new arming does the same before it begins."""
    with locks.exclusive_lock(campaign_id) as locked:
        campaign = Campaign.objects.get(pk=campaign_id)
        if locked and campaign.state == State.DRAFT:
            with transaction.atomic():
                forget_arming(campaign)


# Skips ranges that a worker has locked. That worker waits for the campaign's row, which this transaction may have
# locked, and then sees that its arming was overtaken.
_REMOVE = (
    """DELETE FROM campaigns_audiencerange WHERE id = ANY(ARRAY(
       SELECT id FROM campaigns_audiencerange WHERE campaign_id = %(campaign)s FOR UPDATE SKIP LOCKED))""",
    """DELETE FROM campaigns_shardpayload p USING campaigns_shard s
       WHERE s.id = p.shard_id AND s.campaign_id = %(campaign)s""",
    "DELETE FROM campaigns_shard WHERE campaign_id = %(campaign)s",
)


def remove_arming(campaign: Campaign) -> None:
    """Remove the ranges, shards and ledger rows of an earlier arming, and give back its places under frequency caps.
    Only before the first GO."""
    places.give_back_campaign(campaign.tenant_id, campaign.pk, delivery_id_range(campaign))
    with connection.cursor() as cursor:
        for statement in _REMOVE:
            cursor.execute(statement, {"campaign": campaign.pk})
    campaign_rows.delete_armed(campaign.pk, delivery_id_range(campaign))


def forget_arming(campaign: Campaign) -> None:
    """Remove the arming of a draft. The next arming gives its messages ids of its own time: they lie in a month that is
    kept for as long as they are."""
    # the caller's copy may be older than the last arming
    campaign.refresh_from_db(fields=["first_armed_ms"])
    remove_arming(campaign)
    if Campaign.objects.filter(pk=campaign.pk, state=State.DRAFT).update(first_armed_ms=None):
        campaign.first_armed_ms = None


def delivery_id_range(campaign: Campaign) -> IdRange:
    """The range of all delivery ids of a campaign (inclusive, exclusive). In a query it prunes the other partitions."""
    ms = campaign.first_armed_ms or 0
    return id_floor(ms), id_floor(ms + 1)
