"""APNs: payloads against Apple's documented keys, headers, Apple's table of reasons, the provider token, the settings."""

from __future__ import annotations

import base64
import datetime
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from notifier.channels.push import PushMessage
from notifier.errors import InvalidInput
from notifier.providers.apns.config import OPEN_TEAM, ApnsConfig, signing_key
from notifier.providers.apns.provider import IMPOSSIBLE_TOKEN, Apns
from notifier.providers.apns.provider_token import PERIOD, issue_time
from notifier.providers.apns.verdicts import REASONS, Means
from notifier.providers.base import Unbuildable
from notifier.transport import http_client
from notifier.vocabulary.http import Response
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.verdicts import Misconfigured, Permanent, Sent, Temporary, Throttled, Verdict
from tests.providers.people import a_push
from tests.sandbox.process import Sandbox

URL = "https://127.0.0.1:1"
TOKEN = "a1" * 32

#: Apple's keys of `aps` and of its `alert`, with the type of each
#: https://developer.apple.com/documentation/usernotifications/generating-a-remote-notification
APS_KEYS: dict[str, type | tuple[type, ...]] = {
    "alert": (dict, str), "badge": int, "sound": (str, dict), "thread-id": str, "category": str,
    "content-available": int, "mutable-content": int, "target-content-id": str, "interruption-level": str,
    "relevance-score": (int, float), "filter-criteria": str, "stale-date": int, "content-state": dict,
    "timestamp": int, "event": str, "dismissal-date": int, "attributes-type": str, "attributes": dict,
}  # fmt: skip
ALERT_KEYS = {
    "title", "subtitle", "body", "launch-image", "title-loc-key", "title-loc-args", "subtitle-loc-key",
    "subtitle-loc-args", "loc-key", "loc-args", "sound",
}  # fmt: skip


def apns(**changes: Any) -> Apns:
    config = ApnsConfig.sandbox(URL)
    return Apns(ApnsConfig.parse({**config.__dict__, **changes}), changes.pop("origin", URL))


def apns_push(address: str = TOKEN, **changes: Any) -> PushMessage:
    return a_push(address, **changes)


def document(**changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(apns().request(apns_push(**changes), "").body)
    for key, value in body["aps"].items():
        assert isinstance(value, APS_KEYS[key]), key
        assert type(value) is not bool, key
    assert set(body["aps"].get("alert", {})) <= ALERT_KEYS
    return body


def headers(**changes: Any) -> dict[str, str]:
    return dict(apns().request(apns_push(**changes), "").headers)
