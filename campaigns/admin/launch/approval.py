"""Approval on a campaign's page: ask, approve, reject, take back; and why the logged-in member may not."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from campaigns import approval
from campaigns.admin.base import CampaignPage, View, actor
from campaigns.approval.authors import Authors, authors_of
from campaigns.approval.decide import check_not_author
from campaigns.models import Campaign
from notifier.errors import NotifierError
from tenants.admin.roles import APPROVERS, AUTHORS, LAUNCHERS, Role, may, roles_of
from tenants.models import Member

#: names of possible approvers that the page shows
SHOWN_APPROVERS = 5


class ApprovalViews(CampaignPage):
    def views(self) -> Mapping[str, View]:
        return {
            **super().views(),
            "request_approval": require_POST(self.request_approval_view),
            "approve": require_POST(self.approve_view),
            "reject": require_POST(self.reject_view),
            "withdraw_approval": require_POST(self.withdraw_approval_view),
        }

    def request_approval_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        def ask(campaign: Campaign) -> None:
            asked = approval.request_approval(campaign, by=actor(request), note=request.POST.get("note", ""))
            self.report(
                request,
                asked,
                _("Asked. The approvers see it on their home page."),
                _("It was asked for, or approved, already."),
            )

        return self.perform(request, pk, ask, LAUNCHERS | AUTHORS)

    def approve_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        def approve(campaign: Campaign) -> None:
            given = {"note": request.POST.get("note", ""), "seen": request.POST.get("seen", "")}
            approved = approval.approve(campaign, by=actor(request), **given)
            self.report(request, approved, _("Approved. GO may be pressed now."), _("It was approved already."))

        return self.perform(request, pk, approve, APPROVERS)

    def reject_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        def reject(campaign: Campaign) -> None:
            given = {"note": request.POST.get("note", ""), "seen": request.POST.get("seen", "")}
            rejected = approval.reject(campaign, by=actor(request), **given)
            self.report(request, rejected, _("Rejected. The author sees your note."), _("It was rejected already."))

        return self.perform(request, pk, reject, APPROVERS)

    def withdraw_approval_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        def withdraw(campaign: Campaign) -> None:
            withdrawn = approval.withdraw(campaign, by=actor(request))
            self.report(
                request, withdrawn, _("Taken back. GO needs a new approval."), _("There is nothing to take back.")
            )

        return self.perform(request, pk, withdraw, LAUNCHERS | APPROVERS)


def reasons(request: HttpRequest, campaign: Campaign, authors: Authors | None = None) -> dict[str, str]:
    """Why the member may not write, launch or approve this campaign; empty texts where the member may. `authors` of the
    campaign; without them the approval's reason is the role's alone, as after GO."""
    return {
        "write": role_reason(request, campaign, AUTHORS),
        "launch": role_reason(request, campaign, LAUNCHERS),
        "approve": role_reason(request, campaign, APPROVERS) or _why_not_approve(request, campaign, authors),
    }


def role_reason(request: HttpRequest, campaign: Campaign, allowed: frozenset[str]) -> str:
    if may(request, allowed, campaign):
        return ""
    role = roles_of(request).get(campaign.tenant_id, "")
    names = ", ".join(str(Role(name).label).partition(":")[0] for name in Role.values if name in allowed)
    yours = str(Role(role).label).partition(":")[0] if role in Role.values else _("none")
    return _("Your role is: %(role)s. This needs one of: %(roles)s.") % {"role": yours, "roles": names}


def _why_not_approve(request: HttpRequest, campaign: Campaign, authors: Authors | None) -> str:
    if authors is None:
        return ""
    request_row = campaign.approvals.filter(decision="open").first()
    try:
        check_not_author(campaign, actor(request), request_row, authors)
    except NotifierError as error:
        return error.message
    return ""


def possible_approvers(campaign: Campaign, authors: Authors) -> list[str]:
    """Names of members who may approve this campaign; a few of them."""
    rows = Member.objects.filter(tenant_id=campaign.tenant_id, role__in=APPROVERS, user__is_active=True)
    members = rows.exclude(user_id__in=authors.users).select_related("user").order_by("user__username")
    return [str(member.user) for member in members[:SHOWN_APPROVERS]]


def approval_context(request: HttpRequest, campaign: Campaign) -> dict[str, Any]:
    """What the page shows of the approval."""
    authors = authors_of(campaign)
    return {
        "reasons": reasons(request, campaign, authors),
        "approvers": possible_approvers(campaign, authors),
        "approvals": list(campaign.approvals.select_related("requested_by", "decided_by").order_by("-id")[:5]),
    }
