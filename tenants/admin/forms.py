"""Forms of tenant-owned rows: unique rules hold although the tenant cannot be typed, and no row points abroad."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django import forms
from django.db.models import Model
from django.forms.models import BaseInlineFormSet

from notifier.errors import InvalidInput
from notifier.values.trim import trimmed
from tenants.admin.roles import tenant_id_of
from tenants.models import Tenant

if TYPE_CHECKING:
    _ModelForm = forms.ModelForm[Any]
    _InlineFormSet = BaseInlineFormSet[Any, Any, Any]
else:
    _ModelForm = forms.ModelForm
    _InlineFormSet = BaseInlineFormSet


def checked_value(form: forms.BaseForm, field: str, check: Callable[[str], str]) -> str:
    """The field's value as it is stored, or an error of the form in the words every other surface uses."""
    value = trimmed(str(form.cleaned_data.get(field) or ""))
    try:
        return check(value) if value else ""
    except InvalidInput as error:
        raise forms.ValidationError(error.message) from error


class TenantForm(_ModelForm):
    """Base of every form in the admin."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            if isinstance(field.widget, forms.SplitDateTimeWidget):
                _label_parts(field)

    def _get_validation_exclusions(self) -> set[str]:
        # Django skips a unique rule when one of its columns is not in the form; the tenant is known all the same
        excluded: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        return excluded - {"tenant"} if getattr(self.instance, "tenant_id", None) else excluded

    def clean(self) -> dict[str, Any] | None:
        """Refuse a reference to another tenant's row, also when the user is a member of both."""
        cleaned = super().clean()
        values: dict[str, Any] = self.cleaned_data if cleaned is None else cleaned
        chosen = values.get("tenant")
        home = chosen.pk if chosen else tenant_id_of(self.instance)
        for name, value in list(values.items()):
            if _is_of_another_tenant(value, home):
                self.add_error(name, "This belongs to another tenant.")
        return values


def _label_parts(field: forms.Field) -> None:
    """Name the date and the time of one field: its own label belongs to neither of the two inputs."""
    for part, name in zip(field.widget.widgets, ("date", "time"), strict=True):
        part.attrs["aria-label"] = f"{field.label}, {name}"


def _is_of_another_tenant(value: Any, home: Any) -> bool:
    if not isinstance(value, Model) or isinstance(value, Tenant) or home is None:
        return False
    owner = tenant_id_of(value)
    return owner is not None and owner != home


class TenantFormSet(_InlineFormSet):
    """Rows edited inside their parent's page belong to the parent's tenant."""

    def _construct_form(self, i: int, **kwargs: Any) -> Any:
        form = super()._construct_form(i, **kwargs)  # type: ignore[misc]
        if getattr(form.instance, "tenant_id", None) is None:
            form.instance.tenant_id = tenant_id_of(self.instance)
        return form

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        # a heading of the table names no input
        for name, field in form.fields.items():
            what = f"Delete {form.instance}" if name == "DELETE" else field.label or name.replace("_", " ")
            field.widget.attrs.setdefault("aria-label", str(what))
