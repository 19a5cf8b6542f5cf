"""Apple's reasons and what each of them is about, by Apple's documentation."""

from __future__ import annotations

from notifier.providers.apns.verdicts import Means
from notifier.vocabulary.verdicts import Misconfigured, Permanent, Temporary, Throttled, Verdict

DEAD, MISMATCH, ACCOUNT, MESSAGE, LATER, TOO_FAST = (
    Means.DEAD, Means.OTHER_DEVICE, Means.ACCOUNT, Means.MESSAGE, Means.LATER, Means.TOO_FAST,
)  # fmt: skip
#: https://developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns
APPLE: dict[tuple[int, str], Means] = {
    (400, "BadCollapseId"): MESSAGE, (400, "BadDeviceToken"): MISMATCH, (400, "BadExpirationDate"): MESSAGE,
    (400, "BadMessageId"): MESSAGE, (400, "BadPriority"): MESSAGE, (400, "BadTopic"): ACCOUNT,
    (400, "DeviceTokenNotForTopic"): MISMATCH, (400, "DuplicateHeaders"): MESSAGE, (400, "IdleTimeout"): LATER,
    (400, "InvalidPushType"): MESSAGE, (400, "MissingDeviceToken"): MESSAGE, (400, "MissingTopic"): ACCOUNT,
    (400, "PayloadEmpty"): MESSAGE, (400, "TopicDisallowed"): ACCOUNT, (403, "BadCertificate"): ACCOUNT,
    (403, "BadCertificateEnvironment"): ACCOUNT, (403, "ExpiredProviderToken"): LATER, (403, "Forbidden"): ACCOUNT,
    (403, "InvalidProviderToken"): ACCOUNT, (403, "MissingProviderToken"): ACCOUNT,
    (403, "UnrelatedKeyIdInToken"): ACCOUNT, (403, "BadEnvironmentKeyIdInToken"): ACCOUNT, (404, "BadPath"): MESSAGE,
    (405, "MethodNotAllowed"): MESSAGE, (410, "ExpiredToken"): DEAD, (410, "Unregistered"): DEAD,
    (413, "PayloadTooLarge"): MESSAGE, (429, "TooManyProviderTokenUpdates"): TOO_FAST,
    (429, "TooManyRequests"): LATER, (500, "InternalServerError"): LATER, (503, "ServiceUnavailable"): LATER,
    (503, "Shutdown"): LATER,
}  # fmt: skip
VERDICTS: dict[Means, type[Verdict]] = {
    DEAD: Permanent, MISMATCH: Misconfigured, ACCOUNT: Misconfigured, MESSAGE: Permanent, LATER: Temporary,
    TOO_FAST: Throttled,
}  # fmt: skip
