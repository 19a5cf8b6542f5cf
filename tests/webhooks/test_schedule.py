"""When the next attempt is. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from notifier.vocabulary.webhooks import EventType, is_filter, matches
from notifier.webhooks.schedule import Result, after_failure, must_disable, retry_after

NOW = datetime(2030, 1, 31, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("attempts", "wait"), [(1, 5), (2, 300), (3, 1_800), (4, 7_200), (5, 18_000), (6, 36_000), (9, 36_000)]
)
def test_waits(attempts: int, wait: int) -> None:
    for chance, expected in ((0.5, wait), (0.0, wait * 0.9), (1.0, wait * 1.1)):
        follows = after_failure(Result(500), attempts, HOUR, 1, lambda chance=chance: chance)  # type: ignore[misc]
        assert follows.wait == pytest.approx(expected)


def test_after_three_days_notifier_gives_up() -> None:
    age, attempts = timedelta(0), 0
    while (wait := after_failure(Result(500), attempts + 1, age, 1, lambda: 0.5).wait) is not None:
        age, attempts = age + timedelta(seconds=wait), attempts + 1
    assert timedelta(days=2.5) < age <= timedelta(days=3)
    assert attempts == 11


@pytest.mark.parametrize(("failures", "pause"), [(1, 5), (2, 10), (3, 20), (6, 160), (7, 300), (500, 300)])
def test_pauses(failures: int, pause: int) -> None:
    assert after_failure(Result(error="no answer"), 1, HOUR, failures, lambda: 0.5).pause == pause


@pytest.mark.parametrize(("asked", "pause"), [("1", 5), ("3600", 3_600), ("999999", 21_600), ("soon", 5)])
def test_the_endpoint_pauses_as_long_as_it_asks(asked: str, pause: int) -> None:
    assert after_failure(Result(429, {"retry-after": asked}), 1, HOUR, 1, lambda: 0.5).pause == pause


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120), ("0", 1), ("999999999", 21_600), ("99999999999999999999", 21_600), ("-5", None), ("1.5", None),
        ("soon", None), ("", None), (format_datetime(NOW + timedelta(minutes=2), usegmt=True), 120),
        (format_datetime(NOW - timedelta(days=9), usegmt=True), 1),
        (format_datetime(NOW + timedelta(days=900), usegmt=True), 21_600), ("٣", None),
        ("Mon, 20 Nov 99999999999999999999 10:00:00 GMT", None),
        ("Mon, 99999999999999999999 Nov 2030 10:00:00 GMT", None),
        ("Mon, 20 Nov 2030 99999999999999999999:00:00 GMT", None), ("Fri, 31 Dec 9999 23:59:59 -2359", 21_600),
        ("Mon, 20 Nov 2030 10:00:00 +99999999999999999999", None), ("Mon, 20 Nov 2030 10:00:00 +9999", None),
    ],
)  # fmt: skip
def test_retry_after(text: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": text}, NOW) == seconds


@pytest.mark.parametrize(
    ("days", "failures", "disabled"), [(5, 5, True), (5, 4, False), (4.9, 500, False), (30, 5, True)]
)
def test_an_endpoint_is_disabled_after_days_and_several_attempts(days: float, failures: int, disabled: bool) -> None:
    assert must_disable(NOW - timedelta(days=days), failures, NOW) is disabled


@pytest.mark.parametrize(
    ("filters", "name", "fits"),
    [
        ([], EventType.SENT, True), (["*"], EventType.SENT, True), (["delivery.*"], EventType.SENT, True),
        (["delivery.*"], EventType.CAMPAIGN_ARMED, False), (["delivery.sent"], EventType.SENT, True),
        (["delivery.sent"], EventType.SUPPRESSED, False), (["campaign.*", "delivery.sent"], EventType.SENT, True),
    ],
)  # fmt: skip
def test_filters(filters: list[str], name: EventType, fits: bool) -> None:
    assert matches(filters, name) is fits


@pytest.mark.parametrize(
    "text", ["delivery", "delivery.", "del*", "delivery.**", "nothing.*", "delivery.sen", "", ".*"]
)
def test_what_is_no_filter(text: str) -> None:
    assert not is_filter(text)
