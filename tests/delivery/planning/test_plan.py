"""The plan, which is pure: what a recipient gets, what is suppressed and why, and what must wait."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from notifier.delivery.planning.closed_hours import hold_of
from notifier.delivery.planning.plan import Planned, Rule, Suppressed, When, plan
from notifier.vocabulary.people import DeviceAddress, Person, Preferences
from notifier.vocabulary.status import Kind, Reason

NOON = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
PROMOTIONS = Rule("promotions", Kind.MARKETING)
SECURITY = Rule("security", Kind.CRITICAL)
PHONE = DeviceAddress(uuid.uuid4(), "fcm", "phone", "")
TABLET = DeviceAddress(uuid.uuid4(), "fcm", "tablet", "")


def a_person(**changes: Any) -> Person:
    values: dict[str, Any] = {
        "id": uuid.uuid4(), "external_id": "ada", "name": "Ada", "email": "", "phone": "", "locale": "en",
        "timezone": "", "attributes": {}, "status": "active", "devices": (PHONE,), **changes,
    }  # fmt: skip
    return Person(**values)


def reasons(person: Person, rule: Rule, *channels: str) -> list[str]:
    entries = plan(person, rule, channels, When(NOON))
    return [e.reason if isinstance(e, Suppressed) else "go" for e in entries]


def test_every_device_gets_a_push_of_its_own() -> None:
    entries = plan(a_person(devices=(PHONE, TABLET)), PROMOTIONS, ["push"], When(NOON))
    assert [e.address.value for e in entries] == ["phone", "tablet"]


@pytest.mark.parametrize(
    ("person", "rule", "expected"),
    [
        (a_person(), PROMOTIONS, "go"),
        (a_person(devices=()), PROMOTIONS, Reason.NO_ADDRESS),
        (a_person(status="blocked"), SECURITY, Reason.RECIPIENT_BLOCKED),
        (a_person(status="erased"), SECURITY, Reason.RECIPIENT_ERASED),
        (a_person(preferences=Preferences(channels_off=frozenset({"push"}))), PROMOTIONS, Reason.CHANNEL_OFF),
        (a_person(preferences=Preferences(channels_off=frozenset({"in_app"}))), PROMOTIONS, "go"),
        (a_person(preferences=Preferences(categories_off=frozenset({"promotions"}))), PROMOTIONS, Reason.CATEGORY_OFF),
        (
            a_person(preferences=Preferences(categories_off=frozenset({"promotions:push"}))),
            PROMOTIONS,
            Reason.CATEGORY_OFF,
        ),
        (a_person(preferences=Preferences(categories_off=frozenset({"promotions:email"}))), PROMOTIONS, "go"),
        (a_person(preferences=Preferences(categories_off=frozenset({"promotions"}))), Rule("news"), "go"),
        (a_person(preferences=Preferences(channels_off=frozenset({"push"}))), SECURITY, "go"),
        (a_person(suppressed=frozenset({("push", "phone")})), SECURITY, Reason.ADDRESS_SUPPRESSED),
    ],
)
def test_a_no_is_a_no_and_only_a_critical_message_passes_preferences(person: Person, rule: Rule, expected: str) -> None:
    assert reasons(person, rule, "push") == [expected]


def test_one_suppressed_address_leaves_the_other_device_alone() -> None:
    person = a_person(devices=(PHONE, TABLET), suppressed=frozenset({("push", "phone")}))
    assert reasons(person, PROMOTIONS, "push") == [Reason.ADDRESS_SUPPRESSED, "go"]


def at(day: int, hour: int, minute: int = 0, month: int = 7) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


NIGHT = Preferences(quiet_from=22 * 60, quiet_until=7 * 60)
SIESTA = Preferences(quiet_from=13 * 60, quiet_until=15 * 60)


@pytest.mark.parametrize(
    ("preferences", "zone", "now", "expected"),
    [
        (NIGHT, "UTC", at(1, 12), None),
        (NIGHT, "UTC", at(1, 22), at(2, 7)),
        (NIGHT, "UTC", at(1, 6, 59), at(1, 7)),
        (NIGHT, "UTC", at(1, 7), None),
        (NIGHT, "Asia/Tokyo", at(1, 13), at(1, 22)),
        (SIESTA, "UTC", at(1, 14), at(1, 15)),
        (SIESTA, "UTC", at(1, 15), None),
        (SIESTA, "America/New_York", at(1, 18), at(1, 19)),
        # Berlin leaves summer time on 25 October 2026: 07:00 is then 06:00 UTC, the evening before was 20:00 UTC
        (NIGHT, "Europe/Berlin", at(24, 20, 30, month=10), at(25, 6, 0, month=10)),
        (NIGHT, "Nowhere/Unknown", at(1, 23), at(2, 7)),
        (Preferences(quiet_from=60, quiet_until=60), "UTC", at(1, 1), None),
    ],
)
def test_quiet_hours_hold_in_the_recipients_own_time(
    preferences: Preferences, zone: str, now: datetime, expected: datetime | None
) -> None:
    person = a_person(preferences=preferences, timezone=zone)
    hold = hold_of(person, PROMOTIONS, "push", "UTC", now)
    assert (hold and hold.until) == expected
    assert hold is None or hold.reason == Reason.QUIET_HOURS


@pytest.mark.parametrize("rule", [SECURITY, Rule("order-updates", Kind.TRANSACTIONAL)])
def test_only_marketing_waits_for_the_morning(rule: Rule) -> None:
    person = a_person(preferences=NIGHT, timezone="UTC")
    assert hold_of(person, rule, "push", "UTC", at(1, 23)) is None


def test_the_tenants_zone_counts_for_a_recipient_without_one() -> None:
    entries = plan(a_person(preferences=NIGHT), PROMOTIONS, ["push"], When(at(1, 13), "Asia/Tokyo"))
    assert isinstance(entries[0], Planned)
    assert entries[0].hold_until == at(1, 22)
