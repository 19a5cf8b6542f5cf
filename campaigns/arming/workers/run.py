"""Arm a campaign in workers: begin, arm ranges until none is left, end as `armed`, or as `draft` with the reason."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import structlog
from django.conf import settings
from django.db import OperationalError, transaction
from django.db.models import F
from django.db.models.functions import Greatest

from campaigns import audience
from campaigns.arming import locks
from campaigns.arming.limits import LIMITS, ArmingLimits
from campaigns.arming.planning.planner import CampaignPlanner, RangePlan
from campaigns.arming.planning.render_problems import count_unrendered, problem_sentences
from campaigns.arming.planning.topic_message import plan_topic
from campaigns.arming.planning.variants import planner_for, why_nobody_tests
from campaigns.arming.request import forget_arming, remove_arming
from campaigns.arming.storing import ledger, sharding
from campaigns.arming.storing.sharding import ShardDraft
from campaigns.arming.warm import warm_workers
from campaigns.arming.workers import ranges, rest
from campaigns.audit import tell
from campaigns.models import AudienceRange, Campaign, Shard
from campaigns.states import State, move
from notifier import failpoints
from notifier.delivery.accounts import registry
from notifier.delivery.infra.cycle_collection import no_cycle_collection
from notifier.delivery.planning import recipients
from notifier.delivery.planning.consent_changes import note_unseen
from notifier.errors import InvalidInput, NotifierError
from notifier.vocabulary.status import Reason
from notifier.vocabulary.webhooks import EventType

log = structlog.get_logger("campaigns")


#: workers that one arming may kill before the campaign returns to draft
MAX_DEATHS = 3


class _Overtaken(Exception):
    """An edit changed the campaign while it was being armed."""


def begin(campaign_id: uuid.UUID, limits: ArmingLimits = LIMITS) -> bool:
    """Remove what an earlier arming left, and store the audience as ranges; returns whether there are ranges to arm.
    The ranges of an A/B test's rest are there already."""
    with locks.exclusive_lock(campaign_id) as locked:
        campaign = _load(campaign_id)
        if not locked or campaign.state != State.ARMING:
            return locked and rest.is_wanted(campaign)
        if campaign.armed_at is None:
            with _failing_to_draft(campaign, limits):
                with transaction.atomic():
                    remove_arming(campaign)
                    # creates the accounts that every tenant has; in a range's transaction, a failure would remove them
                    registry.usable_accounts(campaign.tenant, "", "", campaign.mode)
                unseen = note_unseen()
                with transaction.atomic():
                    if not ranges.freeze_audience(campaign, unseen, limits.range_size):
                        raise _Overtaken
    return True


def arm(campaign_id: uuid.UUID) -> None:
    """Arm the whole campaign in this process, after `request_arm`."""
    if begin(campaign_id):
        arm_ranges(campaign_id)


def arm_ranges(
    campaign_id: uuid.UUID, pause: Callable[[], bool] = lambda: False, limits: ArmingLimits = LIMITS
) -> bool:
    """Arm ranges, beside any number of other workers, until every range is armed or locked by another worker. The
    worker that sees all ranges done ends the arming. Calls `pause` after each range; returns False when `pause` made it
    stop early."""
    with locks.shared_lock(campaign_id) as locked:
        campaign = _load(campaign_id)
        is_rest = locked and rest.is_wanted(campaign)
        if not locked or not (is_rest or (campaign.state == State.ARMING and campaign.armed_at is not None)):
            return True
        # a range makes 100,000 objects and no cycle: searching for cycles took 10 of 26 µs a recipient
        with _failing_to_draft(campaign, limits), _counted(campaign), no_cycle_collection():
            planner = planner_for(campaign, limits)
            while _arm_one(planner):
                if pause() and ranges.is_left(campaign, rest=is_rest):
                    return False
            (rest.finish if is_rest else _finish)(campaign)
    return True


@contextmanager
def _counted(campaign: Campaign) -> Iterator[None]:
    """Count this worker in `attempts` while the block runs; a worker that dies in the block stays counted. Raises
    InvalidInput when too many workers have died: the next worker would die, too."""
    same_arming = Campaign.objects.filter(pk=campaign.pk, revision=campaign.revision)
    same_arming.update(attempts=F("attempts") + 1)
    try:
        if same_arming.filter(attempts__gt=MAX_DEATHS + settings.BATCH_PROCESSES).exists():
            raise InvalidInput(f"{MAX_DEATHS} workers died while they armed this campaign: make its template simpler.")
        yield
    finally:
        same_arming.update(attempts=Greatest(F("attempts") - 1, 0))


def _load(campaign_id: uuid.UUID) -> Campaign:
    return Campaign.objects.select_related("tenant", "template", "audience").get(pk=campaign_id)


@contextmanager
def _failing_to_draft(campaign: Campaign, limits: ArmingLimits) -> Iterator[None]:
    """A campaign that cannot be armed returns to draft with the reason; one whose rest cannot be armed pauses."""
    try:
        yield
    except _Overtaken:
        log.info("arming overtaken by an edit", action="arm", campaign=str(campaign.pk))
    except NotifierError as error:
        _fail(campaign, error.message)
    except MemoryError:
        _fail(campaign, f"It takes more than {limits.memory >> 20} MiB of memory: make its template simpler.")
    except OperationalError:
        raise  # the database is away: the campaign stays `arming`, and the sweep posts its task again
    except Exception:
        _fail(campaign, "An internal error; the log has it.")
        raise


def _fail(campaign: Campaign, reason: str) -> None:
    if campaign.state != State.ARMING:
        return rest.halt(campaign, reason)
    with transaction.atomic():
        # a newer arming that has begun meanwhile did not fail
        same_arming = Campaign.objects.select_for_update().filter(pk=campaign.pk, revision=campaign.revision).exists()
        if same_arming and move(
            campaign.pk, State.DRAFT, allowed_from=[State.ARMING], failure=reason[:500], armed_at=None
        ):
            forget_arming(campaign)
    log.warning("arming failed", action="arm", campaign=str(campaign.pk), why=reason)


def _arm_one(planner: CampaignPlanner) -> bool:
    """Arm one range; False when there is none to arm."""
    with transaction.atomic():
        audience_range = ranges.lock_next_range(planner.campaign, rest=planner.phase == "rest")
        if audience_range is not None:
            _arm_range(planner, audience_range)
            failpoints.reach("arming.before-commit")
    if audience_range is not None:
        failpoints.reach("arming.after-range")
    return audience_range is not None


def _arm_range(planner: CampaignPlanner, audience_range: AudienceRange) -> None:
    campaign = planner.campaign
    range_plan, entries = _plan_range(planner, audience_range)
    drafts = sharding.draft_shards(planner, range_plan, audience_range.number)
    new_ids = ledger.write_rows(planner, drafts, range_plan.suppressed.values())
    if new_ids is not None:
        drafts = _without_known(drafts, new_ids, range_plan)
    drafts = sharding.with_places(planner, range_plan, drafts)
    shards = sharding.store_shards(campaign, drafts, sharding.first_number(planner, audience_range.number))
    planner.note_counts(range_plan)
    reached = {message.recipient for draft in drafts for message in draft.messages}
    excluded = {str(reason): n for reason, n in range_plan.excluded.items() if n}
    # a topic has one message and no entries
    people = entries - range_plan.waiting if range_plan.planned is None else range_plan.planned
    unreached, over_cap = max(0, people - len(reached)), sum(len(draft.places.over_cap) for draft in drafts)
    entries = 0 if audience_range.rest else entries  # the test has counted them
    counts = ranges.RangeCounts(
        entries, unreached, excluded, range_plan.problems, over_cap, planner.keeps_ranges and not audience_range.rest
    )
    if not ranges.finish_range(campaign, audience_range, counts):
        raise _Overtaken
    if audience_range.rest:
        rest.publish(campaign, shards)


def _plan_range(planner: CampaignPlanner, audience_range: AudienceRange) -> tuple[RangePlan, int]:
    """The plan of a range, and how many entries of the audience it has."""
    campaign = planner.campaign
    assert campaign.audience is not None
    if campaign.audience.is_topic:
        return plan_topic(planner), 0
    query = audience.recipient_query(campaign.audience, audience_range.after, audience_range.until)
    people, unknown = recipients.load_by_query(campaign.tenant_id, query)
    audience.check_kept(campaign.audience, "audience")
    range_plan = planner.plan(people)
    if not audience_range.rest:
        range_plan.excluded[Reason.UNKNOWN_RECIPIENT] += unknown
    return range_plan, len(people) + unknown


def _without_known(drafts: list[ShardDraft], new_ids: set[str], range_plan: RangePlan) -> list[ShardDraft]:
    """The drafts without the messages whose address another range has already; counts these messages as excluded."""
    kept = [replace(draft, messages=[m for m in draft.messages if m.id in new_ids]) for draft in drafts]
    dropped = sum(len(draft.messages) for draft in drafts) - sum(len(draft.messages) for draft in kept)
    range_plan.excluded[Reason.DUPLICATE_ADDRESS] += dropped
    return [draft for draft in kept if draft.messages]


def _finish(campaign: Campaign) -> None:
    """Move the campaign to `armed`, if all ranges are done and no other worker has moved it."""
    with transaction.atomic():
        # the lock comes first: a worker that waits for it must read the ranges afterwards, not with an older snapshot
        same_arming = Campaign.objects.select_for_update().filter(
            pk=campaign.pk, state=State.ARMING, revision=campaign.revision
        )
        locked = same_arming.first()
        if locked is None or ranges.is_left(campaign):
            return
        if not Shard.objects.filter(campaign=campaign).exists():
            raise InvalidInput(_why_empty(locked), field="audience")
        move(campaign.pk, State.ARMED, allowed_from=[State.ARMING], audience_size=F("processed"))
        tell(campaign, EventType.CAMPAIGN_ARMED, audience=locked.processed)
    log.info(
        "armed",
        action="arm",
        campaign=str(campaign.pk),
        processed=locked.processed,
        unrendered=count_unrendered(locked.excluded),
    )
    warm_workers(campaign)


def _why_empty(campaign: Campaign) -> str:
    """Why no message would leave: first the problems, which name the variable or the app, then the other reasons."""
    explained = {problem["reason"] for problem in campaign.problems}
    left_out = {reason: n for reason, n in campaign.excluded.items() if reason not in explained}
    counts = [f"{n:,} {reason.replace('_', ' ')}" for reason, n in sorted(left_out.items(), key=lambda item: -item[1])]
    causes = [sentence.rstrip(".") for sentence in problem_sentences(campaign.problems)]
    if not causes and (nobody_tests := why_nobody_tests(campaign)):
        return nobody_tests
    return f"Nobody can be reached: {'; '.join([*causes, *counts]) or 'the audience is empty'}."
