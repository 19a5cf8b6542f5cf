"""Where campaigns and schedules use templates, for the pages of templates (notifier.admin.content.uses)."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence

from django.urls import reverse
from django.utils.translation import gettext as _

from campaigns.models import Campaign, Schedule
from notifier.admin.content.uses import TemplateUse
from notifier.models import Template

_OVER = frozenset({Campaign.State.FINISHED, Campaign.State.CANCELLED, Campaign.State.FAILED})


def campaigns_using(template_ids: Sequence[uuid.UUID], most: int) -> Iterator[TemplateUse]:
    """The newest campaigns of the templates, by the index of the reference. An armed campaign keeps its version."""
    rows = Campaign.objects.filter(template_id__in=template_ids).order_by("-id")
    columns = rows.values_list("pk", "name", "state", "template_id", "version_id")
    for pk, name, state, template_id, version_id in columns[: most * max(1, len(template_ids))]:
        url = reverse("admin:campaigns_campaign_change", args=[pk])
        label = _("campaign %(name)s") % {"name": name}
        yield TemplateUse(template_id, label, url, version_id, active=state not in _OVER)


def schedules_using(template_ids: Sequence[uuid.UUID], most: int) -> Iterator[TemplateUse]:
    """The schedules whose notifications name one of the templates; those of campaigns use the campaign."""
    keys = {(tenant, key): pk for pk, tenant, key in Template.objects.filter(pk__in=template_ids).values_list(
        "pk", "tenant_id", "key"
    )}  # fmt: skip
    if not keys:
        return
    rows = Schedule.objects.filter(
        tenant_id__in={tenant for tenant, _key in keys}, notification__template__in=[key for _tenant, key in keys]
    ).exclude(state__in=[Schedule.State.FINISHED, Schedule.State.CANCELLED])
    columns = rows.order_by("-id").values_list("pk", "name", "tenant_id", "notification__template")
    for pk, name, tenant_id, key in columns[: most * len(keys)]:
        if (tenant_id, key) in keys:
            url = reverse("admin:campaigns_schedule_change", args=[pk])
            yield TemplateUse(keys[tenant_id, key], _("schedule %(name)s") % {"name": name}, url)
