"""What an answer of APNs means, by Apple's table of reasons.

https://developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import Enum, auto
from typing import Any

from notifier.providers.common.json_answers import json_object
from notifier.providers.common.retry_after import retry_after
from notifier.vocabulary.http import Response
from notifier.vocabulary.verdicts import Misconfigured, Permanent, Sent, Temporary, Throttled, Verdict


class Means(Enum):
    """What a reason is about."""

    DEAD = auto()  #: the app was removed from the device, or the token has expired
    OTHER_DEVICE = auto()  #: the token belongs to another environment, team or app than the account's
    ACCOUNT = auto()  #: the key, the team, the bundle id
    MESSAGE = auto()  #: this request can never be taken
    LATER = auto()  #: the same request may be taken later
    TOO_FAST = auto()  #: the account must slow down


#: Apple's reason -> what it is about, and the remedy that the ledger shows with it
REASONS: Mapping[str, tuple[Means, str]] = {
    # 400
    "BadCollapseId": (Means.MESSAGE, ""),
    "BadDeviceToken": (
        Means.OTHER_DEVICE,
        "the token is of the other environment (sandbox, production) or of another team: register it with the app of"
        " the account for its environment",
    ),
    "BadExpirationDate": (Means.MESSAGE, ""),
    "BadMessageId": (Means.MESSAGE, ""),
    "BadPriority": (Means.MESSAGE, ""),
    "BadTopic": (Means.ACCOUNT, "check the account's bundle id"),
    "DeviceTokenNotForTopic": (
        Means.OTHER_DEVICE,
        "the token is of another app than the account's bundle id: register it with its own app",
    ),
    "DuplicateHeaders": (Means.MESSAGE, ""),
    "IdleTimeout": (Means.LATER, ""),
    "InvalidPushType": (Means.MESSAGE, ""),
    "MissingDeviceToken": (Means.MESSAGE, ""),
    "MissingTopic": (Means.ACCOUNT, "check the account's bundle id"),
    "PayloadEmpty": (Means.MESSAGE, ""),
    "TopicDisallowed": (Means.ACCOUNT, "the key may not send for the account's bundle id"),
    # 403
    "BadCertificate": (Means.ACCOUNT, ""),
    "BadCertificateEnvironment": (Means.ACCOUNT, ""),
    "BadEnvironmentKeyIdInToken": (Means.ACCOUNT, "the key is of the other environment (sandbox, production)"),
    "ExpiredProviderToken": (Means.LATER, "check this server's clock"),
    "Forbidden": (Means.ACCOUNT, ""),
    "InvalidProviderToken": (Means.ACCOUNT, "check the account's team ID, key ID and key, and this server's clock"),
    "MissingProviderToken": (Means.ACCOUNT, ""),
    "UnrelatedKeyIdInToken": (Means.ACCOUNT, "check the account's key ID"),
    # 404, 405
    "BadPath": (Means.MESSAGE, ""),
    "MethodNotAllowed": (Means.MESSAGE, ""),
    # 410
    "ExpiredToken": (Means.DEAD, ""),
    "Unregistered": (Means.DEAD, ""),
    # 413
    "PayloadTooLarge": (Means.MESSAGE, ""),
    # 429: TooManyRequests is about one device, and must not slow the account
    "TooManyProviderTokenUpdates": (Means.TOO_FAST, ""),
    "TooManyRequests": (Means.LATER, "too many pushes to this device"),
    # 500, 503
    "InternalServerError": (Means.LATER, ""),
    "ServiceUnavailable": (Means.LATER, ""),
    "Shutdown": (Means.LATER, ""),
}
#: statuses of 503 and its like, with which Retry-After counts for the whole account
_UNAVAILABLE = frozenset({500, 502, 503, 504})


def verdict_of(response: Response) -> Verdict:
    """The verdict by Apple's reason; by the status where Apple gives no reason that this table knows."""
    if 200 <= response.status < 300:
        return Sent(response.headers.get("apns-id", ""))
    document = json_object(response.body)
    reason = document.get("reason")
    if not isinstance(reason, str):
        return _verdict_by_status(response)
    means, remedy = REASONS.get(reason, (None, ""))
    detail = f"{response.status} {reason}: {remedy}" if remedy else f"{response.status} {reason}"[:300]
    if means is None:
        return _verdict_of_new_reason(response, detail)
    return _VERDICTS[means](response, document, detail)


def _verdict_by_status(response: Response) -> Verdict:
    """An answer that is not Apple's own: of a proxy, or of another server at the address."""
    status = response.status
    detail = f"{status}, and no answer of APNs: another server answered"
    if status in (401, 403, 404, 410):
        return Misconfigured(detail)
    return Throttled(retry_after(response), detail) if status == 429 else _later(response, {}, detail)


def _verdict_of_new_reason(response: Response, detail: str) -> Verdict:
    """Apple has added reasons before: the status tells whom the reason is about."""
    status = response.status
    if status in (401, 403, 410):  # without a reason that this table knows, no device is dead
        return Misconfigured(detail)
    if status == 429 or status >= 500 or status < 400:
        return _later(response, {}, detail)
    return Permanent(detail)


def _later(response: Response, _document: Mapping[str, Any], detail: str) -> Verdict:
    after = retry_after(response) if response.status in _UNAVAILABLE else None
    return Temporary(detail) if after is None else Throttled(after, detail)


def _dead(_response: Response, document: Mapping[str, Any], detail: str) -> Verdict:
    return Permanent(detail, address_is_dead=True, dead_as_of=_time(document.get("timestamp")))


def _time(milliseconds: object) -> datetime | None:
    """The time at which APNs knew that the token is dead; None where it gives none that can be read."""
    if not isinstance(milliseconds, int | float) or isinstance(milliseconds, bool):
        return None
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


_VERDICTS: Mapping[Means, Callable[[Response, Mapping[str, Any], str], Verdict]] = {
    Means.DEAD: _dead,
    Means.OTHER_DEVICE: lambda _response, _document, detail: Misconfigured(detail, one_address=True),
    Means.ACCOUNT: lambda _response, _document, detail: Misconfigured(detail),
    Means.MESSAGE: lambda _response, _document, detail: Permanent(detail),
    Means.LATER: _later,
    Means.TOO_FAST: lambda response, _document, detail: Throttled(retry_after(response), detail),
}
