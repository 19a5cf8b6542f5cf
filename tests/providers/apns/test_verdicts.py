"""APNs: Apple's table of reasons, and answers that are not Apple's."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from notifier.providers.apns.verdicts import REASONS, Means
from notifier.sandbox.push_checks import apns_tokens
from notifier.vocabulary.http import Response
from notifier.vocabulary.verdicts import Misconfigured, Permanent, Sent, Temporary, Throttled, Verdict
from tests.providers.apns.accounts import provider
from tests.providers.apns.reasons import APPLE, VERDICTS


def refusal(status: int, reason: str, **more: Any) -> Response:
    headers = {name.replace("_", "-"): more.pop(name) for name in list(more) if name == "retry_after"}
    return Response(status, headers, json.dumps({"reason": reason, **more}).encode())


def test_every_documented_reason_is_in_the_table() -> None:
    assert {reason for _, reason in APPLE} == set(REASONS)
    assert {(status, reason) for status, reasons in apns_tokens.REASONS.items() for reason in reasons} == set(APPLE)


@pytest.mark.parametrize(("status", "reason"), sorted(APPLE))
def test_a_reason_gets_its_verdict(status: int, reason: str) -> None:
    means = APPLE[status, reason]
    verdict = provider().verdict_of(refusal(status, reason))
    assert type(verdict) is VERDICTS[means]
    assert getattr(verdict, "address_is_dead", False) == (means is Means.DEAD)
    assert reason in getattr(verdict, "detail", "")


@pytest.mark.parametrize(
    ("timestamp", "as_of"),
    [
        (1_700_000_000_000, datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        (None, None),
        ("soon", None),
        (True, None),
        (10**30, None),
    ],
)
def test_a_dead_token_is_dead_as_of_apple_s_time(timestamp: Any, as_of: datetime | None) -> None:
    verdict = provider().verdict_of(refusal(410, "Unregistered", timestamp=timestamp))
    assert verdict == Permanent("410 Unregistered", address_is_dead=True, dead_as_of=as_of)


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (Response(200, {"apns-id": "1"}, b""), Sent("1")),
        (refusal(503, "Shutdown", retry_after="7"), Throttled(7.0, "503 Shutdown")),
        (refusal(500, "InternalServerError", retry_after="7"), Throttled(7.0, "500 InternalServerError")),
        (refusal(429, "TooManyProviderTokenUpdates"), Throttled(None, "429 TooManyProviderTokenUpdates")),
        (refusal(400, "SomethingNew"), Permanent("400 SomethingNew")),
        (refusal(403, "SomethingNew"), Misconfigured("403 SomethingNew")),
        (refusal(410, "SomethingNew"), Misconfigured("410 SomethingNew")),
        (refusal(429, "SomethingNew"), Temporary("429 SomethingNew")),
        (refusal(500, "SomethingNew"), Temporary("500 SomethingNew")),
    ],
)
def test_no_other_answer_marks_a_device_dead(response: Response, expected: Verdict) -> None:
    assert provider().verdict_of(response) == expected


@pytest.mark.parametrize("reason", ["BadDeviceToken", "DeviceTokenNotForTopic", "InvalidProviderToken"])
def test_a_fault_of_the_account_names_its_remedy(reason: str) -> None:
    verdict = provider().verdict_of(refusal(400, reason))
    assert isinstance(verdict, Misconfigured)
    assert "account" in verdict.detail
