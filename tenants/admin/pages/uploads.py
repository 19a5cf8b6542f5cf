"""The page that uploads a file of people or of consents, and the report of each import, during and after its run."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy

from notifier.channels.queues import BATCH
from notifier.tasks import post
from notifier.web.serving.downloads import Download
from tenants.admin.base.forms import TenantForm
from tenants.admin.base.model_admin import TenantModelAdmin
from tenants.admin.pages.import_files import import_progress, left_out_file, progress_of
from tenants.admin.roles import AUTHORS, may
from tenants.admin.site import admin_site
from tenants.imports import jobs
from tenants.imports.columns import FIELDS
from tenants.imports.consents import COLUMNS as CONSENT_COLUMNS
from tenants.imports.csv_file import UnreadableFile
from tenants.models import Import

_KINDS = [
    (Import.Kind.RECIPIENTS.value, gettext_lazy("People")),
    (Import.Kind.CONSENTS.value, gettext_lazy("Consents that people gave elsewhere")),
]


class UploadForm(TenantForm):
    # not named `kind`: that column is no field of a form
    holds = forms.ChoiceField(
        label=gettext_lazy("What the file holds"),
        choices=_KINDS,
        initial=Import.Kind.RECIPIENTS.value,
        required=False,
        widget=forms.RadioSelect,
    )
    file = forms.FileField(
        label=gettext_lazy("CSV file"),
        help_text=f"UTF-8, with a header line. Columns of people, in any order: {', '.join(FIELDS)}; others become "
        "attributes. Only external_id is required. An empty cell changes nothing. Columns of consents: "
        f"{', '.join(CONSENT_COLUMNS)}; channel may be left out.",
    )

    class Meta:
        model = Import
        fields = ("tenant",)

    def clean(self) -> dict[str, Any] | None:
        """Refuse at once what the first line shows; the rows are checked by the worker."""
        values = super().clean() or {}
        upload = values.get("file")
        values["holds"] = kind = Import.Kind(values.get("holds") or Import.Kind.RECIPIENTS)
        if upload is None:
            return values
        if upload.size > settings.IMPORT_MAX_BYTES:
            self.add_error("file", f"It is larger than {settings.IMPORT_MAX_BYTES:,} bytes; split it.")
            return values
        try:
            jobs.check_header(upload, kind)
        except UnreadableFile as error:
            self.add_error("file", error.message)
        upload.seek(0)
        return values


@admin.register(Import, site=admin_site)
class ImportAdmin(TenantModelAdmin):
    group = "People"
    icon = "upload_file"
    rank = 20
    form = UploadForm
    change_form_template = "admin/tenants/import/change_form.html"
    can_delete_rows = False
    audited_by_domain = True
    list_display = ("filename", "kind", "state", "rows", "created", "updated", "rejected", "created_by", "created_at")
    list_filter = ("state", "kind")
    list_select_related = ("tenant", "created_by")
    ordering = ("-id",)

    class Media:
        css = {"all": ["audiences/audiences.css"]}

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ("tenant", "holds", "file")
        counts = ("rows", "created", "updated", "unchanged", "devices", "rejected")
        return ("tenant", "filename", "kind", "state", "failure", *counts, "created_by", "created_at", "finished_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Without uploads of lists, which are on the pages of their audiences."""
        return super().get_queryset(request).exclude(kind=Import.Kind.LIST)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Import, form: Any, change: bool) -> None:
        user = request.user if request.user.is_authenticated else None
        upload = form.cleaned_data["file"]
        job = jobs.submit(jobs.new_import(obj.tenant, upload, user, form.cleaned_data["holds"]), upload)
        obj.__dict__.update({k: v for k, v in job.__dict__.items() if k != "_state"})
        obj._state.adding = False
        transaction.on_commit(lambda: post("tenants.imports", queue=BATCH))

    def response_add(self, request: HttpRequest, obj: Import, post_url_continue: str | None = None) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:tenants_import_change", args=[obj.pk]))

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        job = self.get_object(request, object_id) if object_id else None
        extra = {**(extra_context or {}), "progress": progress_of(job) if job else None}
        return super().changeform_view(request, object_id, form_url, extra)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<uuid:pk>/progress/", wrap(self.progress_view), name="tenants_import_progress"),
            path("<uuid:pk>/left-out/", wrap(self.left_out_view), name="tenants_import_left_out"),
            *super().get_urls(),
        ]

    def progress_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        return import_progress(get_object_or_404(self.get_queryset(request), pk=pk))

    def left_out_view(self, request: HttpRequest, pk: uuid.UUID) -> Download:
        """The rows that the import left out, also of a list: addresses as they were uploaded, for members who may
        upload them again."""
        job = get_object_or_404(super().get_queryset(request), pk=pk)
        if not may(request, AUTHORS, job):
            raise PermissionDenied
        return left_out_file(job)
