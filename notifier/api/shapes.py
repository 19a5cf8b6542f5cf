"""Serializers of notifications and templates."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from notifier.api.framework.fields import (
    MAX_KEY,
    Boolean,
    ChannelNames,
    Integer,
    LocalTime,
    Object,
    Pattern,
    Text,
    Time,
)
from notifier.api.framework.schema import ProblemOutput
from notifier.channels import channels
from notifier.delivery.content.attachments.listing import MAX_FILES, MAX_NAME
from notifier.delivery.planning.send_time import FARTHEST
from notifier.delivery.routes.show import STEP_STATES
from notifier.errors import InvalidInput
from notifier.values.trim import trimmed
from notifier.vocabulary.digests import MOST_ITEMS, read_times
from notifier.vocabulary.routes import Unless
from notifier.vocabulary.status import Mode, Status

MAX_DATA = 64 * 1024
MAX_CONTENT = 256 * 1024
MAX_SOURCE = 64 * 1024


class TemplateContent(Object):
    """Content without the files of its attachments, which have a limit of their own."""

    def measured(self, data: Mapping[str, Any]) -> Any:
        return {
            name: {locale: _without_files(parts) for locale, parts in by_locale.items()}
            if isinstance(by_locale, Mapping)
            else by_locale
            for name, by_locale in data.items()
        }


def _without_files(parts: Any) -> Any:
    if not isinstance(parts, Mapping) or not isinstance(files := parts.get("attachments"), list):
        return parts
    kept = [{k: v for k, v in file.items() if k != "content"} if isinstance(file, Mapping) else file for file in files]
    return {**parts, "attachments": kept}


class AttachmentInput(serializers.Serializer[Any]):
    name = Text(max_length=MAX_NAME, help_text="The file's name, as the recipient sees it.")
    content = Text(required=False, help_text="The file in base64.")
    id = Text(required=False, help_text="In place of content: the SHA-256 of a file that this tenant sent before.")
    content_type = Text(required=False, help_text="Without it, by the name's ending.")
    content_id = Text(required=False, help_text="Of an image that the html shows by <img src='cid:…'>.")


@extend_schema_field(AttachmentInput(many=True))
class Attachments(serializers.Field[Any, Any, Any, Any]):
    """A list that `delivery.content.attachments.listing` checks, as it does for templates."""

    def to_internal_value(self, data: Any) -> Any:
        return data

    def to_representation(self, value: Any) -> Any:
        return value


class DigestInput(serializers.Serializer[Any]):
    """Gather the message with others of the same key. What is left out, the category's digest says."""

    key = Pattern(
        r"^[A-Za-z0-9_.:/@-]+\Z",
        "Must be letters, digits and _ . : / @ -",
        max_length=MAX_KEY,
        help_text="Of your choice.",
    )
    template = Text(max_length=64, required=False, help_text="The digest template, which reads items and count.")
    window = Text(max_length=16, required=False, help_text="It leaves so long after the newest item, such as 10m.")
    max_window = Text(max_length=16, required=False, help_text="It leaves so long after the first item at the latest.")
    schedule = Text(max_length=32, required=False, help_text="Instead of a window: daily at 09:00, or monday at 09:00.")
    max_items = Integer(min_value=1, max_value=MOST_ITEMS, required=False, help_text="So many are rendered; 100.")

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := data.keys() - self.fields.keys()):
            known = ", ".join(self.fields)
            raise serializers.ValidationError(
                _wrong(min(unknown)[:100], f"Unknown field; known: {known}.", "unknown_field")
            )
        return super().to_internal_value(data)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        times = [attrs.get(name, "") for name in ("window", "max_window", "schedule")]
        try:
            if any(times):
                read_times(times[0], times[1], times[2])
        except InvalidInput as error:
            raise serializers.ValidationError(_wrong(error.field or "", error.message, error.code)) from None
        return attrs


class RouteStepInput(serializers.Serializer[Any]):
    channel = Text(required=False, max_length=16, help_text="The channel of the step.")
    channels = ChannelNames(required=False, help_text="Instead of channel: several channels at once.")
    after = Text(
        required=False,
        help_text="Of every step but the first: 30s to 7d after the step before was tried, such as 10m.",
    )
    unless = serializers.ChoiceField(
        [u.value for u in Unless],
        required=False,
        help_text="What keeps the step from leaving: seen (the default) or delivered.",
    )


@extend_schema_field(RouteStepInput(many=True))
class RouteField(serializers.Field[Any, Any, Any, Any]):
    """A list that `delivery.routes.read_route` checks, as it does in the admin."""

    def to_internal_value(self, data: Any) -> Any:
        return data

    def to_representation(self, value: Any) -> Any:
        return value


class NotificationInput(serializers.Serializer[Any]):
    """One notification to one recipient."""

    recipient = Text(trimmed, max_length=MAX_KEY, help_text="Your own id of the recipient.")
    template = Text(max_length=64, help_text="The key of the template.")
    category = Text(max_length=64, required=False, help_text="Without it, the category of the template.")
    channels = ChannelNames(required=False)
    data = Object(  # type: ignore[assignment]
        MAX_DATA, required=False, help_text=f"Variables of the template, at most {MAX_DATA} bytes."
    )
    send_at = Time(
        required=False,
        allow_null=True,
        help_text="Leaves at this time instead of now; at most a year ahead.",
    )
    send_at_local = LocalTime(
        required=False,
        allow_null=True,
        help_text="Instead of send_at: a time of the recipient's own clock, such as 2030-01-31T09:00; without a time "
        "zone of the recipient, of the tenant's. A time that the clock skips moves forward, the first of two counts.",
    )
    not_after = Time(required=False, allow_null=True, help_text="The message does not leave after this time.")
    group_key = Text(
        max_length=64, required=False, help_text="Your own key, by which notifications are cancelled together."
    )
    route = RouteField(
        required=False,
        allow_null=True,
        help_text="Instead of channels: the next step leaves when the one before failed, or was not seen in time. "
        "Without it, the route of the template; null or an empty list: no route.",
    )
    attachments = Attachments(
        required=False, help_text=f"Files beside those of the template: {MAX_FILES} and 10 MiB together at most."
    )
    digest = DigestInput(required=False)

    def validate_channels(self, value: list[str]) -> list[str]:
        unknown = [name for name in value if name not in channels()]
        if unknown:
            raise serializers.ValidationError(
                f"Unknown channel {unknown[0]!r}; known: {', '.join(sorted(channels()))}.", code="unknown_channel"
            )
        return list(dict.fromkeys(value))

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("send_at") is not None and attrs.get("send_at_local") is not None:
            raise serializers.ValidationError(_wrong("send_at_local", "Not beside send_at: choose one.", "two_times"))
        if wrong := wrong_time(attrs.get("send_at"), attrs.get("not_after"), datetime.now(UTC)):
            raise serializers.ValidationError(wrong)
        return attrs


#: the text fields and their greatest lengths, and those of them that may be missing
_USUAL_TEXTS = {"recipient": MAX_KEY, "template": 64, "category": 64, "group_key": 64}
_OPTIONAL_TEXTS = frozenset({"category", "group_key"})


def validated_quickly(raw: Any) -> dict[str, Any] | None:
    """The values that NotificationInput reads from an item with the usual fields, in 1.5 µs instead of 40 to 55. None
    for any other item, correct or not: NotificationInput validates it and names the wrong field."""
    if not isinstance(raw, dict) or not raw.keys() <= _USUAL_TEXTS.keys() | {"data"}:
        return None
    for name, longest in _USUAL_TEXTS.items():
        if name not in raw and name in _OPTIONAL_TEXTS:
            continue
        value = raw.get(name)
        # a number is not a text; `body.load` has refused U+0000 and half of a surrogate pair already
        if type(value) is not str or not 0 < len(value) <= longest:
            return None
    if trimmed(raw["recipient"]) != raw["recipient"]:
        return None
    data = raw.get("data", {})
    if type(data) is not dict or len(orjson.dumps(data)) > MAX_DATA:
        return None
    return dict(raw)


def wrong_time(send_at: datetime | None, not_after: datetime | None, now: datetime) -> dict[str, ErrorDetail] | None:
    """The field that is wrong, with the reason; None if both times are valid."""
    server_time = f"here it is {now:%Y-%m-%dT%H:%M:%SZ}"
    if send_at is not None and send_at <= now:
        return _wrong("send_at", f"Is in the past; {server_time}.", "in_the_past")
    if send_at is not None and send_at > now + FARTHEST:
        return _wrong("send_at", f"Is more than {FARTHEST.days} days ahead; {server_time}.", "too_far_ahead")
    if not_after is not None and not_after <= now:
        return _wrong("not_after", f"Is in the past; {server_time}.", "in_the_past")
    if not_after is not None and send_at is not None and not_after <= send_at:
        return _wrong("not_after", "Must be after send_at.", "before_send_at")
    return None


def _wrong(field: str, message: str, code: str) -> dict[str, ErrorDetail]:
    return {field: ErrorDetail(message, code=code)}


class RescheduleInput(serializers.Serializer[Any]):
    """Exactly one of the two times."""

    send_at = Time(required=False, help_text="At most a year ahead.")
    send_at_local = LocalTime(required=False, help_text="As in a notification: a time of the recipient's own clock.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs) != 1:
            raise serializers.ValidationError(_wrong("send_at", "Give send_at or send_at_local.", "one_time"))
        return attrs


class CancelGroupInput(serializers.Serializer[Any]):
    group_key = Text(max_length=64)


class CancelGroupOutput(serializers.Serializer[Any]):
    notifications = serializers.IntegerField(help_text="Notifications of the group of which something had not ended.")
    messages = serializers.IntegerField(
        help_text="Their messages that were cancelled, or became unknown with an attempt in doubt."
    )
    in_flight = serializers.IntegerField(
        help_text="Their messages that are being sent: sent where the provider takes them, else cancelled."
    )
    more = serializers.BooleanField(help_text="Further notifications wait; call again.")


# -- answers ----------------------------------------------------------------------------------------------------------


class AcceptedDeliveryOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    step = serializers.IntegerField(required=False, help_text="Only with a route: the step, from 1.")
    channel = serializers.CharField()
    status = serializers.CharField(help_text="queued, or suppressed or expired with a reason.")
    reason = serializers.CharField(required=False)
    segments = serializers.IntegerField(required=False, help_text="Only of an SMS: what the provider bills.")


class AcceptedOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    deliveries = AcceptedDeliveryOutput(many=True)


class NotificationsBulkInput(serializers.Serializer[Any]):
    items = NotificationInput(many=True, help_text="1 to 1,000 notifications.")


class NotificationsBulkItemOutput(serializers.Serializer[Any]):
    index = serializers.IntegerField()
    status = serializers.IntegerField(help_text="202, or the status that this item alone would get.")
    id = serializers.UUIDField(required=False)
    deliveries = AcceptedDeliveryOutput(many=True, required=False)
    problem = ProblemOutput(required=False)


class NotificationsBulkOutput(serializers.Serializer[Any]):
    accepted = serializers.IntegerField()
    refused = serializers.IntegerField()
    items = NotificationsBulkItemOutput(many=True)


class DeliveryEventOutput(serializers.Serializer[Any]):
    what = serializers.CharField()
    detail = serializers.CharField()
    at = serializers.DateTimeField()


class DeliveryOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    channel = serializers.CharField()
    platform = serializers.CharField()
    status = serializers.ChoiceField([s.label for s in Status])
    reason = serializers.CharField()
    detail = serializers.CharField()
    attempts = serializers.IntegerField()
    settled_at = serializers.DateTimeField(allow_null=True)
    segments = serializers.IntegerField(required=False, help_text="Only of an SMS: what the provider bills.")
    history = DeliveryEventOutput(many=True, required=False, help_text="Only for a single notification.")


class RouteStepOutput(serializers.Serializer[Any]):
    step = serializers.IntegerField(help_text="From 1.")
    channels = serializers.ListField(child=serializers.CharField())
    after = serializers.CharField(required=False)
    unless = serializers.CharField(required=False)
    state = serializers.ChoiceField(STEP_STATES)
    leaves_at = serializers.DateTimeField(
        required=False,
        help_text="Only of the next step that waits: when it leaves unless an earlier step reaches the recipient; "
        "earlier if the step before fails, later if the step before is held back.",
    )


class NotificationOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    recipient = serializers.CharField()
    template = serializers.CharField()
    version = serializers.IntegerField()
    category = serializers.CharField()
    mode = serializers.ChoiceField([m.value for m in Mode])
    data = serializers.DictField()  # type: ignore[assignment]
    send_at = serializers.DateTimeField(allow_null=True)
    not_after = serializers.DateTimeField(allow_null=True)
    group_key = serializers.CharField()
    created_at = serializers.DateTimeField()
    steps = RouteStepOutput(many=True, help_text="The steps of its route; empty without one.")
    deliveries = DeliveryOutput(many=True)


class TemplateOutput(serializers.Serializer[Any]):
    key = serializers.CharField()
    name = serializers.CharField()
    category = serializers.CharField(allow_null=True)
    layout = serializers.CharField(help_text="A layout's key, default or none.")
    route = RouteField(allow_null=True, help_text="The fallback route of notifications that bring none.")
    version = serializers.IntegerField()
    variables = serializers.ListField(child=serializers.CharField(), help_text="The variables that the template reads.")
    content = serializers.DictField(help_text="{channel: {locale: {part: Liquid}}}")
    created_at = serializers.DateTimeField()


class TemplateInput(serializers.Serializer[Any]):
    """A field that is left out keeps its value; `content` makes the next version."""

    name = Text(max_length=200, required=False, allow_blank=True)
    category = Text(max_length=64, required=False, allow_null=True, help_text="A category's key, or null.")
    layout = Text(
        max_length=64,
        required=False,
        help_text="A layout's key; default: the tenant's default layout; none: no layout.",
    )
    route = RouteField(
        required=False,
        allow_null=True,
        help_text="The fallback route of notifications that bring none, as in a notification; null: none.",
    )
    content = TemplateContent(MAX_CONTENT, help_text="{channel: {locale: {part: Liquid}}}")


class LayoutInput(serializers.Serializer[Any]):
    """A field that is left out keeps its value."""

    html = Text(max_length=MAX_SOURCE, required=False, allow_blank=True, help_text="HTML or MJML with {{ content }}.")
    text = Text(max_length=MAX_SOURCE, required=False, allow_blank=True, help_text="Around text parts: {{ content }}.")
    postal_address = Text(max_length=500, required=False, allow_blank=True, help_text="Stands at {{ postal_address }}.")
    default = Boolean(required=False, help_text="For all templates that name no other layout.")


class LayoutOutput(serializers.Serializer[Any]):
    key = serializers.CharField()
    html = serializers.CharField()
    text = serializers.CharField()
    postal_address = serializers.CharField()
    default = serializers.BooleanField()
    updated_at = serializers.DateTimeField()
