"""What the audit log says about campaigns, audiences and schedules. The function that makes a change writes the
entry, so that the API, the admin and the command line leave the same one."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from campaigns.models import Audience, Campaign, Schedule
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
