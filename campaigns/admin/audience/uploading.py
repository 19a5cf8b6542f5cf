"""The views beside the form of an audience: the look at a filter that is being written, the upload of a file for a
list, and how far a worker has read it."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _

from campaigns.admin.audience import builder
from campaigns.admin.audience.form import UploadForm
from campaigns.admin.audience.looking import look_at
from campaigns.admin.audience.reports import report_upload
from campaigns.admin.base import actor
from campaigns.audience import loading, segment
from campaigns.edit import uploads
from campaigns.models import Audience
from notifier.errors import InvalidInput, NotifierError
from notifier.vocabulary.ids import parse_id
from tenants.admin import AUTHORS, may
from tenants.admin.base.json_field import read_json
from tenants.admin.pages.import_files import import_progress
from tenants.admin.roles import editable_tenants
from tenants.models import Tenant

if TYPE_CHECKING:
    _Base = admin.ModelAdmin[Any]
else:
    _Base = object


class UploadViews(_Base):
    """Mixin of AudienceAdmin."""

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("look/", wrap(self.look_view), name="campaigns_audience_look"),
            path("vocabulary/", wrap(self.vocabulary_view), name="campaigns_audience_vocabulary"),
            path("<uuid:pk>/upload/", wrap(self.upload_view), name="campaigns_audience_upload"),
            path("<uuid:pk>/progress/", wrap(self.progress_view), name="campaigns_audience_progress"),
            *super().get_urls(),
        ]

    def look_view(self, request: HttpRequest) -> HttpResponse:
        """Who is in a stored audience, or whom a written filter finds: the panel as HTML, or what is wrong and where.
        For the script of the page."""
        if request.method != "POST":
            return self.not_allowed(request)
        try:
            audience = self._looked_at(request)
            if audience is None:
                return JsonResponse({"message": _("Choose a tenant."), "field": "tenant"}, status=400)
            return render(request, "admin/campaigns/audience/_reach.html", look_at(audience))
        except NotifierError as error:
            return JsonResponse({"message": error.message, "field": error.field or ""}, status=400)

    def _looked_at(self, request: HttpRequest) -> Audience | None:
        """The stored audience that the request names, which a viewer may see too; else one of the written filter."""
        if pk := parse_id(request.POST.get("audience")):
            stored: Audience = get_object_or_404(self.get_queryset(request), pk=pk)
            return stored
        tenant = self._tenant(request, request.POST)
        return None if tenant is None else segment(tenant.pk, _parsed(request.POST.get("filter", "")))

    def vocabulary_view(self, request: HttpRequest) -> HttpResponse:
        """What the builder offers for a tenant, for members of several tenants."""
        tenant = self._tenant(request, request.GET)
        if tenant is None:
            return JsonResponse({"message": _("Choose a tenant."), "field": "tenant"}, status=400)
        return JsonResponse(builder.vocabulary(tenant))

    def _tenant(self, request: HttpRequest, values: Any) -> Tenant | None:
        tenant: Tenant | None = editable_tenants(request, AUTHORS).filter(pk=parse_id(values.get("tenant"))).first()
        return tenant

    def upload_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """Replace the members of a list by those of a file, or add these."""
        audience = get_object_or_404(self.get_queryset(request), pk=pk, source=Audience.Source.LIST)
        if not may(request, AUTHORS, audience):
            return self.not_allowed(request)
        form = UploadForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            try:
                add = form.cleaned_data["mode"] == "add"
                upload = uploads.Upload(form.cleaned_data["upload"], actor(request), add)
                report_upload(self, request, uploads.put(audience, upload))
                return HttpResponseRedirect(reverse("admin:campaigns_audience_change", args=[audience.pk]))
            except NotifierError as error:
                form.add_error("upload", error.message)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Upload a file to “%(name)s”") % {"name": audience},
            "opts": self.model._meta,
            "original": audience,
            "form": form,
        }
        return render(request, "admin/campaigns/audience/upload.html", context)

    def progress_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """How far a worker has read the last file of a list."""
        audience = get_object_or_404(self.get_queryset(request), pk=pk)
        return import_progress(loading.last_upload(audience.pk))

    def not_allowed(self, request: HttpRequest) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "title": _("Your role may look only")}
        return render(request, "admin/campaigns/not_allowed.html", context, status=403)


def _parsed(text: str) -> Any:
    try:
        return read_json(text)
    except ValueError:
        raise InvalidInput("Is no JSON yet.", field="filter") from None
