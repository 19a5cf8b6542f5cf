"""The form of a campaign. campaigns.edit.fields checks the fields, for the API as well."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from campaigns.admin.campaign.writing import CHANNEL_LABELS
from campaigns.edit import uploads
from campaigns.edit.fields import columns_of
from campaigns.models import Audience, Campaign
from notifier.channels import channels
from notifier.errors import InvalidInput, NotifierError
from notifier.models import Template
from tenants.admin import TenantForm

#: labels of the fields under "Launch settings". An empty field keeps its value; an empty rate means no limit
LAUNCH_SETTINGS = {
    "launch_rollout": _("At the planned launch"),
    "passed": _("If a recipient's local time is over"),
    "hold_seconds": _("GO can be taken back for (seconds)"),
    "rate_per_s": _("Messages a second"),
    "canary_percent": _("Share that can leave first (%)"),
    "max_error_percent": _("Pause above errors (%)"),
    "max_dead_percent": _("Pause above dead addresses (%)"),
}


class CampaignForm(TenantForm):
    channels = forms.MultipleChoiceField(
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label=_("Channels"),
        help_text=_("None ticked: every channel that the template has content for."),
    )
    upload = forms.FileField(
        required=False,
        label=_("… or upload a list"),
        help_text=_("A CSV with a column external_id, or one id a line. The list becomes an audience of its own."),
    )

    class Meta:
        model = Campaign
        fields = (
            "tenant",
            "name",
            "template",
            "channels",
            "audience",
            "data",
            "mode",
            "not_after",
            "launch_at",
            "local_time",
            *LAUNCH_SETTINGS,
        )
        widgets = {"data": forms.Textarea(attrs={"rows": 4, "cols": 60})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "channels" in self.fields:
            labels = [(name, CHANNEL_LABELS.get(name, name)) for name in sorted(channels(), reverse=True)]
            self.fields["channels"].choices = labels  # type: ignore[attr-defined]
        if "launch_at" in self.fields:
            self.fields["launch_at"].label = _("At a planned time")
        if "local_time" in self.fields:
            self.fields["local_time"].label = _("At each recipient's local time")
        if "data" in self.fields:
            self.fields["data"].label = _("Values for the template")
        if "template" in self.fields:
            self.fields["template"].label_from_instance = _template_label  # type: ignore[attr-defined]
        if "audience" in self.fields:
            self.fields["audience"].label_from_instance = _audience_label  # type: ignore[attr-defined]
        for name, label in LAUNCH_SETTINGS.items():
            if name in self.fields:
                self.fields[name].required, self.fields[name].label = False, label

    def clean(self) -> dict[str, Any] | None:
        values = super().clean() or {}
        tenant = values.get("tenant") or getattr(self.instance, "tenant", None)
        if tenant is not None and not self.errors:
            try:
                columns_of(tenant, self.campaign_fields(), self.instance if self.instance.template_id else None)
                if values.get("upload"):
                    _check_one_audience(values.get("audience"))
                    uploads.check(values["upload"])
            except NotifierError as error:
                self._show(error)
        return values

    def campaign_fields(self) -> dict[str, Any]:
        """The form as fields of campaigns.edit.campaigns."""
        values = self.cleaned_data
        audience: Audience | None = values.get("audience")
        return {
            "name": values["name"],
            "template": values["template"].key,
            "channels": values["channels"] or None,
            "audience": audience.pk if audience else None,
            "data": values["data"] or {},
            "not_after": values["not_after"],
            "launch_at": values["launch_at"],
            "local_time": values["local_time"],
            "mode": values["mode"],
            "rate_per_s": values["rate_per_s"],
            **{name: values[name] for name in LAUNCH_SETTINGS if values[name] not in (None, "")},
        }

    def _show(self, error: NotifierError) -> None:
        """Show the error at its field; an error about a part of `data`, or about a file, at the field that holds it."""
        field = (error.field or "").split(".")[0].split("[")[0]
        if error.code == "file_refused":
            field = "upload"
        self.add_error(field if field in self.fields else None, error.message)


def _template_label(template: Template) -> str:
    return f"{template.name} ({template.key})" if template.name else template.key


def _audience_label(audience: Audience) -> str:
    kind = audience.get_source_display().partition(":")[0]
    return f"{audience.name} ({kind}, {audience.size:,})" if audience.size else f"{audience.name} ({kind})"


def _check_one_audience(audience: Audience | None) -> None:
    if audience is not None:
        raise InvalidInput(
            f"Both an audience (“{audience}”) and a file (“upload”) were given. Choose no audience (“---------”), or "
            "leave the file out.",
            field="upload",
        )
