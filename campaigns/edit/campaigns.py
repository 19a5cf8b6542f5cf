"""Create, change and copy campaigns. The API and the admin call the same functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from campaigns.approval import supersede
from campaigns.approval.content import NOT_COVERED
from campaigns.arming import return_to_draft
from campaigns.audit import OPERATOR, Act, Actor, record
from campaigns.edit.editable import check_editable
from campaigns.edit.fields import MAX_NAME, columns_of
from campaigns.edit.variants import check_campaign, copy_variants
from campaigns.lifecycle.launching.planned import planner_columns
from campaigns.models import Campaign, CampaignVariant
from campaigns.states import ENDED
from notifier.errors import Conflict, InvalidInput
from notifier.vocabulary.status import Mode
from tenants.models import Tenant

#: fields that may change until a campaign has ended, even while it runs: the next shard takes the new value
LIVE_SETTINGS = frozenset({"rate_per_s", "max_error_percent", "max_dead_percent"})
SETTINGS = LIVE_SETTINGS | {"hold_seconds"}
#: the planned launch
PLAN = frozenset({"launch_at", "launch_rollout"})
#: fields that are not in the messages: a change needs no new arming
NOT_IN_MESSAGES = SETTINGS | PLAN | {"name"}
#: fields that a test send shows: after a change the campaign counts as not tested
SHOWN = frozenset({"template", "channels", "data"})
_NOT_TESTED = {"tested_at": None, "tested_version": None}


def create(tenant: Tenant, raw: Mapping[str, Any], *, mode: str = Mode.LIVE, by: Actor = OPERATOR) -> Campaign:
    """A draft with the fields in `raw`: name, template (key), audience (id), channels, data, not_after, launch_at,
    launch_rollout, local_time, passed, hold_seconds, rate_per_s, canary_percent, max_error_percent, max_dead_percent.
    Raises InvalidInput naming the field."""
    for field in ("name", "template"):
        if not raw.get(field):
            raise InvalidInput("This field is required.", field=field)
    columns = {"mode": mode, **columns_of(tenant, {"channels": None, "data": {}, **raw}, None)}
    if columns.get("launch_at"):
        columns |= planner_columns(by)
    with transaction.atomic():
        campaign = Campaign.objects.create(tenant=tenant, created_by=by.user, **columns)
        record(campaign, Act.CREATE, by)
    return campaign


def update(campaign: Campaign, raw: Mapping[str, Any], *, by: Actor = OPERATOR) -> Campaign:
    """Change the fields in `raw`. A change of the messages returns an armed campaign to draft, and keeps the planned
    launch. Raises InvalidInput, or Conflict after GO for all fields but the LIVE_SETTINGS."""
    with transaction.atomic():
        campaign = Campaign.objects.select_for_update(of=("self",)).select_related("tenant").get(pk=campaign.pk)
        if not raw.keys() <= LIVE_SETTINGS or campaign.state in ENDED:
            check_editable(campaign)
        columns = columns_of(campaign.tenant, raw, campaign)
        changed = {name: value for name, value in columns.items() if getattr(campaign, name) != value}
        if not changed.keys() <= NOT_IN_MESSAGES:
            return_to_draft(campaign)
        if changed:
            not_tested = _NOT_TESTED if changed.keys() & SHOWN else {}
            plan = _plan_columns(campaign, changed, by)
            if changed.keys() - NOT_COVERED:
                supersede(campaign)
            Campaign.objects.filter(pk=campaign.pk).update(**changed, **not_tested, **plan)
        record(campaign, Act.CHANGE, by, fields=sorted(changed))
        campaign = Campaign.objects.select_related("template__category", "audience", "tenant").get(pk=campaign.pk)
        if changed.keys() & {"template", "channels", "audience"}:
            check_campaign(campaign, CampaignVariant.objects.filter(campaign=campaign).select_related("template"))
    return campaign


def _plan_columns(campaign: Campaign, changed: Mapping[str, Any], by: Actor) -> dict[str, Any]:
    """What else a change of the planned launch changes: the planner; and for a topic, what the last planner knew."""
    columns: dict[str, Any] = {}
    if changed.keys() & PLAN:
        columns = planner_columns(by)
    if "launch_at" in changed or "audience" in changed:
        columns["launch_ignores_opt_outs"] = False
    return columns


def copy(campaign: Campaign, *, by: Actor = OPERATOR) -> Campaign:
    """A draft with the same content and audience: a campaign that was launched is never edited. Not its times: they are
    over, or the copy would leave beside the original."""
    content = ("template", "audience", "channels", "data", "mode", "passed")
    same = {name: getattr(campaign, name) for name in (*content, *sorted(SETTINGS), "canary_percent")}
    name = f"{campaign.name[: MAX_NAME - 7]} (copy)"
    with transaction.atomic():
        draft = Campaign.objects.create(tenant_id=campaign.tenant_id, name=name, created_by=by.user, **same)
        copy_variants(campaign, draft)
        # an author of the original is an author of the copy (campaigns.approval.authors)
        record(draft, Act.COPY, by, of=str(campaign.pk))
    return draft


def check_mode(campaign: Campaign, mode: str) -> None:
    """Raise Conflict when a test key would change a live campaign."""
    if mode == Mode.TEST and campaign.mode != Mode.TEST:
        raise Conflict("A test key cannot change or launch a live campaign.", code="live_campaign")
