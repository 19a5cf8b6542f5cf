"""What a push service's answer means for one message.

RFC 8030 §7.3 gives 404 and 410 to a subscription that ended, but a gateway or an outage answers 404 as well. So an
address is dead only when the answer also speaks of the subscription, in the words of one of the services:

    Google   410 "push subscription has unsubscribed or expired", 404 "A valid push subscription endpoint …"
    Mozilla  {"code": 410, "errno": 106, …}; errno 102, 103, 105 and 106 are about the subscription
             https://mozilla-push-service.readthedocs.io/en/latest/http.html#error-codes
    Apple    {"reason": "Unregistered"}
             https://developer.apple.com/documentation/usernotifications/sending-web-push-notifications-in-web-apps-and-browsers
    Microsoft  headers that begin with X-WNS-
             https://learn.microsoft.com/windows/apps/design/shell/tiles-and-notifications/push-request-response-headers
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from notifier.providers.common.json_answers import json_object
from notifier.providers.common.retry_after import retry_after
from notifier.vocabulary.http import Response
from notifier.vocabulary.verdicts import Misconfigured, Permanent, Sent, Temporary, Throttled, Verdict

#: characters of an answer that are looked at
_LOOKED_AT = 2000
_MOZILLA_ENDED = frozenset({102, 103, 105, 106})
_APPLE_ENDED = frozenset({"Unregistered", "ExpiredSubscription", "BadDeviceToken"})
_REASON = re.compile(r"[A-Za-z]{1,60}")
_SUBSCRIPTION = re.compile(r"\bsubscription\b", re.IGNORECASE)
#: the subscription was made with another VAPID key, or without one: Google's sentences, Apple's reason, Mozilla's words
_OTHER_KEY = re.compile(
    r"do(es)? not correspond to|VapidPkHashMismatch|UnauthorizedRegistration|another VAPID key|(public )?key mismatch",
    re.IGNORECASE,
)
_OTHER_KEY_DETAIL = "the subscription was made with another VAPID key"
#: the push service says something about the account's authorization. Without such a word a 401 or 403 says nothing
#: about the account: the endpoint is a stranger's choice
_VAPID = re.compile(r"vapid|jwt|authorization|authentication|crypto-key|credential|\blogin\b|\btoken's\b|signed", re.I)
#: words of an API of Google, which a stranger's endpoint may name: Web Push has no OAuth and no API keys
_OTHER_API = re.compile(r"OAuth|API key|login cookie|UNAUTHENTICATED|PERMISSION_DENIED", re.I)
_MOZILLA_VAPID = 109


def verdict_of(response: Response) -> Verdict:
    status = response.status
    if 200 <= status < 300:
        # the Location names the message at the push service; 201 for Web Push, 200 and 202 of gateways
        return Sent(response.headers.get("location", "")[-200:])
    text = response.body[:_LOOKED_AT].decode(errors="replace")
    document = json_object(response.body)
    detail = f"{status} {_reason(document)}".strip()
    if status in (404, 410):
        if _is_ended(response, document, text):
            return Permanent(detail, address_is_dead=True)
        return _of_endpoint(detail)
    if status in (400, 401, 403):
        return _verdict_of_refusal(status, detail, document, text)
    if status == 413:
        return _own(document, text, detail, Permanent(f"{detail}: the push service takes no message of this size"))
    if status == 429:
        return Throttled(retry_after(response), detail)
    if status == 503 and (after := retry_after(response)) is not None:
        return Throttled(after, detail)
    return Temporary(detail) if status >= 500 else _of_endpoint(detail)


def _of_endpoint(detail: str) -> Temporary:
    """The verdict of an answer that says nothing about the account: a stranger chose the endpoint."""
    return Temporary(detail, one_address=True)


def _verdict_of_refusal(status: int, detail: str, document: Mapping[str, Any], text: str) -> Verdict:
    if _OTHER_KEY.search(text):
        # the token's key id says which key signed, so the client that registered it named a wrong one
        return Permanent(f"{status} {_OTHER_KEY_DETAIL}", address_is_dead=True)
    if (_VAPID.search(text) and not _OTHER_API.search(text)) or document.get("errno") == _MOZILLA_VAPID:
        return Misconfigured(f"{detail}: the push service refuses the account's VAPID authorization")
    if status in (401, 403):
        return _of_endpoint(detail)
    return _own(document, text, detail, Permanent(detail))


def _own(document: Mapping[str, Any], text: str, detail: str, verdict: Verdict) -> Verdict:
    """`verdict` for an answer that may be a push service's own; a page of a gateway passes."""
    is_own = bool(document.get("reason") or "errno" in document or "code" in document)
    plain = bool(text.strip()) and "<" not in text and not text.lstrip().startswith(("{", "["))
    return verdict if is_own or plain else _of_endpoint(detail)


def _is_ended(response: Response, document: Mapping[str, Any], text: str) -> bool:
    errno = document.get("errno")
    return (
        _SUBSCRIPTION.search(text) is not None
        or (type(errno) is int and errno in _MOZILLA_ENDED)
        or _reason(document) in _APPLE_ENDED
        or any(name.startswith("x-wns-") for name in response.headers)
    )


def _reason(document: Mapping[str, Any]) -> str:
    """The service's own code for its answer; no free text, which may quote an endpoint."""
    reason, errno = document.get("reason"), document.get("errno")
    if isinstance(reason, str) and _REASON.fullmatch(reason):
        return reason
    return f"errno {errno}" if type(errno) is int else ""
