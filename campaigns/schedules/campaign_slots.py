"""What a slot of a campaign does: copy the prototype, have the copy armed ahead of the slot, see it launched."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction

from campaigns import arming
from campaigns.audit import OPERATOR
from campaigns.edit import campaigns, drafts
from campaigns.edit.fields import MAX_NAME
from campaigns.lifecycle.launching import planned
from campaigns.lifecycle.launching.launch import NO_PLAN
from campaigns.models import Campaign, Schedule, ScheduleSlot
from campaigns.schedules.rules.timing import AROUND_THE_EARTH, shown_time, wall_clock
from campaigns.states import State
from notifier.errors import Conflict, NotifierError

SlotState = ScheduleSlot.State
#: a refusal that names one of these will come again at each slot
GONE = frozenset({"template", "audience", "channels", "campaign", "passed"})
#: a list that is being loaded delays the arming so long
_LOADING_MAX = timedelta(hours=1)


class TryAgain(Exception):
    """The campaign cannot be armed at the moment."""


def run(schedule: Schedule, slot: ScheduleSlot, now: datetime) -> str:
    """Make the copy, begin to arm it, and fill the slot's row, which is not stored yet. Returns why the schedule stops;
    empty while it goes on. Raises TryAgain while the list of the audience is being loaded."""
    prototype = schedule.campaign
    if prototype is None:
        slot.state, slot.reason = SlotState.FAILED, "The campaign of this schedule was deleted."
        return slot.reason
    try:
        with transaction.atomic():
            slot.campaign = _armed_copy(schedule, prototype, slot.at)
    except NotifierError as error:
        slot.campaign = None
        if error.code == "audience_loading" and now < slot.at + _LOADING_MAX:
            raise TryAgain from None
        slot.state, slot.reason = SlotState.FAILED, error.message[:500]
        return slot.reason if error.field in GONE else ""
    slot.state = SlotState.PREPARING
    return ""


def _armed_copy(schedule: Schedule, prototype: Campaign, at: datetime) -> Campaign:
    copy = campaigns.copy(prototype, by=OPERATOR)
    suffix = f", {shown_time(schedule, at).replace('T', ' ')}"
    copy.name = f"{schedule.name[: MAX_NAME - len(suffix)]}{suffix}"
    copy.launch_at, last = at, at
    if schedule.local:
        # `at` is when the first zone on earth shows the time; the campaign then leaves in waves
        copy.local_time, last = wall_clock(shown_time(schedule, at)), at + AROUND_THE_EARTH
    if schedule.not_after_minutes is not None:
        copy.not_after = last + timedelta(minutes=schedule.not_after_minutes)
    copy.save(update_fields=["name", "not_after", "launch_at", "local_time"])
    arming.request_arm(copy, OPERATOR)
    return copy


def follow(slot: ScheduleSlot, now: datetime) -> None:
    """See what has become of the campaign of an open slot, and write it into the slot's row. The sweep of planned
    launches (campaigns.lifecycle.launching.planned) launches a campaign that is armed when its slot has come."""
    state, reason = _outcome(slot, now)
    if state == SlotState.PREPARING:
        _note_armed(slot, now)
    elif state == SlotState.DONE or _give_up(slot.campaign):
        slot.state, slot.reason = state, reason[:500]
        slot.save(update_fields=["state", "reason"])


def _give_up(campaign: Campaign | None) -> bool:
    """Cancel the plan of a draft whose slot has failed: armed anew, it would launch itself at a slot of which its
    schedule knows nothing any more. False when the campaign was launched meanwhile."""
    if campaign is not None and campaign.state == State.DRAFT:
        try:
            planned.unplan(campaign.tenant_id, campaign.pk)
        except Conflict:
            return False
    return True


def _outcome(slot: ScheduleSlot, now: datetime) -> tuple[str, str]:
    campaign = slot.campaign
    if campaign is None:
        return SlotState.FAILED, "The campaign of this slot was deleted."
    if campaign.launched_at is not None or campaign.state == State.LAUNCHING:
        return SlotState.DONE, ""
    if campaign.state == State.CANCELLED:
        return SlotState.FAILED, "The campaign of this slot was stopped before it was launched."
    if campaign.state == State.DRAFT:
        return SlotState.FAILED, campaign.failure or "The campaign of this slot was returned to draft."
    if campaign.launch_failure:
        return SlotState.FAILED, campaign.launch_failure
    if campaign.launch_at is None:
        return SlotState.FAILED, "An actor cancelled the planned launch of this campaign."
    if campaign.not_after is not None and campaign.not_after <= now:
        _disarm(campaign)
        return SlotState.FAILED, "The campaign was not armed in time: its not_after has passed."
    return SlotState.PREPARING, ""


def _note_armed(slot: ScheduleSlot, now: datetime) -> None:
    if slot.armed_at is None and slot.campaign is not None and slot.campaign.state == State.ARMED:
        slot.armed_at = now
        slot.save(update_fields=["armed_at"])


def discard(slot: ScheduleSlot) -> bool:
    """Return the campaign of an open slot to draft and delete it. False when the campaign was launched already."""
    campaign = slot.campaign
    if campaign is None:
        return True
    try:
        _disarm(campaign)
    except Conflict:
        return False
    campaign.refresh_from_db()
    # the rows of a large campaign are removed in the background; its draft stays
    if not drafts.reason_to_keep(campaign):
        drafts.delete(campaign)
        slot.campaign = None
    return True


def _disarm(campaign: Campaign) -> None:
    """Return the campaign to draft, without a plan. Raises Conflict after its launch."""
    arming.disarm(campaign, OPERATOR)
    Campaign.objects.filter(pk=campaign.pk, state=State.DRAFT).update(**NO_PLAN)
