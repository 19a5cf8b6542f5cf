"""Audiences: a segment with its filter, an uploaded list, all recipients, or a topic. Each page shows how many
recipients the audience has, some of them, and on which channels they can be reached."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, IntegerField, Max, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from campaigns.admin.audience import builder
from campaigns.admin.audience.form import AudienceForm, describe
from campaigns.admin.audience.looking import look_at
from campaigns.admin.audience.reports import report_upload, summary
from campaigns.admin.audience.uploading import UploadViews
from campaigns.admin.base import actor
from campaigns.audience import check_filter, loading
from campaigns.edit import audiences, uploads
from campaigns.models import Audience, AudienceMember, Campaign
from notifier.errors import NotifierError
from tenants.access import allow_slow_statements
from tenants.admin import AUTHORS, TenantModelAdmin, may
from tenants.admin.roles import editable_tenants
from tenants.imports.jobs import OPEN_STATES
from tenants.models import Import, Tenant

_OF_SOURCE = {
    Audience.Source.SEGMENT: ("filter",),
    Audience.Source.TOPIC: ("topic", "locale", "app"),
}


class AudienceAdmin(UploadViews, TenantModelAdmin):
    group = "Audiences"
    icon = "groups"
    rank = 10
    audited_by_domain = True
    form = AudienceForm
    list_display = ("name", "source", "people_now", "used_by", "last_used", "created_at")
    list_filter = ("source",)
    search_fields = ("name",)
    ordering = ("-id",)
    change_form_template = "admin/campaigns/audience/change_form.html"
    change_list_template = "admin/campaigns/audience/change_list.html"
    deleted_together = (AudienceMember,)

    class Media:
        css = {"all": ["audiences/audiences.css"]}

    # ---- the list --------------------------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With the campaigns that use each audience; the index of the foreign key counts them."""
        used = Campaign.objects.filter(audience=OuterRef("pk")).order_by().values("audience")
        rows: QuerySet[Any] = super().get_queryset(request)
        counted: QuerySet[Any] = rows.annotate(
            uses=Coalesce(Subquery(used.annotate(n=Count("pk")).values("n"), output_field=IntegerField()), 0),
            used_at=Subquery(used.annotate(at=Max("launched_at")).values("at")),
        )
        return counted

    @admin.display(description=gettext_lazy("people"))
    def people_now(self, audience: Audience) -> str:
        if audience.is_topic:
            return _("only Google knows")
        if audience.source == Audience.Source.LIST and audience.people is None:
            return ngettext("%(n)s id", "%(n)s ids", audience.size) % {"n": f"{audience.size:,}"}
        if audience.people is None:
            return _("not counted yet")
        number = f"{audience.people:,}"
        return number if audience.people_exact else _("about %(number)s (estimated)") % {"number": number}

    @admin.display(description=gettext_lazy("used by"), ordering="uses")
    def used_by(self, audience: Any) -> str:
        if not audience.uses:
            return "–"
        return ngettext("%(n)s campaign", "%(n)s campaigns", audience.uses) % {"n": f"{audience.uses:,}"}

    @admin.display(description=gettext_lazy("last used"), ordering="used_at")
    def last_used(self, audience: Any) -> Any:
        return audience.used_at

    # ---- the form --------------------------------------------------------------------------------------------------

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ("tenant", "name", "source", "filter", "upload", "topic", "locale", "app")
        return ("tenant", "name", "source", *_OF_SOURCE.get(obj.source, ()))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fixed = super().get_readonly_fields(request, obj)
        return (*fixed, "source") if obj is not None else fixed

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        by = actor(request)
        if change:
            audiences.save(obj, by=by)
            return
        audience = audiences.create(obj.tenant, obj.name, audiences.definition_of(obj), by=by)
        if file := form.cleaned_data.get("upload"):
            report_upload(self, request, uploads.put(audience, uploads.Upload(file, by)))
        obj.pk = audience.pk
        obj.refresh_from_db()

    def response_add(self, request: HttpRequest, obj: Audience, post_url_continue: str | None = None) -> HttpResponse:
        """To the audience's page, which shows who is in it and how far its file is."""
        self.message_user(request, _("The audience “%(name)s” was created.") % {"name": obj.name}, messages.SUCCESS)
        return HttpResponseRedirect(change_url(obj.pk))

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        audience = self.get_object(request, object_id) if object_id else None
        extra = {**(extra_context or {}), **self._panel(request, audience)}
        try:
            return super().changeform_view(request, object_id, form_url, extra)
        except NotifierError as error:
            self.message_user(request, error.message, messages.ERROR)
            return HttpResponseRedirect(request.path)

    def _panel(self, request: HttpRequest, audience: Audience | None) -> dict[str, Any]:
        """What the page shows beside the form. It looks at nobody: the script asks for that (`look_view`)."""
        tenant = audience.tenant if audience else _only_tenant(request)
        shown: dict[str, Any] = {"show_save_and_add_another": False, "texts": builder.texts()}
        if audience is None:
            return {**shown, "vocabulary": builder.vocabulary(tenant) if tenant else None}
        may_edit = may(request, AUTHORS, audience)
        if may_edit and audience.source == Audience.Source.SEGMENT:
            shown["vocabulary"] = builder.vocabulary(tenant) if tenant else None
        shown |= {"uses": audiences.uses_of(audience), "may_edit": may_edit, **_last_upload(audience)}
        try:
            if audience.is_topic or "look" in request.GET:
                return shown | look_at(audience)
            if audience.source == Audience.Source.SEGMENT:
                check_filter(audience.filter)
        except NotifierError as error:
            shown["broken"] = describe(error)
        return shown

    # ---- copying and deleting --------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        copy = self.admin_site.admin_view(self.copy_view)
        return [path("<uuid:pk>/copy/", copy, name="campaigns_audience_copy"), *super().get_urls()]

    def copy_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """Copy the audience; a POST."""
        audience = get_object_or_404(self.get_queryset(request), pk=pk)
        if request.method != "POST" or not may(request, AUTHORS, audience):
            return self.not_allowed(request)
        try:
            copied = audiences.copy(audience, by=actor(request))
        except NotifierError as error:
            self.message_user(request, error.message, messages.ERROR)
            return HttpResponseRedirect(change_url(pk))
        self.message_user(request, _("This is the copy. Rename it and change what differs."), messages.SUCCESS)
        return HttpResponseRedirect(change_url(copied.pk))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """The audiences, each with the ids that are deleted with it. One that a segment names is refused, too."""
        rows = list(objs)
        _rows, counts, lacking, refused = super().get_deleted_objects(rows, request)
        for row in rows:
            named = audiences.uses_of(row).segments
            refused += [_("The segment “%(name)s” names this list.") % {"name": segment.name} for segment in named]
        return [f"{row}: {row.size:,} ids" for row in rows], counts, lacking, refused

    def delete_model(self, request: HttpRequest, obj: Audience) -> None:
        allow_slow_statements()
        audiences.delete(obj, by=actor(request))

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        allow_slow_statements()
        for audience in queryset:
            audiences.delete(audience, by=actor(request))


def change_url(pk: uuid.UUID) -> str:
    return reverse("admin:campaigns_audience_change", args=[pk])


def _only_tenant(request: HttpRequest) -> Tenant | None:
    """The tenant of a new audience: the user's only one, or the one that the form chose."""
    tenants = editable_tenants(request, AUTHORS)
    chosen = request.POST.get("tenant") or request.GET.get("tenant")
    if chosen:
        return next((tenant for tenant in tenants if str(tenant.pk) == chosen), None)
    first = list(tenants[:2])
    return first[0] if len(first) == 1 else None


def _last_upload(audience: Audience) -> dict[str, Any]:
    """How the last upload of a list ended, or how far it is."""
    job = loading.last_upload(audience.pk)
    if job is None:
        return {}
    return {
        "upload": job,
        "loading": job.state in OPEN_STATES,
        "summary": summary(job) if job.state == Import.State.DONE else "",
    }
