"""Forms of tenant-owned rows: unique constraints are checked although the tenant is not typed, and references to rows
of another tenant are refused."""

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
    """The field's value as it is stored. Raises a ValidationError with the message that every other surface gives."""
    value = trimmed(str(form.cleaned_data.get(field) or ""))
    try:
        return check(value) if value else ""
    except InvalidInput as error:
        raise forms.ValidationError(error.message) from error


class TenantForm(_ModelForm):
    """The base of every form in the admin."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            if isinstance(field.widget, forms.SplitDateTimeWidget):
                _label_parts(field)

    def _get_validation_exclusions(self) -> set[str]:
        # Django skips a unique constraint when one of its columns is not in the form; the tenant is known all the same
        excluded: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        return excluded - {"tenant"} if getattr(self.instance, "tenant_id", None) else excluded

    def clean(self) -> dict[str, Any] | None:
        """Refuse a reference to a row of another tenant, also when the user is a member of both tenants."""
        cleaned = super().clean()
        values: dict[str, Any] = self.cleaned_data if cleaned is None else cleaned
        chosen = values.get("tenant")
        tenant_id = chosen.pk if chosen else tenant_id_of(self.instance)
        for name, value in list(values.items()):
            if _is_of_another_tenant(value, tenant_id):
                self.add_error(name, "This belongs to another tenant.")
        return values


def _label_parts(field: forms.Field) -> None:
    """Label the two inputs of a date-time field; the field's own label belongs to neither."""
    for part, name in zip(field.widget.widgets, ("date", "time"), strict=True):
        part.attrs["aria-label"] = f"{field.label}, {name}"


def _is_of_another_tenant(value: Any, tenant_id: Any) -> bool:
    if not isinstance(value, Model) or isinstance(value, Tenant) or tenant_id is None:
        return False
    owner = tenant_id_of(value)
    return owner is not None and owner != tenant_id


class TenantFormSet(_InlineFormSet):
    """Rows that are edited on their parent's page belong to the parent's tenant."""

    def _construct_form(self, i: int, **kwargs: Any) -> Any:
        form = super()._construct_form(i, **kwargs)  # type: ignore[misc]
        if getattr(form.instance, "tenant_id", None) is None:
            form.instance.tenant_id = tenant_id_of(self.instance)
        return form

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        # the heading of a column labels no input
        for name, field in form.fields.items():
            label = f"Delete {form.instance}" if name == "DELETE" else field.label or name.replace("_", " ")
            field.widget.attrs.setdefault("aria-label", str(label))
