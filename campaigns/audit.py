"""What the audit log says about campaigns, audiences and schedules. The function that makes a change writes the
entry, so that the API, the admin and the command line leave the same one."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from campaigns.models import Audience, Campaign, Schedule
from notifier.delivery.webhooks import spool
from notifier.vocabulary.webhooks import EventType
from tenants import audit
from tenants.audit import Actor as Actor  # for the callers of `record`


class Act(StrEnum):
    """The second part of an entry's action, after `campaign.`, `audience.` or `schedule.`: an imperative for what
    an actor did, a past participle for what a campaign or a schedule did by itself."""

    # of an actor, to a campaign or an audience
    CREATE = "create"
    CHANGE = "change"
    DELETE = "delete"
    #: replace the members of a list
    FILL = "fill"
    #: the entry is about the new campaign
    COPY = "copy"
    ARM = "arm"
    DISARM = "disarm"
    REHEARSE = "rehearse"
    TEST = "test"
    GO = "go"
    #: set or cancel the time of a planned launch
    PLAN = "plan"
    UNPLAN = "unplan"
    TAKE_BACK = "take_back"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    #: queue again what failed
    RETRY = "retry"
    #: the entry is about the new campaign, which replaces the messages of another
    CORRECT = "correct"
    #: of an approval; the entry is about the campaign
    REQUEST_APPROVAL = "request_approval"
    APPROVE = "approve"
    REJECT = "reject"
    WITHDRAW_APPROVAL = "withdraw_approval"
    #: of an A/B test; the rule as well, which the entry then says
    CHOOSE_WINNER = "choose_winner"
    #: of a schedule
    SKIP = "skip"
    CANCEL = "cancel"
    # of the campaign itself
    #: its hold is over
    LAUNCHED = "launched"
    #: its planned launch did not happen
    LAUNCH_REFUSED = "launch_refused"
    CANARY_PASSED = "canary_passed"
    HALTED = "halted"
    #: the rule of its A/B test found no winner, and waits for a person
    UNDECIDED = "undecided"
    #: every outcome is in the ledger: of a campaign that finished, of one that was stopped
    FINISHED = "finished"
    CANCELLED = "cancelled"
    #: a schedule whose template or audience is gone
    STOPPED = "stopped"


#: the operator at the command line, or the campaign itself
OPERATOR = Actor()


def record(row: Campaign | Audience | Schedule, act: Act, by: Actor = OPERATOR, **detail: Any) -> None:
    """Write one entry, in the caller's transaction. `detail` holds ids, names of fields and counts."""
    action = f"{row._meta.model_name}.{act}"
    audit.record(row.tenant_id, action, row.pk, detail, by)
    if isinstance(row, Campaign):
        _tell(row, act, detail)


#: what webhooks tell of a campaign
_TOLD = {
    Act.LAUNCHED: EventType.CAMPAIGN_LAUNCHED,
    Act.PAUSE: EventType.CAMPAIGN_PAUSED,
    Act.RESUME: EventType.CAMPAIGN_RESUMED,
    Act.HALTED: EventType.CAMPAIGN_HALTED,
    Act.STOP: EventType.CAMPAIGN_STOPPED,
    Act.FINISHED: EventType.CAMPAIGN_FINISHED,
}


def _tell(campaign: Campaign, act: Act, detail: Mapping[str, Any]) -> None:
    """GO launches a campaign at once, unless it is held: `launched` follows then."""
    event_type = _TOLD.get(act)
    if act is Act.GO and not campaign.hold_seconds:
        event_type = EventType.CAMPAIGN_LAUNCHED
    if event_type is not None:
        more = {name: detail[name] for name in ("channel", "why", "counts") if name in detail}
        tell(campaign, event_type, **more)


def tell(campaign: Campaign, event_type: EventType, **more: Any) -> None:
    """Let webhooks tell what a campaign did, in the caller's transaction. A silent run tells nothing."""
    if not campaign.silent:
        spool.record(campaign.tenant_id, event_type, {"campaign": str(campaign.pk), "name": campaign.name, **more})
