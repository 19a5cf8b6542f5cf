"""The order of the rules: the table of docs/deciding.md, run."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from notifier.delivery.planning.plan import Planned, Suppressed, When, plan
from notifier.delivery.planning.rule import Rule
from notifier.delivery.planning.rules import ORDER
from notifier.delivery.planning.trace import TraceRequest, trace
from notifier.values.send_windows import read_windows
from notifier.vocabulary.people import Person, Preferences
from notifier.vocabulary.status import Kind, Reason
from tests.delivery.planning.test_plan import PHONE, a_person

PAGE = Path(__file__).parents[3] / "docs" / "deciding.md"
KINDS = (Kind.TRANSACTIONAL, Kind.MARKETING, Kind.CRITICAL)
#: 03:00 in UTC: in quiet hours, in a snooze, outside of the send window
NIGHT = datetime(2026, 7, 1, 3, tzinfo=UTC)


def table() -> list[tuple[Reason, frozenset[Kind], str]]:
    """The rules of the page in order: reason, the kinds of messages that it is asked for, what it says."""
    section = PAGE.read_text().partition("## The order of the rules")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if "| `" in line]
    return [
        (Reason(name.strip("`")), frozenset(k for k, cell in zip(KINDS, kinds, strict=True) if cell == "yes"), says)
        for name, _, *kinds, says in rows
    ]


#: what makes a rule speak: changes of the person, and of the preferences
TRIGGERS: dict[Reason, tuple[dict[str, Any], dict[str, Any]]] = {
    Reason.RECIPIENT_ERASED: ({"status": "erased"}, {}),
    Reason.RECIPIENT_BLOCKED: ({"status": "blocked"}, {}),
    Reason.EVERYTHING_OFF: ({}, {"everything_off": True}),
    Reason.CHANNEL_OFF: ({}, {"channels_off": frozenset({"sms"})}),
    Reason.CATEGORY_OFF: ({}, {"categories_off": frozenset({"news"})}),
    Reason.NOT_OPTED_IN: ({}, {"categories_on": frozenset()}),
    Reason.NO_ADDRESS: ({"phone": ""}, {}),
    Reason.ADDRESS_SUPPRESSED: ({"suppressed": frozenset({("sms", "+491701234567")})}, {}),
    Reason.PREFERRED_CHANNEL: ({}, {"preferred_channels": {"news": "push"}}),
    Reason.SNOOZED: ({}, {"snoozed_until": datetime(2026, 7, 5, 12, tzinfo=UTC)}),
    Reason.QUIET_HOURS: ({}, {"quiet_from": 22 * 60, "quiet_until": 10 * 60}),
    Reason.SEND_WINDOW: ({}, {}),
}


def person_of(reasons: set[Reason]) -> Person:
    """A recipient for whom these rules speak, and no others."""
    values: dict[str, Any] = {"phone": "+491701234567", "devices": (PHONE,), "timezone": "UTC"}
    preferences: dict[str, Any] = {"categories_on": frozenset({"news"})}
    for reason in sorted(reasons, key=list(TRIGGERS).index, reverse=True):
        values |= TRIGGERS[reason][0]
        preferences |= TRIGGERS[reason][1]
    return a_person(**values, preferences=Preferences(**preferences))


def rule_of_kind(kind: Kind, *, window: bool = True) -> Rule:
    opt_in = "" if kind == Kind.CRITICAL else "single"
    return Rule("news", kind, opt_in, (), read_windows("") if window and kind == Kind.MARKETING else {})


def outcome(person: Person, rule: Rule) -> Reason | None:
    """What was decided on SMS: why it is suppressed, why it waits, or None."""
    entries = plan(person, rule, ["sms", "push"], When(NIGHT))
    [entry] = [e for e in entries if e.channel == "sms"]
    return entry.reason if isinstance(entry, Suppressed) else entry.hold_reason


def test_the_page_has_every_rule_in_its_order() -> None:
    assert [(reason, kinds) for reason, kinds, _ in table()] == list(ORDER)


CASES = [(reason, kinds, kind, says) for reason, kinds, says in table() for kind in KINDS]


@pytest.mark.parametrize(("reason", "kinds", "kind", "says"), CASES, ids=[f"{r}-{k}" for r, _, k, _ in CASES])
def test_each_rule_alone_does_what_its_row_says(reason: Reason, kinds: frozenset[Kind], kind: Kind, says: str) -> None:
    rule = rule_of_kind(kind, window=reason == Reason.SEND_WINDOW)
    assert outcome(person_of({reason}), rule) == (reason if kind in kinds else None)
    [entry] = [e for e in plan(person_of({reason}), rule, ["sms", "push"], When(NIGHT)) if e.channel == "sms"]
    is_held = isinstance(entry, Planned) and entry.hold_until is not None
    assert kind not in kinds or is_held == (says == "waits")


SUPPRESSING = [row for row in table() if row[2] != "waits"]


@pytest.mark.parametrize("first", range(len(SUPPRESSING)), ids=[str(r) for r, _, _ in SUPPRESSING])
def test_a_rule_that_suppresses_comes_before_all_rules_below_it(first: int) -> None:
    below = [reason for reason, _, _ in table()[first:]]
    kept = set(below) - {Reason.RECIPIENT_BLOCKED} if below[0] == Reason.RECIPIENT_ERASED else set(below)
    if below[0] != Reason.NO_ADDRESS:
        kept -= {Reason.NO_ADDRESS}  # a recipient without an address has no suppressed one
    assert outcome(person_of(kept), rule_of_kind(Kind.MARKETING)) == below[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reason", list(TRIGGERS), ids=str)
def test_a_trace_says_what_the_plan_does(reason: Reason, kind: Kind) -> None:
    person, rule = person_of({reason}), rule_of_kind(kind)
    request = TraceRequest(person, rule, ["sms", "push"], When(NIGHT))
    traced = trace(request)
    assert traced.entries == plan(person, rule, ["sms", "push"], When(NIGHT))
    lines = [line for line in traced.results if line.channel == "sms"]
    assert [line.rule for line in lines] == [str(r) for r, _ in ORDER]
    deciding = [line.rule for line in lines if re.match(r"suppressed|waits until \S+ \S+ UTC$", line.said)]
    assert deciding == [str(r) for r in [outcome(person, rule)] if r is not None]


@pytest.mark.parametrize(
    ("preferred", "own", "kind", "expected"),
    [
        ({}, (), Kind.MARKETING, ["sms", "push"]),
        ({}, ("email", "push"), Kind.MARKETING, ["push"]),  # email does not reach
        ({}, ("email",), Kind.MARKETING, ["sms", "push"]),
        ({"": "sms"}, ("push",), Kind.MARKETING, ["sms"]),
        ({"": "sms", "news": "push"}, (), Kind.MARKETING, ["push"]),
        ({"news": "email"}, ("push",), Kind.MARKETING, ["push"]),
        ({"other": "push"}, (), Kind.MARKETING, ["sms", "push"]),
        ({"": "sms"}, (), Kind.CRITICAL, ["sms", "push"]),
        ({"news": "sms"}, (), Kind.CRITICAL, ["sms"]),
    ],
)
def test_the_first_preferred_channel_that_reaches_gets_the_message(
    preferred: dict[str, str], own: tuple[str, ...], kind: Kind, expected: list[str]
) -> None:
    person = a_person(phone="+491701234567", preferences=Preferences(preferred_channels=preferred))
    entries = plan(person, Rule("news", kind, "", own), ["sms", "push", "email"], None)
    assert [e.channel for e in entries if isinstance(e, Planned)] == expected


def test_a_preferred_channel_without_an_account_reaches_nobody() -> None:
    person = a_person(phone="+491701234567", preferences=Preferences(preferred_channels={"": "sms"}))
    entries = plan(person, Rule("news"), ["sms", "push"], None, lambda entry: entry.channel != "sms")
    assert [e.channel for e in entries if isinstance(e, Planned)] == ["sms", "push"]


@pytest.mark.parametrize(
    ("on", "off", "expected"),
    [
        ([], [], Reason.NOT_OPTED_IN),
        (["news"], [], None),
        (["news:sms"], [], None),
        (["news:email"], [], Reason.NOT_OPTED_IN),
        (["other"], [], Reason.NOT_OPTED_IN),
        (["news"], ["news:sms"], Reason.CATEGORY_OFF),
        (["news"], ["news:push"], None),
        (["news:sms"], ["news"], Reason.CATEGORY_OFF),
    ],
)
def test_an_opt_in_is_needed_where_the_category_asks_for_one(
    on: list[str], off: list[str], expected: Reason | None
) -> None:
    preferences = Preferences(categories_on=frozenset(on), categories_off=frozenset(off))
    person = a_person(phone="+491701234567", preferences=preferences)
    assert outcome(person, Rule("news", Kind.TRANSACTIONAL, "double")) == expected


def test_a_recipient_without_preferences_has_no_opt_in() -> None:
    assert outcome(a_person(phone="+491701234567"), Rule("news", Kind.MARKETING, "single")) == Reason.NOT_OPTED_IN
