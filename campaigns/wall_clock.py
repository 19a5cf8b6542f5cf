"""A date and time as a clock on a wall shows them, without a zone: a column of the model and a field of forms.

Django's DateTimeField stores a moment. A wall clock's time is another moment in each zone, and may not exist in the
zone of the form that takes it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models

from notifier.values import timestamps

_WRONG = "Enter a date and time without a zone, such as 2030-01-31T09:00."


def parse_wall_clock(value: Any) -> datetime | None:
    """The time without a zone; None if the value is none."""
    parsed = value if isinstance(value, datetime) else timestamps.parse(value)
    if parsed is None or parsed.tzinfo is not None or not 2000 <= parsed.year <= 9998:
        return None
    return parsed


class WallClockFormField(forms.Field):
    """Takes and shows the time as it is: no zone is applied."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")

    def to_python(self, value: Any) -> datetime | None:
        if value in self.empty_values:
            return None
        if (parsed := parse_wall_clock(value)) is None:
            raise ValidationError(_WRONG, code="invalid")
        return parsed

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.to_python(initial) != self.to_python(data))
        except ValidationError:
            return True


class WallClockField(models.Field):  # type: ignore[type-arg]
    """A column of the type `timestamp`: a naive datetime, stored and read as it is."""

    description = "Date and time without a zone"

    def db_type(self, connection: Any) -> str:
        return "timestamp"

    def to_python(self, value: Any) -> datetime | None:
        if value is None:
            return None
        if (parsed := parse_wall_clock(value)) is None:
            raise ValidationError(_WRONG, code="invalid")
        return parsed

    def value_to_string(self, obj: models.Model) -> str:
        value = self.value_from_object(obj)
        return value.isoformat() if value is not None else ""

    def formfield(self, *args: Any, **kwargs: Any) -> Any:
        return super().formfield(**{"form_class": WallClockFormField, **kwargs})
