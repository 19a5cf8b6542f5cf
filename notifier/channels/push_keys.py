"""The keys of a push's blocks (`android`, `apns`, `webpush`, `fcm`) and what each value must be.

A value is a text, because templates render texts; `typed_value` is the value that a provider puts into its request. An
empty text means that the key is absent, so that a template may leave a key out for some recipients.

    https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages
    https://developer.apple.com/documentation/usernotifications/generating-a-remote-notification
    https://developer.mozilla.org/docs/Web/API/ServiceWorkerRegistration/showNotification
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from notifier.channels.links import runs_code
from notifier.errors import InvalidInput

#: the largest time in seconds that a key takes: the year 2100
_LATEST = 4_102_444_800
_INTEGER = re.compile(r"[0-9]{1,10}")
_DECIMAL = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")
_COLOR = re.compile(r"#[0-9A-Fa-f]{6}")
_TIMES = re.compile(r"[0-9]{1,5}( ?, ?[0-9]{1,5}){0,31}")
_LABEL = re.compile(r"[A-Za-z0-9_.~%-]{1,50}")
_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}")  # RFC 8030 §5.4
_TIME = re.compile(
    r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-][0-2][0-9]:[0-5][0-9])"
)
_DURATION = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?s")
_LOCATION = re.compile(r"(https?://[^/?#\s]|/(?![/\\]))\S*", re.IGNORECASE)
#: the text of a header: visible ASCII with blanks inside
_HEADER_TEXT = re.compile(r"[!-~]([ -~]{0,62}[!-~])?")
#: keys of JSON objects that a provider writes itself
_RESERVED_CUSTOM = "aps"
#: objects and lists inside of each other in one value. orjson reads 1,024 levels and writes 254 only
MAX_LEVELS = 32


@dataclass(frozen=True)
class Kind:
    """What a value must be. `must_be` completes the sentence "It must be …"; `value` is the value of a text that
    `accepts` accepted."""

    must_be: str
    accepts: Callable[[str], bool]
    value: Callable[[str], Any] = str


@dataclass(frozen=True)
class BlockKey:
    name: str
    kind: Kind
    #: what the key does, for the documentation
    does: str


def _text(most: int = 1000) -> Kind:
    return Kind(f"a text of at most {most} characters", lambda text: len(text) <= most)


def _one_of(*texts: str) -> Kind:
    return Kind(f"one of: {', '.join(texts)}", texts.__contains__)


def _integer(most: int, what: str = "") -> Kind:
    return Kind(
        what or f"a whole number from 0 to {most}", lambda t: bool(_INTEGER.fullmatch(t)) and int(t) <= most, int
    )


def _matching(must_be: str, pattern: re.Pattern[str]) -> Kind:
    return Kind(must_be, lambda text: pattern.fullmatch(text) is not None)


def _json(must_be: str, accepts: Callable[[Any], bool]) -> Kind:
    return Kind(must_be, lambda text: accepts(_parsed(text)), orjson.loads)


def _parsed(text: str) -> Any:
    """The value of a JSON text; None for a text that is no JSON or has more than MAX_LEVELS levels."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return value if _has_levels(value, MAX_LEVELS) else None


def _has_levels(value: Any, most: int) -> bool:
    """Whether objects and lists stand inside of each other `most` times at most."""
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return most > 0 and all(_has_levels(each, most - 1) for each in inner)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_custom(value: Any) -> bool:
    return isinstance(value, dict) and _RESERVED_CUSTOM not in value


def _are_actions(value: Any) -> bool:
    return (
        isinstance(value, list)
        and 1 <= len(value) <= 10
        and all(
            isinstance(each, dict) and {"action", "title"} <= each.keys() <= {"action", "title", "icon", "link"}
            for each in value
        )
        and all(isinstance(text, str) and text for each in value for text in each.values())
        # a service worker opens nothing else
        and all(each.get("link", "/").startswith(("https://", "/")) for each in value)
    )


def _are_lights(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"color", "light_on_duration", "light_off_duration"}
        and isinstance(value["color"], dict)
        and all(isinstance(text := value[name], str) and _DURATION.fullmatch(text) for name in value.keys() - {"color"})
    )


def _times(text: str) -> list[int]:
    return [int(each) for each in text.split(",")]


TEXT = _text()
BOOLEAN = Kind("true or false", ("true", "false").__contains__, lambda text: text == "true")
COUNT = _integer(999_999)
SECONDS = _integer(_LATEST, "a time in seconds since 1970")
TIME = _matching("a time such as 2026-10-02T15:01:23Z", _TIME)
DECIMAL = Kind("a number such as 0.5", lambda text: _DECIMAL.fullmatch(text) is not None, float)
COLOR = _matching("a color such as #ff8800", _COLOR)
TIMES = Kind("milliseconds, separated by commas: 200,100,200", lambda t: _TIMES.fullmatch(t) is not None, _times)
LOCATION = Kind(
    "a URL that begins with https://, or a path such as /icon.png",
    lambda text: len(text) <= 2000 and _LOCATION.fullmatch(text) is not None and not runs_code(text),
)
#: `apns-push-type`, by Apple's documentation
PUSH_TYPES = (
    "alert", "background", "location", "voip", "complication", "fileprovider", "mdm", "liveactivity", "pushtotalk",
    "widgets", "controls",
)  # fmt: skip
_SHORT_ID = _matching("1 to 64 letters, digits and signs of ASCII, as a header holds them", _HEADER_TEXT)
OBJECT = _json(f"a JSON object of at most {MAX_LEVELS} levels", _is_object)

_BLOCKS: Mapping[str, tuple[BlockKey, ...]] = {
    "android": (
        BlockKey("channel_id", TEXT, "the app's notification channel"),
        BlockKey("icon", TEXT, "a drawable resource of the app, as the small icon"),
        BlockKey("color", COLOR, "the color of the icon"),
        BlockKey("image", LOCATION, "an image for Android only, in place of the part `image`"),
        BlockKey("sound", TEXT, "a sound for Android only, in place of the part `sound`"),
        BlockKey("tag", TEXT, "a later push with the same tag replaces this one; default: the delivery's own"),
        BlockKey("click_action", TEXT, "the intent filter of the activity that a tap opens"),
        BlockKey("ticker", TEXT, "the text for accessibility services"),
        BlockKey("visibility", _one_of("private", "public", "secret"), "what a locked screen shows"),
        BlockKey("notification_count", COUNT, "the number on the app's icon, in place of the part `badge`"),
        BlockKey(
            "notification_priority",
            _one_of("min", "low", "default", "high", "max"),
            "how prominently Android shows the push; `priority` is about the delivery",
        ),
        BlockKey("sticky", BOOLEAN, "the push stays after a tap"),
        BlockKey("local_only", BOOLEAN, "no other device, such as a watch, shows the push"),
        BlockKey("vibrate", TIMES, "pause and vibration by turns"),
        BlockKey("default_sound", BOOLEAN, "the device's own sound"),
        BlockKey("default_vibrate_timings", BOOLEAN, "the device's own vibration"),
        BlockKey("default_light_settings", BOOLEAN, "the device's own light"),
        BlockKey(
            "light_settings",
            _json("a JSON object of color, light_on_duration and light_off_duration", _are_lights),
            "the device's light, as FCM's `LightSettings`",
        ),
        BlockKey("event_time", TIME, "when the event happened; sorts the pushes"),
        BlockKey("proxy", _one_of("allow", "deny", "if_priority_lowered"), "whether Android may show it for the app"),
        BlockKey("collapse_key", _text(64), "of pushes that wait for a device, only the last with this key arrives"),
        BlockKey("restricted_package_name", TEXT, "the only app that may receive the push"),
        BlockKey("direct_boot_ok", BOOLEAN, "delivered before the first unlock after a restart"),
        BlockKey("bandwidth_constrained_ok", BOOLEAN, "delivered while the network is constrained"),
        BlockKey("restricted_satellite_ok", BOOLEAN, "delivered over a restricted satellite network"),
    ),
    "apns": (
        BlockKey("subtitle", TEXT, "a line between title and body"),
        BlockKey("sound", TEXT, "a sound for Apple only, in place of the part `sound`"),
        BlockKey("critical", BOOLEAN, "it sounds while the device is muted; needs Apple's entitlement"),
        BlockKey("volume", DECIMAL, "the volume of a critical alert, 0 to 1"),
        BlockKey("thread_id", TEXT, "pushes with the same id are grouped"),
        BlockKey("category", TEXT, "the app's notification category, with its buttons"),
        BlockKey(
            "interruption_level",
            _one_of("passive", "active", "time-sensitive", "critical"),
            "how far the push may interrupt",
        ),
        BlockKey("relevance_score", DECIMAL, "0 to 1: the order in the summary; any number for a Live Activity"),
        BlockKey("content_available", BOOLEAN, "wakes the app in the background"),
        BlockKey("mutable_content", BOOLEAN, "the app's service extension may change the push"),
        BlockKey("target_content_id", TEXT, "the window of the app that opens"),
        BlockKey("filter_criteria", TEXT, "whether a Focus shows the push"),
        BlockKey(
            "collapse_id", _SHORT_ID, "a later push with the same id replaces this one; default: the delivery's own"
        ),
        BlockKey(
            "push_type",
            _one_of(*PUSH_TYPES),
            "Apple's push type; default: `liveactivity` with `event`, `background` for a data message, else `alert`",
        ),
        BlockKey("event", _one_of("start", "update", "end"), "what happens to a Live Activity"),
        BlockKey("content_state", OBJECT, "the dynamic content of a Live Activity"),
        BlockKey("attributes_type", TEXT, "the type of the attributes of a Live Activity that starts"),
        BlockKey("attributes", OBJECT, "the attributes of a Live Activity that starts"),
        BlockKey("timestamp", SECONDS, "when the content of a Live Activity was true; default: when the push leaves"),
        BlockKey("stale_date", SECONDS, "when a Live Activity is out of date"),
        BlockKey("dismissal_date", SECONDS, "when an ended Live Activity disappears"),
        BlockKey(
            "payload",
            _json(f"a JSON object of at most {MAX_LEVELS} levels, without the key aps", _is_custom),
            "keys beside `aps`, for the app",
        ),
    ),
    "webpush": (
        BlockKey("icon", LOCATION, "the picture beside the text"),
        BlockKey("badge", LOCATION, "the small monochrome picture of Android's status bar; it is no number"),
        BlockKey("image", LOCATION, "an image for browsers only, in place of the part `image`"),
        BlockKey("tag", TEXT, "a later push with the same tag replaces this one; default: the delivery's own"),
        BlockKey("renotify", BOOLEAN, "a push that replaces another one alerts again"),
        BlockKey("require_interaction", BOOLEAN, "the push stays until the recipient acts"),
        BlockKey("silent", BOOLEAN, "no sound and no vibration"),
        BlockKey("vibrate", TIMES, "vibration and pause by turns"),
        BlockKey("lang", _text(35), "the language of the texts, such as de-AT"),
        BlockKey("dir", _one_of("auto", "ltr", "rtl"), "the direction of the texts"),
        BlockKey("timestamp", SECONDS, "when the event happened"),
        BlockKey(
            "actions",
            _json('a JSON list of up to 10 buttons such as {"action": "reply", "title": "Reply"}', _are_actions),
            "the buttons of the push; further keys of a button are `icon` and `link`, an https URL or a path",
        ),
        BlockKey("urgency", _one_of("very-low", "low", "normal", "high"), "Web Push's Urgency; default: by `priority`"),
        BlockKey(
            "topic",
            _matching("1 to 32 letters, digits, - and _", _TOPIC),
            "of pushes that wait for a browser, only the last with this topic arrives; default: the delivery's own",
        ),
    ),
    "fcm": (
        BlockKey(
            "analytics_label",
            _matching("1 to 50 letters, digits and _ . ~ % -", _LABEL),
            "the label of the push in Firebase's reports",
        ),
        BlockKey("live_activity_token", TEXT, "the token of a Live Activity, or its push-to-start token"),
    ),
}
#: block -> its keys by name
BLOCKS: Mapping[str, Mapping[str, BlockKey]] = {
    block: {key.name: key for key in keys} for block, keys in _BLOCKS.items()
}


def check_names(block: str, names: Iterable[str]) -> None:
    """Raise InvalidInput for a name that is no key of the block."""
    keys = BLOCKS[block]
    for name in names:
        if name not in keys:
            raise InvalidInput(
                f"{block} has no key {name[:60]!r}; it has: {', '.join(keys)}.", field=f"{block}.{name[:60]}"
            )


def check_values(block: str, texts: Mapping[str, str]) -> None:
    """Raise InvalidInput for a rendered text that its key cannot have. Empty texts stand for absent keys."""
    keys = BLOCKS[block]
    for name, text in texts.items():
        if text and not keys[name].kind.accepts(text):
            raise InvalidInput(f"{block}.{name} must be {keys[name].kind.must_be}.", field=f"{block}.{name}")


def typed_value(block: str, name: str, text: str) -> Any:
    """The value of a checked text: a text, a number, true or false, a list or an object."""
    return BLOCKS[block][name].kind.value(text)


def typed_values(block: str, texts: Mapping[str, str]) -> dict[str, Any]:
    """The values of a block's checked texts, without absent keys."""
    keys = BLOCKS[block]
    return {name: keys[name].kind.value(text) for name, text in texts.items() if text}
