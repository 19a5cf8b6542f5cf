"""What the form of a campaign shows while it is written: the template as one recipient gets it, its channels and
variables, and how many people the chosen audience has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from campaigns.admin.base import CampaignPage
from campaigns.audience import check_kept, people_of
from campaigns.models import Audience, Campaign
from campaigns.preflight import preview
from notifier.delivery.content import templates
from notifier.delivery.content.liquid.text import PERSONAL
from notifier.errors import NotifierError
from notifier.models import Template, TemplateVersion
from notifier.vocabulary.ids import parse_id
from tenants.admin.base.visibility import visible_rows
from tenants.admin.person_reads import record_read

#: milliseconds for counting the chosen audience; a larger one is estimated
COUNT_MS = 150
#: what a channel reaches, for people
CHANNEL_LABELS = {
    "push": gettext_lazy("Push: phones and browsers"),
    "email": gettext_lazy("Email: mailboxes"),
    "sms": gettext_lazy("SMS: phone numbers"),
    "in_app": gettext_lazy("Inbox: inside of your app"),
    "chat": gettext_lazy("Chat: messengers and team chats"),
}


def form_texts() -> dict[str, str]:
    """What static/campaigns/form.js says, and where it asks."""
    return {
        "look": reverse("admin:campaigns_campaign_look"),
        "advanced": _("Advanced: the values as JSON"),
        "noContent": _("(the template has no content for it)"),
        "noVariables": _("The template has no values to fill in."),
        "before": _("last time:"),
        "person": _("It reaches %s person now."),
        "people": _("It reaches %s people now."),
        "about": _("It reaches about %s people now (estimated)."),
    }


class WritingViews(CampaignPage):
    def get_urls(self) -> list[URLPattern]:
        look = self.admin_site.admin_view(require_POST(self.look_view))
        return [path("look/", look, name="campaigns_campaign_look"), *super().get_urls()]

    def look_view(self, request: HttpRequest) -> JsonResponse:
        """A POST, because the data of the message belongs in no address. Changes nothing."""
        template = _chosen(Template, request, "template")
        audience = _chosen(Audience, request, "audience")
        if audience is not None and template is not None and audience.tenant_id != template.tenant_id:
            audience = None
        return JsonResponse({**_template_part(request, template, audience), **_audience_part(audience)})


def _chosen(model: Any, request: HttpRequest, name: str) -> Any:
    """The row that the form names, if the member may see it."""
    pk = parse_id(request.POST.get(name, ""))
    return visible_rows(model.objects.select_related("tenant"), request).filter(pk=pk).first() if pk else None


def _audience_part(audience: Audience | None) -> dict[str, Any]:
    if audience is None or audience.is_topic:
        return {"people": None}
    try:
        check_kept(audience)
        reach = people_of(audience, ms=COUNT_MS)
        return {"people": reach.people, "exact": reach.exact}
    except NotifierError:
        return {"people": None}


def _template_part(request: HttpRequest, template: Template | None, audience: Audience | None) -> dict[str, Any]:
    version = (
        TemplateVersion.objects.filter(template=template).order_by("-number").first() if template is not None else None
    )
    if template is None or version is None:
        return {"channels": [], "variables": [], "preview": "", "error": ""}
    compiled = templates.compiled(version.pk)
    data, error = _read_data(request)
    everybody = Audience(tenant=template.tenant, source=Audience.Source.EVERYBODY)
    campaign = Campaign(
        tenant=template.tenant,
        template=template,
        audience=audience or everybody,
        channels=list(compiled.channels),
        data=data,
        category=template.category.key if template.category else "",
    )
    try:
        person = preview.example_recipient(campaign)
        if person is not None:
            record_read(request, campaign.tenant_id, person.id, "preview")
    except NotifierError:
        # a stored filter that is wrong by now; the audience's own page says where
        person = None
    context = {"samples": preview.samples(campaign, person), "person": person, "version": version}
    return {
        "channels": list(compiled.channels),
        "variables": [name for name in compiled.variables if name.partition(".")[0] not in PERSONAL],
        "before": _data_before(template),
        "preview": render_to_string("admin/campaigns/campaign/_look.html", context, request=request),
        "error": error,
    }


def _read_data(request: HttpRequest) -> tuple[dict[str, Any], str]:
    try:
        data = json.loads(request.POST.get("data") or "{}")
    except (ValueError, RecursionError):
        return {}, _("The data is no valid JSON.")
    return (data, "") if isinstance(data, dict) else ({}, _("The data must be an object."))


def _data_before(template: Template) -> Mapping[str, Any]:
    """The data of the last campaign with this template: examples, and the types of the values."""
    rows = Campaign.objects.filter(tenant_id=template.tenant_id, template=template).exclude(data={}).order_by("-id")
    data = rows.values_list("data", flat=True).first()
    return data if isinstance(data, dict) else {}
