"""Serializer fields that accept one JSON type and convert nothing into it: a number is not accepted as a text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from django.core.validators import RegexValidator
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from notifier.errors import InvalidInput
from notifier.values import timestamps
from notifier.values.trim import trimmed

#: characters of a text that names something of the tenant: a key, an id
MAX_KEY = 128


class Text(serializers.CharField):
    """A JSON string, kept as it is. `check` returns the stored form of the text or raises InvalidInput; a text with a
    check loses the invisible characters at its edges first."""

    def __init__(self, check: Callable[[str], str] | None = None, **kwargs: Any) -> None:
        self._check = check
        kwargs.setdefault("max_length", 1024)
        super().__init__(trim_whitespace=False, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        value = super().to_internal_value(data)
        if self._check is None:
            return value
        text = trimmed(value)
        if not text and not self.allow_blank:
            self.fail("blank")
        return checked(self._check, text) if text else ""


class Pattern(Text):
    """A JSON string that matches a regular expression."""

    def __init__(self, regex: str, message: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.validators.append(RegexValidator(regex, message, code="invalid"))


class ChannelNames(serializers.ListField):
    """Names of channels, at least one. An empty list is refused, because a reader could take it for "not given", which
    means all channels."""

    default_error_messages = {
        "empty": "Must name at least one channel; leave the field out for all that the template has."
    }

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("child", Text(max_length=16))
        kwargs.setdefault("max_length", 16)
        kwargs.setdefault("help_text", "Without it, all that the template has; an empty list is refused.")
        super().__init__(allow_empty=False, **kwargs)


def checked(check: Callable[[str], str], value: str) -> str:
    """The stored form that `check` returns. Raises ValidationError where `check` raises InvalidInput."""
    try:
        return check(value)
    except InvalidInput as error:
        raise serializers.ValidationError(error.message, code=error.code) from None


class Boolean(serializers.BooleanField):
    """A JSON boolean: true or false, neither "yes" nor 1."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class Integer(serializers.IntegerField):
    """A JSON integer; neither "5" nor 5.5 nor true."""

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return data


class Number(serializers.FloatField):
    """A JSON number; neither "5" nor true."""

    def to_internal_value(self, data: Any) -> float:
        if not isinstance(data, int | float) or isinstance(data, bool):
            self.fail("invalid")
        return float(data)


class Time(serializers.DateTimeField):
    """A time in RFC 3339 with an offset. A time without an offset would mean different instants on different
    machines."""

    def to_internal_value(self, value: Any) -> datetime:
        parsed = timestamps.parse(value)
        if parsed is None:
            raise serializers.ValidationError(
                "Must be a time in RFC 3339 such as 2030-01-31T09:00:00Z or 2030-01-31T10:00:00+01:00.", code="invalid"
            )
        if parsed.tzinfo is None:
            raise serializers.ValidationError("Must have an offset: Z or such as +01:00.", code="no_offset")
        try:
            return parsed.astimezone(UTC)
        except OverflowError:
            raise serializers.ValidationError("The time is out of range.", code="invalid") from None


@extend_schema_field(OpenApiTypes.STR)  # `date-time` would promise an offset
class LocalTime(serializers.DateTimeField):
    """A date and time of a wall clock, without an offset: whose clock it is, the field says. `instead`: the field that
    takes a moment."""

    def __init__(self, instead: str = "send_at", **kwargs: Any) -> None:
        self._instead = instead
        super().__init__(**kwargs)

    def to_internal_value(self, value: Any) -> datetime:
        parsed = timestamps.parse(value)
        if parsed is None or not 2000 <= parsed.year <= 9998:
            raise serializers.ValidationError("Must be a date and time such as 2030-01-31T09:00.", code="invalid")
        if parsed.tzinfo is not None:
            raise serializers.ValidationError(
                f"Must have no offset: it is a time of the recipient's own clock. For a moment use {self._instead}.",
                code="has_offset",
            )
        return parsed

    def to_representation(self, value: datetime) -> str:
        return value.isoformat()


@extend_schema_field(OpenApiTypes.OBJECT)
class Object(serializers.Field[Any, Any, Any, Any]):
    """A JSON object of at most `max_bytes` bytes."""

    def __init__(self, max_bytes: int, **kwargs: Any) -> None:
        self.max_bytes = max_bytes
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, Mapping):
            raise serializers.ValidationError("Must be an object.", code="invalid")
        size = len(orjson.dumps(self.measured(data)))
        if size > self.max_bytes:
            raise serializers.ValidationError(f"Has {size} bytes; the limit is {self.max_bytes}.", code="too_large")
        return dict(data)

    def measured(self, data: Mapping[str, Any]) -> Any:
        """The part of the value that counts towards `max_bytes`."""
        return data

    def to_representation(self, value: Any) -> Any:
        return value
