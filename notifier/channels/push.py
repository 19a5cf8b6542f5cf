"""Push: a notification on a phone or in a browser; the device's platform names its providers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from orjson import Fragment

from notifier.channels import push_keys
from notifier.channels.base import UNREAD, Channel, Envelope, Message
from notifier.channels.links import check_image, check_link
from notifier.errors import InvalidInput
from notifier.values.push_token import is_push_token
from notifier.vocabulary.content import TenantRules
from notifier.vocabulary.people import Address, Person

#: an email address or a phone number, which `is_push_token` would accept: no platform has such tokens
_OF_ANOTHER_CHANNEL = re.compile(r"[^@/]+@[^@/]+|\+?[0-9]{6,15}")
PRIORITIES = ("high", "normal")
LONGEST_TTL = 28 * 86_400  #: FCM and most push services keep a message for four weeks at most
LARGEST_BADGE = 999_999
LONGEST_SOUND = 100
#: parts that make no other field of a message differ from its default
_PLAIN = frozenset({"title", "body", "link", "image", "data"})
_NOTHING: Mapping[str, str] = MappingProxyType({})
_INTEGER = re.compile(r"0|[1-9][0-9]{0,6}")  # a JSON number has no zeros in front
#: keys of `apns` with which a push needs no text: it wakes the app, or changes a Live Activity
_WITHOUT_TEXT = ("content_available", "event")


@dataclass(frozen=True)
class PushMessage(Message):
    """A push without title and body is a data message: the app gets `data`, and the device shows nothing."""

    title: str
    body: str
    link: str = ""
    image: str = ""
    data: Mapping[str, str] = field(default_factory=dict)
    sound: str = ""
    #: digits: the number on the app's icon; empty: it stays as it is
    badge: str = ""
    #: `high`, `normal`, or empty: the lane decides (`is_urgent`)
    priority: str = ""
    #: seconds, by the template; `lifetime` is what providers use
    ttl: int | None = None
    #: what only one kind of device understands: notifier.channels.push_keys has the names, and the typed values
    android: Mapping[str, str] = field(default_factory=dict)
    apns: Mapping[str, str] = field(default_factory=dict)
    webpush: Mapping[str, str] = field(default_factory=dict)
    fcm: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_data(self) -> bool:
        """Whether there is nothing to show."""
        return not self.title and not self.body

    @property
    def is_urgent(self) -> bool:
        """Whether the device is woken for it."""
        return self.priority == "high" if self.priority else self.envelope.urgent

    @property
    def badge_number(self) -> Fragment:
        """The badge as a number in JSON that orjson writes. The badge of a body template's sample is a placeholder."""
        return Fragment(self.badge)

    @property
    def lifetime(self) -> int | None:
        """Seconds until the push is stale; None: never."""
        left = self.envelope.expires_in
        if self.ttl is None or left is None:
            return left if self.ttl is None else self.ttl
        return min(self.ttl, left)


class Push(Channel):
    name = "push"
    hides_repeats = True
    address_sql = "d.token"
    of_devices = True
    parts = {
        "title": False, "body": False, "link": False, "image": False, "data": False, "sound": False, "badge": False,
        "priority": False, "ttl": False, "android": False, "apns": False, "webpush": False, "fcm": False,
    }  # fmt: skip
    part_help = {
        "title": "the first line; without title and body the push is a data message and shows nothing",
        "body": "the text",
        "link": "what a tap opens",
        "image": "the https address of a picture",
        "data": "an object of texts for the app",
        "sound": "`default`, or the name of a sound file of the app",
        "badge": f"the number on the app's icon, or `{UNREAD}`: the recipient's unread messages when the push leaves",
        "priority": "`high` or `normal`; without it the lane decides",
        "ttl": "seconds after which the push is not delivered any more, at most 2419200 (28 days)",
        "android": "an object for Android devices",
        "apns": "an object for Apple devices",
        "webpush": "an object for browsers",
        "fcm": "an object for Firebase",
    }
    key_help = {
        block: {name: f"{key.does} ({key.kind.must_be})" for name, key in keys.items()}
        for block, keys in push_keys.BLOCKS.items()
    }
    object_parts = frozenset({"data", *push_keys.BLOCKS})
    inspected = frozenset({"link", "image", "sound", "badge", "priority", "ttl", *push_keys.BLOCKS})
    shown = frozenset({"title", "body"})
    unread_part = "badge"
    multiline = frozenset({"body"})
    advanced = frozenset({"data", "sound", "badge", "priority", "ttl", *push_keys.BLOCKS})
    image_parts = frozenset({"image"})
    offered = {"priority": PRIORITIES, "badge": (UNREAD,), "sound": ("default",)}
    look = "phone"

    def addresses(self, person: Person) -> tuple[Address, ...]:
        return tuple(Address(d.token, d.platform, d.id, d.app) for d in person.devices)

    def check_address(self, address: str, is_recipient: Callable[[str], bool]) -> str:
        if not is_push_token(address) or _OF_ANOTHER_CHANNEL.fullmatch(address):
            raise InvalidInput(
                "A push address is a device's token: 8 to 1024 visible ASCII characters, not a recipient's id or email"
                " address.",
                field="address",
            )
        return address

    def message(self, envelope: Envelope, content: Mapping[str, Any]) -> PushMessage:
        get = content.get
        title, body, link, image = get("title", ""), get("body", ""), get("link", ""), get("image", "")
        data = get("data") or _NOTHING
        if content.keys() <= _PLAIN:  # most messages: 0.8 µs less
            return PushMessage(envelope, title, body, link, image, data)
        badge, ttl = get("badge", ""), get("ttl")
        return PushMessage(
            envelope,
            title,
            body,
            link,
            image,
            data,
            sound=get("sound", ""),
            badge="" if badge == UNREAD else badge,
            priority=get("priority", ""),
            ttl=int(ttl) if ttl else None,
            android=get("android") or _NOTHING,
            apns=get("apns") or _NOTHING,
            webpush=get("webpush") or _NOTHING,
            fcm=get("fcm") or _NOTHING,
        )

    def check_parts(self, parts: Mapping[str, Any]) -> None:
        super().check_parts(parts)
        for block in push_keys.BLOCKS.keys() & parts.keys():
            if not isinstance(parts[block], Mapping):
                raise InvalidInput(f"{block} must be an object of texts.", field=block)
            push_keys.check_names(block, parts[block])
        apns = parts.get("apns") or {}
        _check_live_activity(apns)
        if parts.get("title") or parts.get("body"):
            return
        if not self.shown.isdisjoint(parts):
            raise InvalidInput("The title and the body are empty; leave out both for a data message.", field="title")
        if not parts.get("data") and not any(apns.get(name) for name in _WITHOUT_TEXT):
            raise InvalidInput(
                "push needs a title or a body; or, to show nothing, data, apns.content_available or apns.event.",
                field="title",
            )

    def check_content(self, parts: Mapping[str, Any], rules: TenantRules) -> None:
        super().check_content(parts, rules)
        get = parts.get
        check_link(get("link", ""), rules.schemes)
        check_image(get("image", ""))
        if badge := get("badge"):
            _check_badge(badge)
        if (priority := get("priority")) and priority not in PRIORITIES:
            raise InvalidInput("The priority is high or normal; without one, the lane decides.", field="priority")
        if (ttl := get("ttl")) and not (_INTEGER.fullmatch(ttl) and int(ttl) <= LONGEST_TTL):
            raise InvalidInput(f"The ttl is a number of seconds from 0 to {LONGEST_TTL} (28 days).", field="ttl")
        if (sound := get("sound")) and not (len(sound) <= LONGEST_SOUND and sound.isprintable()):
            raise InvalidInput(
                f"The sound is `default` or a file name of at most {LONGEST_SOUND} characters.", field="sound"
            )
        for block in push_keys.BLOCKS:
            if texts := get(block):
                push_keys.check_values(block, texts)

    def check_whole(self, parts: Mapping[str, Any]) -> None:
        super().check_whole(parts)
        _check_live_activity(parts.get("apns") or {})


def _check_badge(badge: str) -> None:
    if badge != UNREAD and not (_INTEGER.fullmatch(badge) and int(badge) <= LARGEST_BADGE):
        raise InvalidInput(
            f"The badge is a number from 0 to {LARGEST_BADGE}, or {UNREAD}: the number of the recipient's unread"
            " messages.",
            field="badge",
        )


def _check_live_activity(apns: Mapping[str, Any]) -> None:
    """Apple drops a push about a Live Activity that lacks one of its keys, and reports nothing."""
    if apns.get("push_type") == "liveactivity" and not apns.get("event"):
        raise InvalidInput("A Live Activity needs apns.event: start, update or end.", field="apns.event")
    if apns.get("event") and not apns.get("content_state"):
        raise InvalidInput("A Live Activity needs apns.content_state, a JSON object.", field="apns.content_state")
    if apns.get("event") == "start":
        for name in ("attributes_type", "attributes"):
            if not apns.get(name):
                raise InvalidInput(f"A Live Activity that starts needs apns.{name}.", field=f"apns.{name}")
