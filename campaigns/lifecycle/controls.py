"""The table of controls: what an actor can do to a campaign. Each row is an address of the API, a button of the admin
and a word of `manage.py campaign`; docs/how-to/adding-a-campaign-control.md says how to add one."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from enum import Flag, auto

from campaigns import arming
from campaigns.audit import Act, Actor
from campaigns.lifecycle.launching import launch, planned
from campaigns.lifecycle.running import pausing, retrying, stopping, winner
from campaigns.lifecycle.transition import find_campaign
from campaigns.models import Campaign
from campaigns.states import State


class Surface(Flag):
    """A place that offers controls: the API, the admin or the command line."""

    API = auto()
    ADMIN = auto()
    CLI = auto()


@dataclass(frozen=True, kw_only=True)
class Control:
    """One control."""

    #: last part of the address in the API and the admin, word of the command line, verb of the audit log
    act: Act
    #: run(tenant_id, campaign_id, by=actor): True for the one caller that changed the campaign, False for a repeat.
    #: Raises NotFound, Conflict or InvalidInput
    run: Callable[..., bool]
    #: a past participle: the API's answer ("taken_back": true); the admin and the command line say "It was taken back
    #: already." to a repeat
    done: str
    #: of the API's operation
    summary: str
    #: label of the admin's button for this campaign; empty where no button is offered
    button: Callable[[Campaign], str]
    #: beside the button
    help: str = ""
    #: a CSS class of the button: "", next or danger
    style: str = ""
    #: what the admin says when the control changed the campaign
    success: str = ""
    #: the admin asks once more, on a page from the template <act>.html
    confirm: bool = False
    #: a worker does the work: the API answers 202 with the campaign
    background: bool = False
    #: what the caller chooses: keyword arguments of `run`
    options: tuple[str, ...] = ()
    surfaces: Surface = Surface.API | Surface.ADMIN | Surface.CLI


def _in(*states: State, label: str) -> Callable[[Campaign], str]:
    """A button with this label in these states."""
    return lambda campaign: label if campaign.state in states else ""


def _resume_button(campaign: Campaign) -> str:
    if campaign.state == State.RUNNING and campaign.halted_channels:
        return f"Resume {', '.join(campaign.halted_channels)}"
    return "Resume" if campaign.state == State.PAUSED else ""


def _unplan_button(campaign: Campaign) -> str:
    has_plan = campaign.launch_at is not None and campaign.state in planned.PLANNABLE
    if has_plan and campaign.launch_failure:
        return "Remove the plan"
    return "Cancel the planned launch" if has_plan else ""


def _arm(tenant_id: uuid.UUID, campaign_id: uuid.UUID, /, *, by: Actor) -> bool:
    arming.request_arm(find_campaign(tenant_id, campaign_id), by)
    return True


def _disarm(tenant_id: uuid.UUID, campaign_id: uuid.UUID, /, *, by: Actor) -> bool:
    return arming.disarm(find_campaign(tenant_id, campaign_id), by)


CONTROLS: tuple[Control, ...] = (
    Control(
        act=Act.ARM,
        run=_arm,
        done="armed",
        summary="Arm: freeze the audience, check and prepare every message",
        button=_in(label=""),  # one of the steps to GO
        background=True,
        surfaces=Surface.API | Surface.ADMIN,  # manage.py arm_campaign arms and shows the progress
    ),
    Control(
        act=Act.DISARM,
        run=_disarm,
        done="returned_to_draft",
        summary="Return to draft",
        button=_in(State.ARMING, State.ARMED, label="Back to draft"),
        help="Saving a change below does so, too.",
        success="Back to draft; nothing was sent.",
        surfaces=Surface.ADMIN,
    ),
    Control(
        act=Act.GO,
        run=launch.go,
        done="launched",
        summary="GO. A repeat is harmless",
        button=_in(label=""),  # two of the steps to GO
        confirm=True,
        options=("rollout", "ignore_opt_outs"),
    ),
    Control(
        act=Act.PLAN,
        run=planned.plan,
        done="planned",
        summary="Plan the launch: the armed campaign launches itself at a time",
        button=_in(label=""),  # a field on the page of GO
        options=("launch_at", "rollout", "ignore_opt_outs"),
    ),
    Control(
        act=Act.UNPLAN,
        run=planned.unplan,
        done="unplanned",
        summary="Cancel the planned launch",
        button=_unplan_button,
        help="The campaign stays as it is, and waits for GO.",
        success="The planned launch is cancelled.",
    ),
    Control(
        act=Act.CHOOSE_WINNER,
        run=winner.choose_winner,
        done="chosen",
        summary="Choose the winner of an A/B test: the rest of the audience gets it",
        button=_in(label=""),  # the page of the results
        options=("variant",),
        surfaces=Surface.API | Surface.CLI,
    ),
    Control(
        act=Act.TAKE_BACK,
        run=launch.take_back,
        done="taken_back",
        summary="Take GO back, within its hold",
        button=_in(State.LAUNCHING, label="Take it back"),
        help="Nothing leaves, and the campaign stays armed: you can press GO again.",
        style="danger",
        success="Taken back: nothing has left. The campaign is armed as before.",
    ),
    Control(
        act=Act.PAUSE,
        run=pausing.pause,
        done="paused",
        summary="Pause: no request begins more than a second later",
        button=_in(State.RUNNING, label="Pause"),
        help="Nothing new begins after a second; the campaign can be resumed later.",
        style="next",
        success="Paused. Requests in flight end; nothing new begins.",
    ),
    Control(
        act=Act.RESUME,
        run=pausing.resume,
        done="resumed",
        summary="Resume what was paused, or paused itself",
        button=_resume_button,
        help="What has not left leaves.",
        style="next",
        success="Resumed.",
    ),
    Control(
        act=Act.RETRY,
        run=retrying.retry,
        done="retried",
        summary="Retry what failed: messages whose attempts were exhausted are queued again; nothing that is in doubt",
        button=_in(label=""),  # a page of the report
        surfaces=Surface.API | Surface.CLI,
    ),
    Control(
        act=Act.STOP,
        run=stopping.stop,
        done="stopped",
        summary="Stop: no request begins more than a second later",
        button=_in(State.RUNNING, State.PAUSED, label="Stop …"),
        help="For good.",
        style="danger",
        success="Stopped. Requests in flight end; nothing new begins.",
        confirm=True,
    ),
)


def offered(surface: Surface) -> list[Control]:
    """The controls that this surface offers."""
    return [control for control in CONTROLS if surface in control.surfaces]
