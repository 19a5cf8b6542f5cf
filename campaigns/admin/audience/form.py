"""The form of an audience: its source, and what the source needs. The builder of filters writes into `filter`."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.audience.segments import NAMED_FIELDS
from campaigns.audience.topics import NO_OPT_OUT_HOLDS, ONLY_FIREBASE
from campaigns.edit import audiences, uploads
from campaigns.models import Audience
from notifier.errors import InvalidInput, NotifierError
from tenants.admin import TenantForm

FILTER_HELP = (
    'For a segment only: conditions that must all hold, such as [{"field": "locale", "op": "in", "value": ["de", '
    '"de-AT"]}, {"field": "attributes.plan", "op": "eq", "value": "pro"}]. An entry may be a group: of {"all": […]} '
    'every entry must hold, of {"any": […]} one, of {"none": […]} none. '
    f"Fields: {', '.join(NAMED_FIELDS)}, and attributes such as attributes.plan."
)
TOPIC_HELP = {
    "topic": "For a topic only: its name, such as news, or a condition over at most five topics, such as 'news' in "
    "topics && ('de' in topics || 'at' in topics). A campaign sends one message, on push. "
    f"{NO_OPT_OUT_HOLDS} {ONLY_FIREBASE}",
    "locale": "For a topic only: the language of the template that its devices get, such as de. Empty: the tenant's "
    "default.",
    "app": "For a topic only: the app whose Firebase project has the topic. Empty: the account without an app.",
}
UPLOAD_HELP = gettext_lazy("For a list: a column external_id, or one id a line. UTF-8; repeated ids are merged.")
#: fields that say who is in an audience
_DEFINING = ("filter", "topic", "locale", "app")


class AudienceForm(TenantForm):
    upload = forms.FileField(required=False, label=gettext_lazy("CSV of external ids"), help_text=UPLOAD_HELP)

    class Meta:
        model = Audience
        fields = ("tenant", "name", "source", "filter", "topic", "locale", "app")
        help_texts = {"filter": FILTER_HELP, **TOPIC_HELP}
        widgets = {
            "filter": forms.Textarea(attrs={"class": "vLargeTextField", "rows": 8, "spellcheck": "false"}),
            "topic": forms.TextInput(attrs={"class": "vLargeTextField", "spellcheck": "false"}),
        }

    #: where the filter is wrong, such as filter.0.value; for the builder
    wrong_at = wrong_message = ""

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
                raise InvalidInput(_("A list needs its file."), field="upload")
        except NotifierError as error:
            self.wrong_at, self.wrong_message = error.field or "", error.message
            field = (error.field or "upload").split(".")[0]
            self.add_error(field if field in self.fields else None, describe(error))
        return values

    def _tenant_id(self, values: dict[str, Any]) -> uuid.UUID:
        chosen = values.get("tenant")
        tenant_id: uuid.UUID = chosen.pk if chosen else self.instance.tenant_id
        return tenant_id


class UploadForm(forms.Form):
    """A file for a list that exists."""

    upload = forms.FileField(label=gettext_lazy("CSV of external ids"), help_text=UPLOAD_HELP)
    mode = forms.ChoiceField(
        label=gettext_lazy("What becomes of the ids that the list has"),
        choices=[
            ("replace", gettext_lazy("Replace them by those of the file")),
            ("add", gettext_lazy("Keep them, and add those of the file (for mended rows)")),
        ],
        initial="replace",
        required=False,
        widget=forms.RadioSelect,
    )


def describe(error: NotifierError) -> str:
    """An error for a form: the part of the field, and what is wrong with that part."""
    return f"{error.field}: {error.message}" if error.field else error.message
