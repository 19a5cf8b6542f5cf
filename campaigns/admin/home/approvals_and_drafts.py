"""Cards of the home page: what needs the member (approvals), and the drafts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Q
from django.http import HttpRequest

from campaigns.models import Campaign, CampaignApproval
from campaigns.states import State
from tenants.admin.base.visibility import visible_rows
from tenants.admin.home import Card, register_card
from tenants.admin.roles import APPROVERS, AUTHORS, is_platform_operator, roles_of

#: rows of a card
SHOWN = 5


def register_cards() -> None:
    register_card(Card("needs-me", 10, "admin/campaigns/home/needs_me.html", needs_me))
    register_card(Card("drafts", 40, "admin/campaigns/home/drafts.html", drafts))


def needs_me(request: HttpRequest) -> Mapping[str, Any] | None:
    """Approvals that wait for this member. One that the member asked for is not shown; that the member is an author,
    the campaign's page says."""
    rows = _of_my_tenants(CampaignApproval.objects.all(), request, APPROVERS)
    waiting = rows.filter(decision=CampaignApproval.Decision.OPEN).exclude(requested_by=request.user)
    found = list(waiting.select_related("campaign", "requested_by").order_by("-id")[: SHOWN + 1])
    return {"approvals": found[:SHOWN], "more": len(found) > SHOWN} if found else None


def drafts(request: HttpRequest) -> Mapping[str, Any] | None:
    """Campaigns that are not launched, the newest first."""
    rows = _of_my_tenants(Campaign.objects.all(), request, AUTHORS)
    open_rows = rows.filter(Q(state=State.DRAFT) | Q(state=State.ARMED), silent=False, launched_at__isnull=True)
    found = list(open_rows.order_by("-id")[: SHOWN + 1])
    return {"campaigns": found[:SHOWN], "more": len(found) > SHOWN} if found else None


def _of_my_tenants(rows: Any, request: HttpRequest, allowed: frozenset[str]) -> Any:
    if is_platform_operator(request):
        return visible_rows(rows, request)
    return rows.filter(tenant_id__in=[tenant for tenant, role in roles_of(request).items() if role in allowed])
