"""The page that uploads a file of recipients, and the report of each import, during and after its run."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from notifier.channels.queues import BATCH
from notifier.tasks import post
from tenants.admin.base import TenantModelAdmin
from tenants.admin.forms import TenantForm
from tenants.admin.site import admin_site
from tenants.imports import jobs
from tenants.imports.columns import FIELDS
from tenants.imports.csv_file import UnreadableFile
from tenants.models import Import


class UploadForm(TenantForm):
    file = forms.FileField(
        label="CSV file",
        help_text=f"UTF-8, with a header line. Columns, in any order: {', '.join(FIELDS)}; others become attributes. "
        "Only external_id is required. An empty cell changes nothing.",
    )

    class Meta:
        model = Import
        fields = ("tenant",)

    def clean_file(self) -> Any:
        """Refuse at once what the first line shows; the rows are checked by the worker."""
        upload = self.cleaned_data["file"]
        if upload.size > settings.IMPORT_MAX_BYTES:
            raise forms.ValidationError(f"It is larger than {settings.IMPORT_MAX_BYTES:,} bytes; split it.")
        try:
            jobs.check_header(upload)
        except UnreadableFile as error:
            raise forms.ValidationError(error.message) from error
        upload.seek(0)
        return upload


@admin.register(Import, site=admin_site)
class ImportAdmin(TenantModelAdmin):
    group = "People"
    icon = "upload_file"
    rank = 20
    form = UploadForm
    change_form_template = "admin/tenants/import/change_form.html"
    can_delete_rows = False
    audited_by_domain = True
    list_display = ("filename", "state", "rows", "created", "updated", "rejected", "created_by", "created_at")
    list_filter = ("state",)
    list_select_related = ("tenant", "created_by")
    ordering = ("-id",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ("tenant", "file")
        counts = ("rows", "created", "updated", "unchanged", "devices", "rejected")
        return ("tenant", "filename", "state", "failure", *counts, "created_by", "created_at", "finished_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Without uploads of lists, which are on the pages of their audiences."""
        return super().get_queryset(request).filter(kind=Import.Kind.RECIPIENTS)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Import, form: Any, change: bool) -> None:
        user = request.user if request.user.is_authenticated else None
        upload = form.cleaned_data["file"]
        job = jobs.submit(jobs.new_import(obj.tenant, upload, user), upload)
        obj.__dict__.update({k: v for k, v in job.__dict__.items() if k != "_state"})
        obj._state.adding = False
        transaction.on_commit(lambda: post("tenants.imports", queue=BATCH))

    def response_add(self, request: HttpRequest, obj: Import, post_url_continue: str | None = None) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:tenants_import_change", args=[obj.pk]))
