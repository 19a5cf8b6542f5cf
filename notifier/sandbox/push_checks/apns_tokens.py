"""How a device token chooses the answer of the fake APNs: a token that begins with `fff`.

`fff`, the status and two digits choose the reason: `fff41000…` is Unregistered. Eight more digits are the time of a
410 in seconds since 1970; zero means now.
"""

from __future__ import annotations

from collections.abc import Mapping

from notifier.sandbox.fake_service import INTERNAL_ERROR, REFUSED_STREAM, Answer

PREFIX_SIZE = 8
#: status -> Apple's reasons in the order of their two digits
REASONS: Mapping[int, tuple[str, ...]] = {
    400: (
        "BadDeviceToken", "DeviceTokenNotForTopic", "TopicDisallowed", "BadTopic", "MissingTopic", "BadCollapseId",
        "BadExpirationDate", "BadMessageId", "BadPriority", "DuplicateHeaders", "IdleTimeout", "InvalidPushType",
        "MissingDeviceToken", "PayloadEmpty",
    ),
    403: (
        "InvalidProviderToken", "ExpiredProviderToken", "MissingProviderToken", "Forbidden", "BadCertificate",
        "BadCertificateEnvironment", "UnrelatedKeyIdInToken", "BadEnvironmentKeyIdInToken",
    ),
    404: ("BadPath",),
    405: ("MethodNotAllowed",),
    410: ("Unregistered", "ExpiredToken"),
    413: ("PayloadTooLarge",),
    429: ("TooManyRequests", "TooManyProviderTokenUpdates"),
    500: ("InternalServerError",),
    503: ("ServiceUnavailable", "Shutdown"),
}  # fmt: skip
#: first digits of a token -> the status and reason that a device of this token gets
REFUSALS: Mapping[str, tuple[int, str]] = {
    f"fff{status}{number:02d}": (status, reason)
    for status, reasons in REASONS.items()
    for number, reason in enumerate(reasons)
}
#: the device of an app that Xcode installed: its tokens are known in the development environment only
DEVELOPMENT_DEVICE = "fffd0000"
#: a proxy's pages in place of APNs
PAGES: Mapping[str, Answer] = {
    "fffe0001": Answer(502, b"<html>Bad Gateway", content_type="text/html"),
    "fffe0002": Answer(404),
    "fffe0003": Answer(410, b"<html>Gone", content_type="text/html"),
}
#: the message is taken, and then no answer comes
BROKEN: Mapping[str, Answer] = {
    "fffe0010": Answer(0, reset=INTERNAL_ERROR),
    "fffe0011": Answer(0, hangup=True),
}
REFUSED: Mapping[str, Answer] = {"fffe0012": Answer(0, reset=REFUSED_STREAM)}
FLAKY = "fffe0020"  #: 503 the first time
SLOW = "fffe0021"  #: the answer waits for `slow_ms`


def gone_since(token: str, now: float) -> int:
    """The milliseconds of a 410's `timestamp`: as the token says, else `now` (seconds). A whole second would be before
    the registration of a device of the same second."""
    seconds = int(token[PREFIX_SIZE : 2 * PREFIX_SIZE] or "0", 16)
    return int((seconds or now) * 1000)
