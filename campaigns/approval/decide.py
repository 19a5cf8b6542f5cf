"""Ask for an approval, approve, reject, withdraw. Each locks the campaign's row, so that an edit comes before or after
it, and the decision is about the content that the approver saw."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from campaigns.approval.authors import Authors, authors_of, key_maker
from campaigns.approval.clearance import is_approved, people_of
from campaigns.approval.content import content_parts, hash_of_parts
from campaigns.audit import OPERATOR, Act, Actor, record
from campaigns.models import Campaign, CampaignApproval
from campaigns.states import LAUNCHED
from notifier.errors import Conflict, InvalidInput
from notifier.values.text import check_storable
from notifier.values.trim import trimmed

Decision = CampaignApproval.Decision
MAX_NOTE = 500


def request_approval(campaign: Campaign, *, by: Actor = OPERATOR, note: str = "") -> bool:
    """Ask for an approval of the campaign as it is now. False when that was asked for, or granted, already. Raises
    Conflict for a campaign that was launched or is a silent run, InvalidInput without an audience."""
    note = _checked_note(note)
    with transaction.atomic():
        row = _lock(campaign)
        if row.silent:
            raise Conflict("A silent run reaches nobody and needs no approval.", code="no_approval")
        _check_not_launched(row)
        if row.audience is None:
            raise InvalidInput("Choose an audience first.", field="audience")
        parts = content_parts(row)
        current = hash_of_parts(parts)
        if is_approved(row) or row.approvals.filter(decision=Decision.OPEN, hash=current).exists():
            return False
        supersede(row)
        CampaignApproval.objects.create(
            tenant_id=row.tenant_id,
            campaign=row,
            hash=current,
            parts=parts,
            people=people_of(row),
            requested_by=by.user,
            requested_by_key=by.api_key_id,
            request_note=note,
        )
        record(row, Act.REQUEST_APPROVAL, by, hash=current)
    return True


def approve(campaign: Campaign, *, by: Actor = OPERATOR, note: str = "", seen: str = "") -> bool:
    """Approve what was asked for. True for the caller that decided; False when this content is approved already.
    `seen`: the hash of the content that the approver looked at; empty: of the request. Raises Conflict: nobody asked
    (`not_requested`), the content was changed since (`approval_stale`), the approver wrote it (`own_content`)."""
    return _decide(campaign, Decision.APPROVED, by, _checked_note(note), seen)


def reject(campaign: Campaign, *, by: Actor = OPERATOR, note: str = "", seen: str = "") -> bool:
    """Reject what was asked for; `note` says why. Raises as `approve` does, and InvalidInput without a note."""
    note = _checked_note(note)
    if not note:
        raise InvalidInput("Say why, so that the author knows what to change.", field="note", code="required")
    return _decide(campaign, Decision.REJECTED, by, note, seen)


def withdraw(campaign: Campaign, *, by: Actor = OPERATOR) -> bool:
    """Take back a request that is not decided, or an approval that was granted. False when there is neither. Raises
    Conflict after GO."""
    with transaction.atomic():
        row = _lock(campaign)
        standing = row.approvals.filter(decision__in=[Decision.OPEN, Decision.APPROVED])
        if not standing.exists():
            return False
        _check_not_launched(row)
        standing.update(decision=Decision.WITHDRAWN, **_decided(by))
        record(row, Act.WITHDRAW_APPROVAL, by)
    return True


def supersede(campaign: Campaign) -> None:
    """End a request that is not decided: the content was changed. Part of a larger change, which is audited."""
    overtaken = campaign.approvals.filter(decision=Decision.OPEN)
    overtaken.update(decision=Decision.SUPERSEDED, decided_at=timezone.now())


def check_not_author(
    campaign: Campaign, by: Actor, request: CampaignApproval | None, authors: Authors | None = None
) -> None:
    """Raise Conflict if the actor wrote the content, or asked for its approval: four eyes are two persons. An API key
    is no second person for the person who made the key. `authors`: what `authors_of` returned, for a caller that needs
    them, too."""
    maker = Actor(user=key_maker(campaign, by.api_key_id))
    authors = authors or authors_of(campaign)
    if authors.include(maker) or (request is not None and _asked(request, maker)):
        raise Conflict(
            "A person who wrote or changed this content, or asked for its approval, made this API key. Approve it with "
            "a key that another owner made, or let another approver decide.",
            code="own_content",
        )
    if authors.include(by):
        raise Conflict(
            "The author of a campaign cannot approve it: you wrote or changed this content. Another approver must "
            "decide.",
            code="own_content",
        )
    if request is not None and _asked(request, by):
        raise Conflict("You asked for this approval. Another approver must decide.", code="own_content")


def _decide(campaign: Campaign, decision: CampaignApproval.Decision, by: Actor, note: str, seen: str) -> bool:
    with transaction.atomic():
        row = _lock(campaign)
        _check_not_launched(row)
        current = hash_of_parts(content_parts(row))
        request = row.approvals.filter(decision=Decision.OPEN).first()
        if request is None:
            return _answer_repeat(row, decision, current)
        if current != request.hash or seen not in ("", current):
            raise Conflict(
                "The campaign was changed since its approval was asked for, so nothing was decided. Look at it again; "
                "its author must ask anew.",
                code="approval_stale",
            )
        check_not_author(row, by, request)
        CampaignApproval.objects.filter(pk=request.pk).update(decision=decision, note=note, **_decided(by))
        act = Act.APPROVE if decision == Decision.APPROVED else Act.REJECT
        record(row, act, by, hash=current)
    return True


def _answer_repeat(campaign: Campaign, decision: str, current: str) -> bool:
    """False for a decision about this content that was made already. Raises Conflict for another one, or where nobody
    asked."""
    latest = campaign.approvals.filter(hash=current).order_by("-id").first()
    if latest is None or latest.decision in (Decision.WITHDRAWN, Decision.SUPERSEDED):
        raise Conflict("No approval of this campaign is asked for at the moment.", code="not_requested")
    if latest.decision != decision:
        raise Conflict(
            f"It was {latest.decision} already. To decide anew, ask for an approval again.", code="not_requested"
        )
    return False


def _asked(request: CampaignApproval, by: Actor) -> bool:
    by_user = by.user is not None and by.user.pk == request.requested_by_id
    return by_user or (by.api_key_id is not None and by.api_key_id == request.requested_by_key)


def _decided(by: Actor) -> dict[str, object]:
    return {"decided_by": by.user, "decided_by_key": by.api_key_id, "decided_at": timezone.now()}


def _lock(campaign: Campaign) -> Campaign:
    rows = Campaign.objects.select_for_update(of=("self",)).select_related("tenant", "template__category", "audience")
    return rows.get(pk=campaign.pk)


def _check_not_launched(campaign: Campaign) -> None:
    if campaign.state in LAUNCHED:
        raise Conflict(
            f"This campaign is {campaign.state}: its approval was needed before GO.", code="already_launched"
        )


def _checked_note(note: str) -> str:
    note = trimmed(note)
    if len(note) > MAX_NOTE:
        raise InvalidInput(f"Must have at most {MAX_NOTE} characters.", field="note")
    check_storable(note, "note")
    return note
