"""Audiences: a segment with its filter, an uploaded list, all recipients, or a topic. Each page shows how many
recipients the audience has, and some of them."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path, reverse

from campaigns.admin.page import actor
from campaigns.audience import loading, people_of, reach_of, segment, some_of
from campaigns.audience.segments import NAMED_FIELDS
from campaigns.audience.topics import NO_OPT_OUT_HOLDS, ONLY_FIREBASE
from campaigns.edit import audiences, uploads
from campaigns.models import Audience, AudienceMember
from notifier.errors import InvalidInput, NotifierError
from notifier.vocabulary.ids import parse_id
from tenants.access import allow_slow_statements
from tenants.admin import AUTHORS, TenantForm, TenantModelAdmin, may
from tenants.admin.json_field import read_json
from tenants.admin.roles import editable_tenants
from tenants.imports.jobs import OPEN_STATES
from tenants.models import Import

FILTER_HELP = (
    'For a segment only: conditions that must all hold, such as [{"field": "locale", "op": "in", "value": ["de", '
    '"de-AT"]}, {"field": "attributes.plan", "op": "eq", "value": "pro"}]. Of an entry {"any": [condition, …]} one '
    f"condition must hold. Fields: {', '.join(NAMED_FIELDS)}, and attributes such as attributes.plan."
)


TOPIC_HELP = {
    "topic": "For a topic only: its name, such as news, or a condition over at most five topics, such as 'news' in "
    "topics && ('de' in topics || 'at' in topics). A campaign sends one message, on push. "
    f"{NO_OPT_OUT_HOLDS} {ONLY_FIREBASE}",
    "locale": "For a topic only: the language of the template that its devices get, such as de. Empty: the tenant's "
    "default.",
    "app": "For a topic only: the app whose Firebase project has the topic. Empty: the account without an app.",
}

#: fields that say who is in an audience
_DEFINING = ("filter", "topic", "locale", "app")


class AudienceForm(TenantForm):
    upload = forms.FileField(
        required=False,
        label="CSV of external ids",
        help_text="For a list: a column external_id, or one id a line. UTF-8; repeated ids are merged.",
    )

    class Meta:
        model = Audience
        fields = ("tenant", "name", "source", "filter", "topic", "locale", "app")
        help_texts = {"filter": FILTER_HELP, **TOPIC_HELP}
        widgets = {
            "filter": forms.Textarea(attrs={"class": "vLargeTextField", "rows": 8, "spellcheck": "false"}),
            "topic": forms.TextInput(attrs={"class": "vLargeTextField", "spellcheck": "false"}),
        }

    def clean(self) -> dict[str, Any] | None:
        values = super().clean() or {}
        source, upload = values.get("source") or self.instance.source, values.get("upload")
        if self.errors or not source:
            return values
        if "filter" in self.fields and values.get("filter") is None:
            values["filter"] = []
        try:
            given = {name: values.get(name, getattr(self.instance, name)) for name in _DEFINING}
            definition = audiences.Definition(source, file=bool(upload), **given)
            columns = audiences.check_definition(definition, self._tenant_id(values))
            values |= {name: value for name, value in columns.items() if name in self.fields}
            if upload:
                uploads.check(upload)
            elif source == Audience.Source.LIST and self.instance._state.adding:
                raise InvalidInput("A list needs its file.", field="upload")
        except NotifierError as error:
            field = (error.field or "upload").split(".")[0]
            self.add_error(field if field in self.fields else None, describe(error))
        return values

    def _tenant_id(self, values: dict[str, Any]) -> uuid.UUID:
        chosen = values.get("tenant")
        tenant_id: uuid.UUID = chosen.pk if chosen else self.instance.tenant_id
        return tenant_id


class UploadForm(forms.Form):
    upload = forms.FileField(label="CSV of external ids")


class AudienceAdmin(TenantModelAdmin):
    group = "Audiences"
    icon = "groups"
    rank = 20
    audited_by_domain = True
    form = AudienceForm
    list_display = ("name", "source", "members_of_list", "created_at")
    list_filter = ("source",)
    search_fields = ("name",)
    ordering = ("-id",)
    change_form_template = "admin/campaigns/audience/change_form.html"
    deleted_together = (AudienceMember,)

    class Media:
        css = {"all": ["campaigns/campaign.css"]}

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ("tenant", "name", "source", "filter", "upload", "topic", "locale", "app")
        of_its_source = {
            Audience.Source.SEGMENT: ("filter",),
            Audience.Source.LIST: ("size",),
            Audience.Source.TOPIC: ("topic", "locale", "app"),
        }
        return ("tenant", "name", "source", *of_its_source.get(obj.source, ()))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fixed = super().get_readonly_fields(request, obj)
        return (*fixed, "source", "size") if obj is not None else fixed

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """The audiences, each with the ids that are deleted with it."""
        rows = list(objs)
        _, counts, lacking, refused = super().get_deleted_objects(rows, request)
        return [f"{row}: {row.size:,} ids" for row in rows], counts, lacking, refused

    def delete_model(self, request: HttpRequest, obj: Audience) -> None:
        allow_slow_statements()
        audiences.delete(obj, by=actor(request))

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        allow_slow_statements()
        for audience in queryset:
            audiences.delete(audience, by=actor(request))

    @admin.display(description="ids in list", ordering="size")
    def members_of_list(self, audience: Audience) -> str:
        return f"{audience.size:,}" if audience.source == Audience.Source.LIST else "–"

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

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        audience = self.get_object(request, object_id) if object_id else None
        extra = {**(extra_context or {}), **(_content(audience) if audience is not None else {})}
        try:
            return super().changeform_view(request, object_id, form_url, extra)
        except NotifierError as error:
            self.message_user(request, error.message, messages.ERROR)
            return HttpResponseRedirect(request.path)

    def get_urls(self) -> list[URLPattern]:
        upload, count = self.admin_site.admin_view(self.upload_view), self.admin_site.admin_view(self.count_view)
        return [
            path("count/", count, name="campaigns_audience_count"),
            path("<uuid:pk>/upload/", upload, name="campaigns_audience_upload"),
            *super().get_urls(),
        ]

    def count_view(self, request: HttpRequest) -> HttpResponse:
        """How many recipients a typed filter finds, for the script of the form."""
        tenant_id = parse_id(request.POST.get("tenant"))
        tenant = editable_tenants(request, AUTHORS).filter(pk=tenant_id).first()
        if request.method != "POST" or tenant is None:
            return JsonResponse({"error": "Choose a tenant."}, status=400)
        try:
            reach = people_of(segment(tenant.pk, _parsed(request.POST.get("filter", ""))))
            return JsonResponse({"reaches": reach.people, "exact": reach.exact})
        except NotifierError as error:
            return JsonResponse({"error": describe(error)}, status=400)

    def upload_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Replace the members of a list by those of a file."""
        audience = get_object_or_404(self.get_queryset(request), pk=pk, source=Audience.Source.LIST)
        form = UploadForm(request.POST or None, request.FILES or None)
        if not may(request, AUTHORS, audience):
            return render(
                request, "admin/campaigns/not_allowed.html", self.admin_site.each_context(request), status=403
            )
        if request.method == "POST" and form.is_valid():
            try:
                upload = uploads.Upload(form.cleaned_data["upload"], actor(request))
                report_upload(self, request, uploads.put(audience, upload))
                return HttpResponseRedirect(reverse("admin:campaigns_audience_change", args=[audience.pk]))
            except NotifierError as error:
                form.add_error("upload", error.message)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Replace the list “{audience}”",
            "opts": self.model._meta,
            "original": audience,
            "form": form,
        }
        return render(request, "admin/campaigns/audience/upload.html", context)


def _parsed(text: str) -> Any:
    try:
        return read_json(text)
    except ValueError:
        raise InvalidInput("Is no JSON yet.", field="filter") from None


def _content(audience: Audience) -> dict[str, Any]:
    """Who is in the audience, and how its last upload ended."""
    job = loading.last_upload(audience.pk)
    upload = {"upload": job, "loading": job.state in OPEN_STATES} if job else {}
    if job and job.state == Import.State.DONE:
        upload["summary"] = summary(job)
    try:
        reach = reach_of(audience, sample=10)
        return {
            **upload,
            "reachable": reach.people,
            "sample": some_of(audience, reach, 10),
            "no_opt_out_holds": NO_OPT_OUT_HOLDS,
            "only_firebase": ONLY_FIREBASE,
        }
    except NotifierError as error:
        return {"broken": describe(error)}


def describe(error: NotifierError) -> str:
    """An error for a form: the part of the field, and what is wrong with that part."""
    return f"{error.field}: {error.message}" if error.field else error.message


def report_upload(page: admin.ModelAdmin[Any], request: HttpRequest, job: Import) -> None:
    """Say what became of a file: green only when every id in it is a recipient."""
    if job.state != Import.State.DONE:
        page.message_user(request, "The file is read in the background; the audience's page shows how far it is.")
        return
    page.message_user(request, summary(job), _level(job))
    for line, reason in job.problems[:10]:
        page.message_user(request, f"Line {line}: {reason}", messages.WARNING)


def summary(job: Import) -> str:
    """What was in a file, in two sentences."""
    report = job.list_report
    return (
        f"{report['stored']:,} external ids stored of {job.rows:,} rows: "
        f"{report['duplicates']:,} repeated, {job.rejected:,} unusable. {_known(report)}"
    )


def _level(job: Import) -> int:
    if not job.list_report["known"]:
        return messages.ERROR
    return messages.WARNING if job.list_report["unknown"] or job.rejected else messages.SUCCESS


def _known(report: dict[str, Any]) -> str:
    """How many of the ids are recipients."""
    known, unknown, examples = report["known"], report["unknown"], ", ".join(report["unknown_ids"])
    if not unknown:
        return f"All {known:,} are recipients."
    examples += ", …" if unknown > len(report["unknown_ids"]) else ""
    if not known:
        return f"None of the ids is a recipient, so no message would be sent: {examples}"
    return f"{known:,} are recipients, {unknown:,} are not: {examples}"
