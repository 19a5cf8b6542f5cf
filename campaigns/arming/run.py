"""Arming itself, in workers: begin, take slices until none is left, end `armed`, or `draft` with why."""

from __future__ import annotations

import gc
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
from campaigns.arming import ledger, locks, memory, ranges, sharding
from campaigns.arming.planning import CampaignPlanner
from campaigns.arming.render_problems import UNRENDERED, count_unrendered, problem_sentences
from campaigns.arming.request import remove_arming
from campaigns.arming.warm import warm_workers
from campaigns.models import AudienceRange, Campaign, Shard
from campaigns.states import State, move
from notifier.delivery.accounts import registry
from notifier.delivery.planning import recipients
from notifier.errors import InvalidInput, NotifierError
from notifier.vocabulary.status import Reason

log = structlog.get_logger("campaigns")


#: workers that may die of one arming before it is given up
MAX_DEATHS = 3


class _Overtaken(Exception):
    """An edit moved the campaign on while it was being armed."""


def begin(campaign_id: uuid.UUID) -> bool:
    """Remove what an earlier arming left and cut the audience into slices; whether there are slices to arm."""
    with locks.exclusive_lock(campaign_id) as alone:
        campaign = _of(campaign_id)
        if campaign.state != State.ARMING or not alone:
            return False
        if campaign.armed_at is None:
            with _giving_up(campaign):
                with transaction.atomic():
                    remove_arming(campaign)
                    # makes those that every tenant has; made in a slice's transaction, they would go with its failure
                    registry.usable_accounts(campaign.tenant, "", "", campaign.mode)
                with transaction.atomic():
                    if not ranges.freeze_audience(campaign):
                        raise _Overtaken
    return True


def arm(campaign_id: uuid.UUID) -> None:
    """Do all the work that `request_arm` asked for in this process."""
    if begin(campaign_id):
        arm_ranges(campaign_id)


def arm_ranges(campaign_id: uuid.UUID, pause: Callable[[], bool] = lambda: False) -> bool:
    """Arm slices until none is left that nobody works on, beside any number of other workers. Whoever finds that all
    are done ends the arming. False when `pause`, asked after each slice, made it leave off."""
    with locks.shared_lock(campaign_id) as allowed:
        campaign = _of(campaign_id)
        if not allowed or campaign.state != State.ARMING or campaign.armed_at is None:
            return True
        with _giving_up(campaign), _counted(campaign), _no_search_for_cycles():
            planner = CampaignPlanner(campaign)
            while _arm_one(planner):
                if pause() and AudienceRange.objects.filter(campaign=campaign).exists():
                    return False
            _finish(campaign)
    return True


@contextmanager
def _counted(campaign: Campaign) -> Iterator[None]:
    """Who dies inside stays counted. Raises InvalidInput when too many did: the next would die of it, too."""
    mine = Campaign.objects.filter(pk=campaign.pk, revision=campaign.revision)
    mine.update(attempts=F("attempts") + 1)
    try:
        if mine.filter(attempts__gt=MAX_DEATHS + settings.BATCH_PROCESSES).exists():
            raise InvalidInput(f"{MAX_DEATHS} workers died while they armed this campaign: make its template simpler.")
        yield
    finally:
        mine.update(attempts=Greatest(F("attempts") - 1, 0))


@contextmanager
def _no_search_for_cycles() -> Iterator[None]:
    """A slice makes 100,000 objects and no cycle: looking for some took 10 of 26 µs a recipient."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _of(campaign_id: uuid.UUID) -> Campaign:
    return Campaign.objects.select_related("tenant", "template", "audience").get(pk=campaign_id)


@contextmanager
def _giving_up(campaign: Campaign) -> Iterator[None]:
    """What cannot be armed returns to draft and says why."""
    try:
        yield
    except _Overtaken:
        log.info("arming overtaken by an edit", action="arm", campaign=str(campaign.pk))
    except NotifierError as error:
        _give_up(campaign, error.message)
    except MemoryError:
        _give_up(campaign, f"It takes more than {memory.LIMIT_BYTES >> 20} MiB of memory: make its template simpler.")
    except OperationalError:
        raise  # the database is away: the campaign stays `arming` and the sweep rings again
    except Exception:
        _give_up(campaign, "An internal error; the log has it.")
        raise


def _give_up(campaign: Campaign, why: str) -> None:
    with transaction.atomic():
        # not when a newer arming has begun meanwhile: this failure is not its
        mine = Campaign.objects.select_for_update().filter(pk=campaign.pk, revision=campaign.revision).exists()
        if mine and move(campaign.pk, State.DRAFT, allowed_from=[State.ARMING], failure=why[:500], armed_at=None):
            remove_arming(campaign)
    log.warning("arming failed", action="arm", campaign=str(campaign.pk), why=why)


def _arm_one(planner: CampaignPlanner) -> bool:
    """Arm one slice; False when there is none to take."""
    with transaction.atomic():
        taken = ranges.lock_next_range(planner.campaign)
        if taken is not None:
            _arm_range(planner, taken)
    return taken is not None


def _arm_range(planner: CampaignPlanner, taken: AudienceRange) -> None:
    campaign = planner.campaign
    assert campaign.audience is not None
    found, nobody = recipients.load_by_query(
        campaign.tenant_id, audience.recipient_query(campaign.audience, taken.after, taken.until)
    )
    planning = planner.plan(found)
    cuts = sharding.draft_shards(planner, planning, taken.number)
    new = ledger.write_rows(planner, cuts, planning.refused.values())
    if new is not None:
        left = [replace(c, messages=[m for m in c.messages if m.id in new]) for c in cuts]
        planning.excluded[Reason.DUPLICATE_ADDRESS] += sum(len(c.messages) for c in cuts)
        planning.excluded[Reason.DUPLICATE_ADDRESS] -= sum(len(c.messages) for c in left)
        cuts = [c for c in left if c.messages]
    sharding.store_shards(campaign, cuts, taken.number)
    planning.excluded[Reason.UNKNOWN_RECIPIENT] += nobody
    excluded = {str(reason): n for reason, n in planning.excluded.items() if n}
    people_in = len(found) + nobody
    reached = {message.recipient for cut in cuts for message in cut.messages}
    count = ranges.RangeCounts(people_in, people_in - len(reached), excluded, planning.problems)
    if not ranges.finish_range(campaign, taken, count):
        raise _Overtaken


def _finish(campaign: Campaign) -> None:
    """Armed, if every slice is done and nobody has said so yet."""
    with transaction.atomic():
        # locked first: whoever waits for it must look at the slices afterwards, not with an older snapshot
        mine = Campaign.objects.select_for_update().filter(
            pk=campaign.pk, state=State.ARMING, revision=campaign.revision
        )
        now = mine.first()
        if now is None or AudienceRange.objects.filter(campaign=campaign).exists():
            return
        if not Shard.objects.filter(campaign=campaign).exists():
            raise InvalidInput(_nobody(now), field="audience")
        move(campaign.pk, State.ARMED, allowed_from=[State.ARMING], audience_size=F("processed"))
    log.info(
        "armed",
        action="arm",
        campaign=str(campaign.pk),
        processed=now.processed,
        unrendered=count_unrendered(now.excluded),
    )
    warm_workers(campaign)


def _nobody(campaign: Campaign) -> str:
    """Why nothing would leave: what could not be rendered, with the variable, before who said no."""
    others = {reason: n for reason, n in campaign.excluded.items() if reason not in UNRENDERED}
    counts = [f"{n:,} {reason.replace('_', ' ')}" for reason, n in sorted(others.items(), key=lambda item: -item[1])]
    why = "; ".join([*(sentence.rstrip(".") for sentence in problem_sentences(campaign.problems)), *counts])
    return f"Nobody can be reached: {why or 'the audience is empty'}."
