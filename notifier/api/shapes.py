"""What notifications and templates look like on the wire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from notifier.api.fields import MAX_KEY, Object, Text, Time
from notifier.channels import channels

MAX_DATA = 64 * 1024
MAX_CONTENT = 256 * 1024
#: templates, consent and phone numbers will have changed by then
FARTHEST = timedelta(days=366)


class SendShape(serializers.Serializer[Any]):
    """One notification to one recipient."""

    recipient = Text(max_length=MAX_KEY, help_text="Your own id of the recipient.")
    template = Text(max_length=64, help_text="The key of the template.")
    category = Text(max_length=64, required=False, help_text="Without it, the template's own.")
    channels = serializers.ListField(
        child=Text(max_length=16), required=False, max_length=16, help_text="Without it, all that the template has."
    )
    data = Object(  # type: ignore[assignment]
        MAX_DATA, required=False, help_text=f"Variables of the template, at most {MAX_DATA} bytes."
    )
    send_at = Time(required=False, allow_null=True, help_text="Leaves then instead of now; at most a year ahead.")
    not_after = Time(required=False, allow_null=True, help_text="Does not leave after this.")

    def validate_channels(self, value: list[str]) -> list[str]:
        unknown = [name for name in value if name not in channels()]
        if unknown:
            raise serializers.ValidationError(
                f"Unknown channel {unknown[0]!r}; known: {', '.join(sorted(channels()))}.", code="unknown_channel"
            )
        return list(dict.fromkeys(value))

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if wrong := wrong_time(attrs.get("send_at"), attrs.get("not_after"), datetime.now(UTC)):
            raise serializers.ValidationError(wrong)
        return attrs


def wrong_time(send_at: datetime | None, not_after: datetime | None, now: datetime) -> dict[str, ErrorDetail] | None:
    """The field that is wrong and why, or None."""
    here = f"here it is {now:%Y-%m-%dT%H:%M:%SZ}"
    if send_at is not None and send_at <= now:
        return _wrong("send_at", f"Is in the past; {here}.", "in_the_past")
    if send_at is not None and send_at > now + FARTHEST:
        return _wrong("send_at", f"Is more than {FARTHEST.days} days ahead; {here}.", "too_far_ahead")
    if not_after is not None and not_after <= now:
        return _wrong("not_after", f"Is in the past; {here}.", "in_the_past")
    if not_after is not None and send_at is not None and not_after <= send_at:
        return _wrong("not_after", "Must be after send_at.", "before_send_at")
    return None


def _wrong(field: str, message: str, code: str) -> dict[str, ErrorDetail]:
    return {field: ErrorDetail(message, code=code)}
