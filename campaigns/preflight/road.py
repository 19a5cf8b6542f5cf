"""The steps of a campaign from its content to GO: the state of each, and which one is next. A page shows all of them at
any time; what cannot be done yet says why."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Sum
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns.approval import Clearance
from campaigns.models import Campaign, CampaignApproval, Rollout, Shard
from campaigns.preflight import rehearse
from campaigns.report import results
from campaigns.states import LAUNCHED, State
from campaigns.templatetags.figures import duration

#: states of a step. OPTIONAL and TODO can be done now, BLOCKED cannot; PROBLEM needs a person; BUSY needs patience
DONE, TODO, OPTIONAL, BLOCKED, PROBLEM, BUSY, SKIPPED = (
    *("done", "todo", "optional", "blocked", "problem"),
    *("busy", "skipped"),
)
Decision = CampaignApproval.Decision


@dataclass(frozen=True)
class RoadStep:
    name: str
    title: str
    state: str
    #: one sentence: what is there, or what is missing
    says: str = ""
    done_at: datetime | None = None
    #: the campaign of the silent run
    silent_run: Campaign | None = None
    is_next: bool = False

    @property
    def can_be_done(self) -> bool:
        return self.state in (DONE, TODO, OPTIONAL, PROBLEM)


@dataclass(frozen=True)
class Known:
    """What the caller has found out about the campaign."""

    clearance: Clearance
    #: recipients of the audience; None: unknown
    people: int | None = None
    #: False: `people` is an estimate
    people_exact: bool = True
    #: of preflight; None before the campaign is armed
    warnings: Sequence[str] | None = None
    #: the list of the audience is being read
    loading: bool = False


def road(campaign: Campaign, known: Known) -> list[RoadStep]:
    """The steps in their order."""
    return mark_next(
        [
            _content(campaign),
            _audience(campaign, known),
            _when(campaign),
            _arm(campaign, known),
            _preflight(campaign, known),
            _copy(campaign, known.clearance),
            _silent_run(campaign),
            _approval(campaign, known.clearance),
            _go(campaign, known.clearance),
        ]
    )


def mark_next(steps: Sequence[RoadStep]) -> list[RoadStep]:
    """The same steps; the first one that waits for a person is the next."""
    following = next((step for step in steps if step.state in (TODO, PROBLEM)), None)
    return [dataclasses.replace(step, is_next=step is following) for step in steps]


def _content(campaign: Campaign) -> RoadStep:
    says = _("Template “%(template)s” by %(channels)s.") % {
        "template": campaign.template.name or campaign.template.key,
        "channels": ", ".join(campaign.channels).replace("_", "-"),
    }
    return RoadStep("content", _("Content"), DONE, says)


def _audience(campaign: Campaign, known: Known) -> RoadStep:
    title = _("Audience")
    if campaign.audience is None:
        return RoadStep("audience", title, TODO, _("Choose who gets it, or upload a list."))
    if known.loading:
        return RoadStep("audience", title, BUSY, _("The list is still being loaded."))
    if campaign.audience.is_topic:
        return RoadStep("audience", title, DONE, _("The devices of a topic; only Google knows how many."))
    if known.people is None:
        return RoadStep("audience", title, DONE, str(campaign.audience))
    values = {"name": campaign.audience, "number": f"{known.people:,}"}
    if known.people_exact:
        says = ngettext("%(name)s: %(number)s person.", "%(name)s: %(number)s people.", known.people) % values
    else:
        says = _("%(name)s: about %(number)s people (estimated).") % values
    return RoadStep("audience", title, DONE if known.people else PROBLEM, says)


def _when(campaign: Campaign) -> RoadStep:
    title = _("When")
    if campaign.launch_failure and campaign.state not in LAUNCHED:
        return RoadStep("when", title, PROBLEM, _("The planned launch did not happen: %s") % campaign.launch_failure)
    sentences = []
    if campaign.launch_at is not None:
        sentences.append(_("It launches itself on %s.") % _moment(campaign.launch_at))
    if campaign.local_time is not None:
        at = f"{campaign.local_time:%-d %B %Y, %H:%M}"
        sentences.append(_("Each recipient gets it at %s by the recipient's own clock.") % at)
    return RoadStep("when", title, DONE, " ".join(sentences) or _("As soon as a person presses GO."))


def _arm(campaign: Campaign, known: Known) -> RoadStep:
    title = _("Arm")
    if campaign.state == State.ARMING:
        return RoadStep("arm", title, BUSY, _("Each message is being checked and stored."))
    if campaign.state != State.DRAFT:
        return RoadStep(
            "arm", title, DONE, _("Each message is checked and stored; the audience is frozen."), campaign.armed_at
        )
    if campaign.audience is None:
        return RoadStep("arm", title, BLOCKED, _("Choose an audience first."))
    if known.loading:
        return RoadStep("arm", title, BLOCKED, _("Wait until the list is loaded."))
    if campaign.failure:
        return RoadStep("arm", title, PROBLEM, campaign.failure)
    return RoadStep("arm", title, TODO, _("Checks everything and stores each message. Nothing leaves."))


def _preflight(campaign: Campaign, known: Known) -> RoadStep:
    title = _("Preflight")
    if campaign.state in (State.DRAFT, State.ARMING):
        return RoadStep("preflight", title, BLOCKED, _("Arm the campaign first."))
    if known.warnings is None:
        return RoadStep("preflight", title, DONE)
    if not known.warnings:
        return RoadStep("preflight", title, DONE, _("All is well."))
    number = len(known.warnings)
    says = ngettext("%d thing to know before GO.", "%d things to know before GO.", number) % number
    return RoadStep("preflight", title, DONE, says)


def _copy(campaign: Campaign, clearance: Clearance) -> RoadStep:
    title = _("Send me a copy")
    if clearance.copied:
        version = campaign.tested_version
        says = _("Version %d of the template was sent.") % version.number if version is not None else ""
        return RoadStep("copy", title, DONE, says, campaign.tested_at)
    if campaign.state in LAUNCHED:
        return RoadStep("copy", title, SKIPPED, _("No copy was sent."))
    if campaign.tested_at is not None:
        says = _("The copy that was sent had another version of the template.")
    else:
        says = _("No copy was sent since the last change.")
    if clearance.copy_required:
        return RoadStep("copy", title, TODO, f"{says} {_('GO needs one.')}")
    return RoadStep("copy", title, OPTIONAL, says)


def _silent_run(campaign: Campaign) -> RoadStep:
    title = _("Silent run")
    last = campaign.rehearsals.order_by("-id").first()
    says = _("The whole way at full speed; providers check each message and deliver none.")
    step = RoadStep("silent", title, OPTIONAL, says)
    if last is not None:
        finished = last.state == State.FINISHED
        state = DONE if finished else PROBLEM if last.failure or last.halted else BUSY
        if last.state == State.CANCELLED:
            state = OPTIONAL
        step = RoadStep("silent", title, state, _silent_result(last), last.finished_at if finished else None, last)
    if campaign.state in LAUNCHED:
        return step if last is not None else RoadStep("silent", title, SKIPPED, _("There was none."))
    reason = _why_no_silent_run(campaign)
    return dataclasses.replace(step, state=BLOCKED, says=reason) if reason else step


def _why_no_silent_run(campaign: Campaign) -> str:
    if campaign.mode == "test":
        return _("A test campaign goes to the sandbox: it is a rehearsal already.")
    if not rehearse.channels_to_rehearse(campaign):
        names = ", ".join(campaign.channels)
        return _("No provider can check %s messages without delivering them.") % names
    return "" if campaign.audience else _("Choose an audience first.")


def _silent_result(silent_run: Campaign) -> str:
    """A silent run in one line."""
    if silent_run.state in (State.DRAFT, State.ARMING, State.ARMED):
        if silent_run.failure:
            return _("Arming failed: %s") % silent_run.failure
        return _("It is being armed, and launches itself.")
    progress = results.progress(silent_run)
    counts = _("%(sent)s of %(total)s checked, %(failed)s refused") % {
        "sent": f"{progress.sent:,}",
        "total": f"{progress.total:,}",
        "failed": f"{progress.failed:,}",
    }
    if progress.rate and progress.seconds and silent_run.state == State.FINISHED:
        speed = _("in %(time)s: %(rate)s a second") % {
            "time": duration(progress.seconds),
            "rate": f"{progress.rate:,.0f}",
        }
        return f"{counts}, {speed}."
    return f"{counts}. {silent_run.halted or silent_run.get_state_display()}"


def _approval(campaign: Campaign, clearance: Clearance) -> RoadStep:
    title, latest = _("Approval"), clearance.latest
    if clearance.approved and latest is not None:
        by = latest.decided_by or _("an API key")
        return RoadStep("approval", title, DONE, _("Approved by %s.") % by, latest.decided_at)
    if not clearance.required:
        return RoadStep("approval", title, SKIPPED, _("This campaign needs none."))
    if campaign.state in LAUNCHED:
        return RoadStep("approval", title, SKIPPED, _("There was none."))
    if campaign.audience is None:
        return RoadStep("approval", title, BLOCKED, _("Choose an audience first."))
    if clearance.waiting:
        return RoadStep("approval", title, BUSY, _("It was asked for, and no approver has decided yet."))
    if clearance.is_stale:
        says = _("Changed since it was asked for: %s. Ask for it again.") % clearance.changed_names
        return RoadStep("approval", title, TODO, says)
    if latest is not None and latest.decision == Decision.REJECTED:
        return RoadStep("approval", title, PROBLEM, _("Rejected: %s") % latest.note)
    return RoadStep("approval", title, TODO, _("A second person looks at it before GO. Ask for it."))


def _go(campaign: Campaign, clearance: Clearance) -> RoadStep:
    title = _("GO")
    if campaign.state == State.LAUNCHING:
        return RoadStep("go", title, BUSY, _("Pressed. It can still be taken back."))
    if campaign.launched_at is not None:
        return RoadStep("go", title, DONE, campaign.get_rollout_display(), campaign.launched_at)
    if campaign.state != State.ARMED:
        return RoadStep("go", title, BLOCKED, _("Arm the campaign first."))
    missing = []
    if clearance.copy_required and not clearance.copied:
        missing.append(_("a copy to a person"))
    if clearance.required and not clearance.approved:
        missing.append(_("an approval"))
    if missing:
        return RoadStep("go", title, BLOCKED, _("Missing: %s.") % ", ".join(missing))
    return RoadStep("go", title, TODO, _("Everything is ready."))


def canary_of(campaign: Campaign) -> dict[str, int]:
    """Size, sent and failed messages of the share that can leave first."""
    shards = Shard.objects.filter(tenant_id=campaign.tenant_id, campaign=campaign, canary=True)
    sums = shards.aggregate(size=Sum("size"), sent=Sum("sent"), failed=Sum("failed"))
    return {name: value or 0 for name, value in sums.items()}


def share_first(campaign: Campaign) -> str:
    """What became of the share that left first; empty for a campaign that left at once."""
    if campaign.launched_at is None or campaign.rollout == Rollout.ALL:
        return ""
    canary = canary_of(campaign)
    return _("The first %(size)s: %(sent)s sent, %(failed)s failed.") % {
        name: f"{number:,}" for name, number in canary.items()
    }


def _moment(at: datetime) -> str:
    return f"{localtime(at):%-d %B %Y, %H:%M %Z}"
