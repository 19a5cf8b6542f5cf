"""Whether a campaign may leave, as far as approval and test send are concerned; for the check at GO, and for pages."""

from __future__ import annotations

from dataclasses import dataclass

from campaigns.approval.content import changed_parts, content_parts, hash_of_parts, variant_versions
from campaigns.approval.rules import needs_approval, rule_for
from campaigns.audience import topic_of
from campaigns.models import Campaign, CampaignApproval
from campaigns.states import State
from notifier.errors import Conflict
from notifier.models import TemplateVersion

Decision = CampaignApproval.Decision
#: how a part of the content is called in a sentence
PART_NAMES = {
    "template": "the template's version",
    "category": "the template's category",
    "audience": "the audience",
    "data": "the data",
    "settings": "the channels or limits",
    "times": "the times",
    "variants": "the variants",
}


@dataclass(frozen=True)
class Clearance:
    """What GO asks of a campaign, and what there is."""

    hash: str
    #: an approval is needed; and whether there is one of this content
    required: bool
    approved: bool
    #: the request asked for last, for whatever content; None: none was asked for
    latest: CampaignApproval | None
    #: parts of the content that were changed since that request
    changed: tuple[str, ...]
    copy_required: bool
    #: a test send was made of what recipients get
    copied: bool

    @property
    def waiting(self) -> bool:
        """An approval of this content was asked for and is not decided."""
        return self.latest is not None and self.latest.decision == Decision.OPEN and not self.changed

    @property
    def is_stale(self) -> bool:
        """An approval was granted or asked for, and the content was changed since."""
        undone = (Decision.OPEN, Decision.APPROVED, Decision.SUPERSEDED)
        return bool(self.changed) and self.latest is not None and self.latest.decision in undone

    @property
    def changed_names(self) -> str:
        return ", ".join(PART_NAMES.get(name, name) for name in self.changed)

    @property
    def cleared(self) -> bool:
        return (self.approved or not self.required) and (self.copied or not self.copy_required)


def check_cleared(campaign: Campaign) -> None:
    """Raise Conflict if GO needs a test send or an approval of this campaign, and there is none. The caller holds the
    lock of the campaign's row, or asks for a page."""
    if not _may_need(campaign):
        return
    row = Campaign.objects.select_related("tenant", "audience", "template__category").get(pk=campaign.pk)
    state = clearance(row)
    if state.copy_required and not state.copied:
        raise Conflict(
            "GO needs a test send of what recipients get, since the last edit. Send the message to yourself first: "
            "“Send me a copy” in the admin, or POST …/test.",
            code="test_copy_missing",
        )
    if state.required and not state.approved:
        raise Conflict(refusal(state), code="approval_stale" if state.is_stale else "approval_missing")


def refusal(state: Clearance) -> str:
    """Why the approval is missing, and the remedy."""
    if state.waiting:
        return "GO needs an approval. It was asked for, and no approver has decided yet."
    ask = "Ask for it: “Ask for approval” in the admin, or POST …/approval."
    if state.is_stale:
        return f"The approval does not hold any more: {state.changed_names} changed since. GO needs a new one. {ask}"
    if state.latest is not None and state.latest.decision == Decision.REJECTED:
        return f"GO needs an approval, and the last one was rejected: {state.latest.note} {ask}"
    return f"GO needs the approval of a second person. {ask}"


def clearance(campaign: Campaign) -> Clearance:
    """What GO asks of the campaign, and what there is."""
    rule = rule_for(campaign)
    parts = own_parts = content_parts(campaign)
    latest = campaign.approvals.select_related("requested_by", "decided_by").order_by("-id").first()
    origin = _scheduled_campaign(campaign)
    if latest is None and origin is not None:
        latest = origin.approvals.select_related("requested_by", "decided_by").order_by("-id").first()
        parts = content_parts(campaign, times_of=origin)
    return Clearance(
        hash=hash_of_parts(parts),
        required=needs_approval(rule, people_of(campaign)),
        approved=_is_approved(campaign, hash_of_parts(own_parts), origin),
        latest=latest,
        changed=tuple(changed_parts(latest.parts, parts)) if latest is not None else (),
        copy_required=rule.test_copy,
        copied=_is_tested(campaign, campaign) or (origin is not None and _is_tested(origin, campaign)),
    )


def is_approved(campaign: Campaign, origin: Campaign | None = None) -> bool:
    """Whether the campaign's present content was approved. `origin`: the campaign of whose schedule this one is a slot:
    an approval of the same content there counts, whatever time the slot has."""
    return _is_approved(campaign, hash_of_parts(content_parts(campaign)), origin)


def _is_approved(campaign: Campaign, own_hash: str, origin: Campaign | None) -> bool:
    if _has_approval(campaign, own_hash):
        return True
    return origin is not None and _has_approval(origin, hash_of_parts(content_parts(campaign, times_of=origin)))


def people_of(campaign: Campaign) -> int | None:
    """Recipients of the audience; None while their number is unknown."""
    known = campaign.state not in (State.DRAFT, State.ARMING) and not topic_of(campaign)
    return campaign.audience_size if known else None


def _may_need(campaign: Campaign) -> bool:
    """Whether any question is asked at all: most tenants ask none, and their GO costs no further query."""
    rule = rule_for(campaign)
    return rule.test_copy or needs_approval(rule, None)


def _has_approval(campaign: Campaign, content_hash: str) -> bool:
    return campaign.approvals.filter(decision=Decision.APPROVED, hash=content_hash).exists()


def _is_tested(campaign: Campaign, leaving: Campaign) -> bool:
    """Whether the test send of the campaign had the version of the template that leaves with `leaving`, and no variant
    has a version that was published after it."""
    if campaign.tested_at is None:
        return False
    if leaving.state == State.DRAFT:
        return True
    newer = TemplateVersion.objects.filter(
        pk__in=variant_versions(leaving).values(), created_at__gt=campaign.tested_at
    )  # fmt: skip
    return campaign.tested_version_id == leaving.version_id and not newer.exists()


def _scheduled_campaign(campaign: Campaign) -> Campaign | None:
    """The campaign that a schedule copied for one of its slots; None for a campaign that is no such copy."""
    slot = campaign.slots.select_related("schedule__campaign__audience").first()
    return slot.schedule.campaign if slot is not None else None
