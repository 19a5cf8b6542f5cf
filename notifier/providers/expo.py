"""Expo's push service: apps that are built with Expo, on Android and iOS.

    https://docs.expo.dev/push-notifications/sending-notifications/

Up to 100 messages travel in one request, and the answer has a *ticket* for each of them. What became of a message
stands in its *receipt*, which must be fetched. A push token names its project by itself; the access token is needed
only where the project asks for one.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import orjson

from notifier.channels.push import PushMessage
from notifier.channels.push_keys import typed_values
from notifier.errors import InvalidInput
from notifier.providers import base
from notifier.providers.common.app_data import app_data
from notifier.providers.common.batches import BatchProvider
from notifier.providers.common.json_answers import json_object
from notifier.providers.common.requests import answer_to
from notifier.providers.common.retry_after import retry_after
from notifier.vocabulary.checks import ConnectionCheck
from notifier.vocabulary.http import HttpClient, Request, Response
from notifier.vocabulary.receipts import EventKind, ReceiptEvent
from notifier.vocabulary.verdicts import Misconfigured, Permanent, Sent, Temporary, Throttled, Verdict

TOKEN = re.compile(r"Expo(nent)?PushToken\[[!-Z^-~]{1,200}\]")
#: bytes of the notification that Expo hands to Apple and Google
LARGEST = 4096
#: receipts exist 15 minutes after sending (the documentation's advice); those of the sandbox exist at once
RECEIPT_AFTER, RECEIPT_AFTER_IN_SANDBOX = 900.0, 2.0
#: bodies above so many bytes are compressed, as by Expo's own client
COMPRESSED_ABOVE = 1024
#: 100 messages of one campaign shrink from 31 kB to 2.6 kB in 0.13 ms; level 6 takes 0.29 ms for 7 % less (measured)
COMPRESSION_LEVEL = 1

NO_RECEIPT = "00000000-0000-0000-0000-000000000000"  #: an id that no message has
DEAD = "DeviceNotRegistered"

#: fields of Expo's message -> block and key of ours
_FIELDS = {
    "channelId": ("android", "channel_id"), "icon": ("android", "icon"), "subtitle": ("apns", "subtitle"),
    "categoryId": ("apns", "category"), "interruptionLevel": ("apns", "interruption_level"),
    "threadId": ("apns", "thread_id"), "targetContentId": ("apns", "target_content_id"),
    "filterCriteria": ("apns", "filter_criteria"), "relevanceScore": ("apns", "relevance_score"),
    "mutableContent": ("apns", "mutable_content"), "contentAvailable": ("apns", "content_available"),
}  # fmt: skip
_HANDED_ON = ("title", "subtitle", "body", "data", "richContent")


@dataclass(frozen=True)
class ExpoConfig(base.Config):
    access_token: str = base.optional_secret(
        help_text="Of a robot user at expo.dev. Needed only when the project has enhanced push security."
    )

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Self:
        config = super().parse(raw)
        if config.access_token and not re.fullmatch(r"[!-~]{8,500}", config.access_token):
            raise InvalidInput("An access token is a text of 8 to 500 characters without spaces.", field="access_token")
        return config

    @classmethod
    def sandbox(cls, origin: str) -> Self:
        return cls()


class Expo(BatchProvider[PushMessage]):
    name = "expo"
    channel = "push"
    platform = "expo"
    default_account = False
    rate_per_s = 600  # notifications a second: the error TOO_MANY_REQUESTS of the documentation
    limit_of = "this Expo project"
    largest_batch = 100
    polls_receipts = True
    most_receipts = 1000  # the error PUSH_TOO_MANY_RECEIPTS of the documentation
    Config = ExpoConfig
    config: ExpoConfig
    origin = "https://exp.host"

    def __init__(self, config: ExpoConfig, origin: str | None = None, timeout: float = 10.0) -> None:
        super().__init__(config, origin, timeout)
        self._receipt_after = RECEIPT_AFTER if self.base == self.origin else RECEIPT_AFTER_IN_SANDBOX
        self._send_url = f"{self.base}/--/api/v2/push/send"
        self._receipts_url = f"{self.base}/--/api/v2/push/getReceipts"
        headers = [("accept", "application/json"), ("content-type", "application/json")]
        if config.access_token:
            headers.append(("authorization", f"Bearer {config.access_token}"))
        self._headers = tuple(headers)

    @classmethod
    def check_token(cls, token: str) -> str:
        if not TOKEN.fullmatch(token):
            raise InvalidInput(
                "An Expo push token looks like ExponentPushToken[xxxxxxxxxxxxxxxxxxxxxx]: the `data` of"
                " getExpoPushTokenAsync().",
                field="token",
            )
        return token

    def can_replace(self, other: base.Provider[PushMessage]) -> bool:
        """A push token names its project by itself, whatever account sends."""
        return isinstance(other, Expo)

    # -- the message --

    def request(self, message: PushMessage, token: str) -> Request:
        notification = notification_of(message)
        body = orjson.dumps({"to": message.envelope.address.value, **notification})
        if len(body) > LARGEST and (size := _size(notification)) > LARGEST:
            raise base.Unbuildable(f"the notification has {size:,} bytes; Expo takes {LARGEST:,}")
        return Request("POST", self._send_url, self._headers, body, self.timeout)

    def combine(self, requests: Sequence[Request]) -> Request:
        return self._post(self._send_url, b"[%b]" % b",".join(request.body for request in requests))

    def _post(self, url: str, body: bytes) -> Request:
        if len(body) <= COMPRESSED_ABOVE:
            return Request("POST", url, self._headers, body, self.timeout)
        headers = (*self._headers, ("content-encoding", "gzip"))
        return Request("POST", url, headers, gzip.compress(body, COMPRESSION_LEVEL, mtime=0), self.timeout)

    # -- the answer --

    def entries(self, response: Response) -> Sequence[Response]:
        tickets = json_object(response.body).get("data")
        if response.status >= 300 or not isinstance(tickets, list):
            return []
        return [Response(200, response.headers, orjson.dumps({"data": ticket})) for ticket in tickets]

    def split(self, requests: Sequence[Request], refusal: Response) -> Sequence[Sequence[int]]:
        """By project, when the messages are of several projects: Expo names the tokens of each. In halves, when they
        are too many. Otherwise, each message alone."""
        error = _request_error(json_object(refusal.body))
        if error.get("code") == "PUSH_TOO_MANY_EXPERIENCE_IDS":
            return _by_project([orjson.loads(request.body)["to"] for request in requests], error.get("details"))
        if error.get("code") == "PUSH_TOO_MANY_NOTIFICATIONS":
            middle = len(requests) // 2
            return [range(middle), range(middle, len(requests))]
        return super().split(requests, refusal)

    def verdict_of(self, response: Response) -> Verdict:
        document = json_object(response.body)
        error = _request_error(document)
        if 200 <= response.status < 300 and not error:
            ticket = document.get("data")
            return self._verdict_of_ticket(ticket if isinstance(ticket, dict) else {})
        return _verdict_of_refusal(response, error)

    def _verdict_of_ticket(self, ticket: Mapping[str, Any]) -> Verdict:
        if ticket.get("status") == "error":
            code, detail = _code_and_detail(ticket)
            return VERDICTS.get(code, Permanent)(detail)
        reference = ticket.get("id")
        if not isinstance(reference, str) or not reference:
            return Sent()  # a repeat of a message whose ticket cannot be read would arrive twice
        return Sent(reference, receipt_after=self._receipt_after)

    # -- receipts --

    def receipts_request(self, refs: Sequence[str]) -> Request:
        return self._post(self._receipts_url, orjson.dumps({"ids": refs}))

    def fetched_receipts(self, response: Response) -> Mapping[str, ReceiptEvent]:
        document = json_object(response.body)
        receipts = document.get("data")
        if response.status != 200 or not isinstance(receipts, dict):
            raise ValueError(_detail_of_refusal(response, _request_error(document)))
        return {ref: _event_of(ref, receipt) for ref, receipt in receipts.items() if isinstance(receipt, dict)}

    # -- test connection --

    def test(self, client: HttpClient) -> Iterator[ConnectionCheck]:
        """Ask for the receipt of a message that does not exist: Expo then checks the access token."""
        request = self.receipts_request([NO_RECEIPT])
        answer = answer_to(client, request)
        if not isinstance(answer, Response):
            yield ConnectionCheck("connection", False, f"Expo cannot be reached: {answer.detail}")
            return
        try:
            self.fetched_receipts(answer)
        except ValueError as error:
            yield _failed_check(answer, str(error))
            return
        if self.config.access_token:
            yield ConnectionCheck("access token", True, "Expo accepts the access token.")
        else:
            text = "Expo answers. Whether the project asks for an access token shows when a message is sent."
            yield ConnectionCheck("access token", None, text)


# ---- the message -------------------------------------------------------------------------------------------------


def notification_of(message: PushMessage) -> dict[str, Any]:
    """Expo's message without `to`: https://docs.expo.dev/push-notifications/sending-notifications/#message-request-format

    A data message wakes the app and shows nothing.
    """
    blocks = {"android": typed_values("android", message.android), "apns": typed_values("apns", message.apns)}
    key = message.envelope.collapse_key
    notification: dict[str, Any] = {
        "data": app_data(message),
        "priority": "high" if message.is_urgent else "normal",
        "tag": blocks["android"].get("tag", key),
        "collapseId": blocks["apns"].get("collapse_id", key),
    }
    notification |= {name: text for name in ("title", "body") if (text := getattr(message, name))}
    notification |= {field: blocks[block][key] for field, (block, key) in _FIELDS.items() if key in blocks[block]}
    if sound := _sound(message, blocks["apns"]):
        notification["sound"] = sound
    if message.badge.isdecimal():
        notification["badge"] = int(message.badge)
    if message.image:
        notification["richContent"] = {"image": message.image}
    if (lifetime := message.lifetime) is not None:
        notification["ttl"] = lifetime
    if message.is_data:
        notification["contentAvailable"] = True
    return notification


def _size(notification: Mapping[str, Any]) -> int:
    """Bytes of what Expo hands on to Apple and Google, at least: the rest of the message is small."""
    return len(orjson.dumps({name: notification[name] for name in _HANDED_ON if name in notification}))


def _sound(message: PushMessage, apns: Mapping[str, Any]) -> str | dict[str, Any]:
    """The sound; for a critical alert the object that Expo takes."""
    name: str = apns.get("sound") or message.sound
    if not apns.get("critical"):
        return name
    loud = {"volume": apns["volume"]} if "volume" in apns else {}
    return {"critical": True, "name": name or "default", **loud}


# ---- verdicts ----------------------------------------------------------------------------------------------------


def _dead(detail: str) -> Verdict:
    return Permanent(detail, address_is_dead=True)


def _of_project(detail: str) -> Verdict:
    """The credentials of the token's project are wrong. The token names the project, and any app may have made it, so
    that says nothing about the account."""
    return Temporary(detail, one_address=True)


#: https://docs.expo.dev/push-notifications/sending-notifications/#individual-errors, and the types of Expo's own client
#: (expo-server-sdk 7.2). MessageRateExceeded concerns one device, so it does not slow the account down
VERDICTS: Mapping[str, Callable[[str], Verdict]] = {
    DEAD: _dead,
    "MessageTooBig": Permanent,
    "DeveloperError": Permanent,
    "MessageRateExceeded": Temporary,
    "ProviderError": Temporary,
    "ExpoError": Temporary,
    "MismatchSenderId": _of_project,
    "InvalidCredentials": _of_project,
    "InvalidProviderToken": _of_project,
}


def _verdict_of_refusal(response: Response, error: Mapping[str, Any]) -> Verdict:
    """The verdict of an answer to the request as a whole: https://docs.expo.dev/push-notifications/sending-notifications/#request-errors"""
    status, code, detail = response.status, error.get("code"), _detail_of_refusal(response, error)
    if status == 429 or code == "TOO_MANY_REQUESTS":
        return Throttled(retry_after(response), detail)
    if status in (401, 403, 404, 410) or code in ("UNAUTHORIZED", "FORBIDDEN"):
        return Misconfigured(detail)
    if status == 503:
        after = retry_after(response)
        return Temporary(detail, unavailable=True) if after is None else Throttled(after, detail)
    if status >= 500 or 300 <= status < 400 or status == 408 or not error or error.get("isTransient") is True:
        return Temporary(detail)  # this includes answers that are not Expo's own, such as a proxy's page
    return Permanent(detail)


def _request_error(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The first error about the request as a whole; empty when there is none."""
    errors = document.get("errors")
    error = errors[0] if isinstance(errors, list) and errors else None
    return error if isinstance(error, dict) and isinstance(error.get("code"), str) else {}


def _detail_of_refusal(response: Response, error: Mapping[str, Any]) -> str:
    return _without_tokens(f"{response.status} {error.get('code') or ''} {error.get('message') or ''}")


def _code_and_detail(entry: Mapping[str, Any]) -> tuple[str, str]:
    """The error of a ticket or a receipt."""
    details = entry.get("details")
    code = details.get("error") if isinstance(details, dict) else None
    code = code if isinstance(code, str) else ""
    return code, _without_tokens(f"{code} {entry.get('message') or ''}")


def _without_tokens(text: str) -> str:
    """Expo's text without the tokens that it quotes: the ledger shows the text."""
    return " ".join(TOKEN.sub("…", text).split())[:300]


def _by_project(tokens: Sequence[str], details: Any) -> list[list[int]]:
    """The positions of the tokens of each project; those that Expo does not name, together. `details`: tokens by
    project."""
    named = {
        token: project
        for project, of_project in (details.items() if isinstance(details, dict) else ())
        for token in (of_project if isinstance(of_project, list) else ())
        if isinstance(token, str)
    }
    parts: dict[str, list[int]] = {}
    for position, token in enumerate(tokens):
        parts.setdefault(named.get(token, ""), []).append(position)
    return list(parts.values())


def _event_of(ref: str, receipt: Mapping[str, Any]) -> ReceiptEvent:
    """`ok` means that Apple's or Google's push service has taken the message, not that the device has."""
    if receipt.get("status") != "error":
        return ReceiptEvent(EventKind.DELIVERED, provider_ref=ref, detail="Apple's or Google's push service took it")
    code, detail = _code_and_detail(receipt)
    return ReceiptEvent(EventKind.FAILED, provider_ref=ref, permanent=code == DEAD, detail=detail)


def _failed_check(answer: Response, detail: str) -> ConnectionCheck:
    if answer.status == 429 or answer.status >= 500:
        return ConnectionCheck("connection", None, f"Expo cannot answer now ({detail}). Try again later.")
    text = f"Expo refuses the access token ({detail}). Create one for a robot user at expo.dev."
    return ConnectionCheck("access token", False, text)
