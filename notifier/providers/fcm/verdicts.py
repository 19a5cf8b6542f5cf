"""What FCM's errors mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from notifier.providers.common.retry_after import retry_after
from notifier.vocabulary.http import Response
from notifier.vocabulary.verdicts import Misconfigured, Permanent, Temporary, Throttled, Verdict

#: Apple or a browser's push service refused the project's own credentials for it, with HTTP status 401. Google took the
#: access token: https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode
THIRD_PARTY_AUTH_ERROR = "THIRD_PARTY_AUTH_ERROR"
_REMEDY = "upload the APNs key (or the web push key) of this app to the Firebase project"
ADDRESS_FIELDS = frozenset({"message.token", "message.fid"})


def verdict_of_error(response: Response, error: Mapping[str, Any]) -> Verdict:
    """The verdict by FCM's own error code if the answer has one, else by the HTTP status.

    https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode
    """
    status, code = response.status, fcm_code(error)
    detail = f"{status} {code or error.get('status') or ''} {error.get('message') or ''}".strip()[:300]
    if code == "UNREGISTERED" or (code == "INVALID_ARGUMENT" and _blames_address(error)):
        return Permanent(detail, address_is_dead=True)
    if code == "SENDER_ID_MISMATCH":
        # the address belongs to another project, or the account is the wrong one
        return Temporary(detail, one_address=True)
    if code == THIRD_PARTY_AUTH_ERROR:
        # the project reaches devices of its other platforms, and each account of this project would get the same answer
        return Misconfigured(f"{status} {code}: {_REMEDY}", one_address=True)
    if status == 403 or (status in (404, 410) and code is None):
        return Misconfigured(detail)  # 404 without a code: the project does not exist, or the server is not FCM
    if status == 401:
        return Temporary(detail)  # the token expired; the engine fetches a new one and tries again
    if code == "QUOTA_EXCEEDED" or status == 429:
        return Throttled(retry_after(response), detail)
    if code == "UNAVAILABLE" or status == 503:
        after = retry_after(response)
        return Temporary(detail) if after is None else Throttled(after, detail)
    if status >= 500 or status < 400 or status == 408 or not isinstance(error.get("status"), str):
        return Temporary(detail)  # this includes answers that are not Google's, such as a proxy's page
    return Permanent(detail)


def _details(error: Mapping[str, Any]) -> list[dict[str, Any]]:
    details = error.get("details")
    return [detail for detail in details if isinstance(detail, dict)] if isinstance(details, list) else []


def fcm_code(error: Mapping[str, Any]) -> str | None:
    """FCM's own code of an error; None for an answer without one."""
    for detail in _details(error):
        code = detail.get("errorCode")
        if isinstance(code, str) and str(detail.get("@type", "")).endswith("FcmError"):
            return code
    return None


def _blames_address(error: Mapping[str, Any]) -> bool:
    """Whether INVALID_ARGUMENT is about the address: FCM names the address's field, or the message says so. The code
    alone does not: https://firebase.google.com/docs/cloud-messaging/manage-tokens calls it a sign of an invalid token
    only where the payload is valid, and most of these answers are about the payload."""
    for detail in _details(error):
        violations = detail.get("fieldViolations")
        for violation in violations if isinstance(violations, list) else []:
            if isinstance(violation, dict) and violation.get("field") in ADDRESS_FIELDS:
                return True
    return "registration token" in str(error.get("message", "")).lower()
