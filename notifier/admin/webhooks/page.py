"""The page of one webhook endpoint: what was sent, what the server answered, and the buttons: send an example, make a
new secret, and send again, which first asks for a confirmation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from notifier.errors import NotifierError
from notifier.models import WebhookAttempt, WebhookEndpoint, WebhookMessage
from notifier.webhooks import endpoints, replay
from notifier.webhooks.replay import Span
from notifier.webhooks.signing import message_id
from tenants.admin.roles import OWNERS, may
from tenants.audit import Actor

if TYPE_CHECKING:
    from tenants.admin import TenantModelAdmin as _Page
else:
    _Page = object

NAME = "notifier_webhookendpoint_requests"
#: attempts, and requests that wait or were given up, that the page shows
SHOWN = 50
HOURS = ((1, gettext_lazy("the last hour")), (24, gettext_lazy("the last day")), (168, gettext_lazy("the last week")))


class ReplayForm(forms.Form):
    hours = forms.TypedChoiceField(choices=HOURS, coerce=int, label=gettext_lazy("events of"))


class PageOfRequests(_Page):
    """Mixin of WebhookEndpointAdmin."""

    def requests_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        endpoint = self.get_object(request, unquote(object_id))
        if endpoint is None:
            raise Http404("There is no such endpoint.")
        if not self.has_view_permission(request, endpoint):
            raise PermissionDenied
        if request.method == "POST":
            if not may(request, OWNERS, endpoint):
                raise PermissionDenied
            return self._act(request, endpoint)
        return self._page(request, endpoint)

    def _page(
        self, request: HttpRequest, endpoint: WebhookEndpoint, confirm: dict[str, Any] | None = None
    ) -> HttpResponse:
        of_endpoint = WebhookMessage.objects.filter(endpoint_id=endpoint.pk)
        attempts = WebhookAttempt.objects.filter(endpoint_id=endpoint.pk).order_by("-pk")[:SHOWN]
        open_ones = of_endpoint.exclude(state=WebhookMessage.State.DONE).order_by("-pk")[:SHOWN]
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Requests to %(endpoint)s") % {"endpoint": endpoint},
            "endpoint": endpoint,
            "attempts": [(attempt, message_id(attempt.message_id)) for attempt in attempts],
            "open": [(message, message_id(message.pk)) for message in open_ones],
            "form": ReplayForm(),
            "may_act": may(request, OWNERS, endpoint),
            "confirm": confirm,
        }
        return TemplateResponse(request, "admin/notifier/webhookendpoint/requests.html", context)

    def _act(self, request: HttpRequest, endpoint: WebhookEndpoint) -> HttpResponse:
        by = Actor(request.user)  # type: ignore[arg-type]
        try:
            match request.POST.get("act"):
                case "test":
                    replay.send_example(endpoint, by)
                    messages.success(request, _("An example leaves now; this page shows the answer in a moment."))
                case "rotate":
                    endpoints.rotate(endpoint, by)
                    messages.success(request, _("There is a new secret. For 24 hours the earlier one signs as well."))
                case "replay":
                    form = ReplayForm(request.POST)
                    if form.is_valid() and not request.POST.get("confirmed"):
                        hours = form.cleaned_data["hours"]
                        return self._page(request, endpoint, {"hours": hours, "words": dict(HOURS)[hours]})
                    if form.is_valid():
                        self._replay(request, endpoint, form.cleaned_data["hours"], by)
        except NotifierError as error:
            messages.error(request, error.message)
        return HttpResponseRedirect(reverse(f"admin:{NAME}", args=[endpoint.pk]))

    def _replay(self, request: HttpRequest, endpoint: WebhookEndpoint, hours: int, by: Actor) -> None:
        now = datetime.now(UTC)
        n = replay.replay(endpoint, Span(now - timedelta(hours=hours), now), by)
        text = ngettext("%(n)d request leaves again.", "%(n)d requests leave again.", n)
        messages.success(request, text % {"n": n})
