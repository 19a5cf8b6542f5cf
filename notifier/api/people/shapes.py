"""Serializers of recipients, devices, preferences and categories."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from notifier.api.framework.fields import Boolean, ChannelNames, Integer, Object, Pattern, Text, Time
from notifier.channels.names import check_channel_names
from notifier.errors import InvalidInput
from notifier.values.trim import trimmed
from notifier.vocabulary.digests import MOST_ITEMS
from notifier.vocabulary.status import Kind
from tenants.models import OptIn, OverCap, Recipient
from tenants.people import attributes, fields
from tenants.people.platforms import MAX_SPELLING, platforms

MAX_PREFERENCES = 16 * 1024
_HOUR = r"^([01]\d|2[0-3]):[0-5]\d\Z"


def _optional(check: Any, limit: int, **kwargs: Any) -> Text:
    """A text that null or "" clears."""
    return Text(check, max_length=limit, required=False, allow_blank=True, allow_null=True, **kwargs)


class Attributes(Object):
    """A JSON object within the limits of tenants.people.attributes."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        values = super().to_internal_value(data)
        try:
            return attributes.check(values)
        except InvalidInput as error:
            raise serializers.ValidationError(f"{error.field}: {error.message}", code=error.code) from None


class RecipientInput(serializers.Serializer[Any]):
    """A given field replaces the stored value, `attributes` as a whole. A field that is left out keeps its value."""

    name = _optional(fields.name, 200)
    email = _optional(fields.email, 254, help_text="Stored in small letters.")
    phone = _optional(fields.phone, 40, help_text="With country code; stored as E.164.")
    locale = _optional(fields.locale, 16, help_text="BCP 47, such as de-AT.")
    timezone = _optional(fields.timezone, 64, help_text="IANA, such as Europe/Berlin.")
    attributes = Attributes(
        attributes.MAX_BYTES,
        required=False,
        help_text=f"At most {attributes.MAX_BYTES} bytes and {attributes.MAX_DEPTH} levels; keys of at most "
        f"{attributes.MAX_KEY} characters, without dots.",
    )
    status = serializers.ChoiceField([Recipient.State.ACTIVE.value, Recipient.State.BLOCKED.value], required=False)


class RecipientOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    external_id = serializers.CharField()
    name = serializers.CharField()
    email = serializers.CharField()
    phone = serializers.CharField()
    locale = serializers.CharField()
    timezone = serializers.CharField()
    device_timezone = serializers.CharField(help_text="Of the device that was seen last; it counts before timezone.")
    attributes = serializers.DictField()
    status = serializers.ChoiceField(Recipient.State.values)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


def device_timezone() -> Text:
    """The field `timezone` of a device that registers."""
    return Text(
        fields.timezone,
        max_length=64,
        required=False,
        allow_blank=True,
        help_text="The phone's time zone (IANA, such as Europe/Berlin). It counts before the recipient's own. "
        "Left out: as it was.",
    )


class DeviceInput(serializers.Serializer[Any]):
    platform = serializers.ChoiceField(platforms())
    token = Text(max_length=MAX_SPELLING, help_text="As the platform gave it to the app; its provider checks it.")
    app = Text(trimmed, max_length=100, required=False, allow_blank=True, help_text="Which of your apps.")
    timezone = device_timezone()


class DeviceOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    platform = serializers.CharField()
    token = serializers.CharField()
    app = serializers.CharField()
    timezone = serializers.CharField()
    created_at = serializers.DateTimeField()
    last_seen_at = serializers.DateTimeField()
    dead_since = serializers.DateTimeField(
        allow_null=True, help_text="Since when the device gets nothing; null: it is alive."
    )
    dead_reason = serializers.CharField(help_text="What the provider said of the token, or `stale`; empty: alive.")


class QuietHours(serializers.Serializer[Any]):
    """In the recipient's own time; from 22:00 until 07:00 spans midnight."""

    until = Pattern(_HOUR, "Must be a time of day such as 22:00.")

    def get_fields(self) -> Any:
        # `from` is a keyword of Python and cannot be a class attribute
        return {"from": Pattern(_HOUR, "Must be a time of day such as 22:00."), **super().get_fields()}


class PreferencesInput(serializers.Serializer[Any]):
    """A given field replaces the stored value as a whole. A field that is left out keeps its value, so no choice is
    lost."""

    everything_off = Boolean(required=False, help_text="true: nothing but critical and transactional messages.")
    channels = Object(MAX_PREFERENCES, required=False, help_text='Such as {"push": false}.')
    categories = Object(
        MAX_PREFERENCES,
        required=False,
        help_text='Such as {"promotions": false, "news": {"push": false}}. true is an opt-in, which some categories '
        "ask for; a category that is left out has neither an opt-out nor an opt-in.",
    )
    preferred_channels = Object(
        MAX_PREFERENCES,
        required=False,
        help_text='The channel for each category, such as {"promotions": "email"}; "" stands for all categories.',
    )
    quiet_hours = QuietHours(required=False, allow_null=True)
    snoozed_until = Time(
        required=False,
        allow_null=True,
        help_text="Marketing waits until then; at most 366 days ahead. null: no snooze.",
    )
    language = _optional(fields.locale, 16, help_text="The language of messages; empty: the recipient's locale.")


class ConsentOutput(serializers.Serializer[Any]):
    category = serializers.CharField()
    entries = serializers.ListField(child=serializers.CharField(), help_text="The category, or category:channel.")
    asked_at = serializers.DateTimeField()
    asked_by = serializers.ChoiceField(["api", "page", "widget", "import"])
    asked_from = serializers.CharField(allow_null=True, help_text="The caller's network address.")
    asked_with = serializers.CharField(help_text="The caller's user agent.")
    language = serializers.CharField()
    text = serializers.CharField(help_text="The mail that asked for the confirmation, without its link.")
    text_sha256 = serializers.CharField()
    notification = serializers.UUIDField(source="notification_id", allow_null=True)
    confirmed_at = serializers.DateTimeField(allow_null=True)
    confirmed_from = serializers.CharField(allow_null=True)
    confirmed_with = serializers.CharField()


class PreferencesOutput(serializers.Serializer[Any]):
    everything_off = serializers.BooleanField()
    channels = serializers.DictField(child=serializers.BooleanField())
    categories = serializers.DictField(help_text="true (an opt-in), false (an opt-out), or an object of channels.")
    preferred_channels = serializers.DictField(child=serializers.CharField())
    quiet_hours = QuietHours(allow_null=True)
    snoozed_until = serializers.DateTimeField(allow_null=True)
    language = serializers.CharField()


def _opt_in(**kwargs: Any) -> serializers.ChoiceField:
    return serializers.ChoiceField(
        ["", *OptIn.values],
        required=False,
        help_text="single: only recipients who asked for it (an opt-in) get it; double: who confirmed that, too; off: "
        "everyone who did not opt out; empty: as the tenant says for marketing, else off.",
        **kwargs,
    )


class PreferredChannels(serializers.ListField):
    """Channels in the order of preference; an empty list is no preference."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("child", Text(max_length=16))
        kwargs.setdefault("max_length", 16)
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> list[str]:
        names = super().to_internal_value(data)
        try:
            return check_channel_names(names, "preferred_channels")
        except InvalidInput as error:
            raise serializers.ValidationError(error.message, code=error.code) from None


def _preferred_channels() -> PreferredChannels:
    return PreferredChannels(
        required=False,
        help_text="A message leaves on the first of these channels that reaches the recipient; on all when none does.",
    )


def _over_cap() -> serializers.ChoiceField:
    return serializers.ChoiceField(
        OverCap.values, required=False, help_text="What becomes of a message that exceeds a frequency cap."
    )


class CategoryInput(serializers.Serializer[Any]):
    key = Pattern(r"^[A-Za-z0-9_-]+\Z", "Must be letters, digits, hyphens and underscores.", max_length=64)
    name = Text(trimmed, max_length=200)
    description = Text(
        trimmed, max_length=500, default="", allow_blank=True, help_text="Shown on recipients' preferences page."
    )
    kind = serializers.ChoiceField(
        [k.value for k in Kind],
        default=Kind.TRANSACTIONAL.value,
        help_text="marketing waits for the end of quiet hours; critical ignores preferences.",
    )
    opt_in = _opt_in()
    preferred_channels = _preferred_channels()
    over_cap = _over_cap()


class CategoryPatch(serializers.Serializer[Any]):
    """A field that is left out keeps its value."""

    name = Text(trimmed, max_length=200, required=False)
    description = Text(trimmed, max_length=500, required=False, allow_blank=True)
    kind = serializers.ChoiceField([k.value for k in Kind], required=False)
    opt_in = _opt_in()
    preferred_channels = _preferred_channels()
    over_cap = _over_cap()
    archived = Boolean(required=False, help_text="true: no new template, campaign or request may use it.")


class CategoryOutput(serializers.Serializer[Any]):
    key = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    kind = serializers.ChoiceField([k.value for k in Kind])
    opt_in = serializers.ChoiceField(["", *OptIn.values])
    preferred_channels = serializers.ListField(child=serializers.CharField())
    over_cap = serializers.ChoiceField(OverCap.values)
    archived = serializers.BooleanField()


class PreferencesLinkOutput(serializers.Serializer[Any]):
    url = serializers.URLField(help_text="The recipient's own page; whoever has the link can change the preferences.")
    ends_at = serializers.DateTimeField()


class DigestSettingInput(serializers.Serializer[Any]):
    """Give window or schedule."""

    template = Text(max_length=64, help_text="The key of the digest template, which reads items and count.")
    window = Text(
        max_length=16,
        required=False,
        help_text="It leaves so long after the newest item: 30s, 10m, 2h, 1d; 30d at most.",
    )
    max_window = Text(
        max_length=16,
        required=False,
        help_text="It leaves so long after the first item at the latest; without it, four windows.",
    )
    schedule = Text(
        max_length=32,
        required=False,
        help_text="Instead of a window: daily at 09:00, or monday at 09:00, on the recipient's clock.",
    )
    max_items = Integer(
        min_value=1,
        max_value=MOST_ITEMS,
        required=False,
        help_text="So many of the newest items are rendered; 100 without it. `count` has them all.",
    )
    channels = ChannelNames(required=False, help_text="Without it, all channels of the digest template.")


class DigestSettingOutput(serializers.Serializer[Any]):
    template = serializers.CharField()
    window = serializers.CharField()
    max_window = serializers.CharField()
    schedule = serializers.CharField()
    max_items = serializers.IntegerField()
    channels = serializers.ListField(child=serializers.CharField())
