"""The decision of `plan` told rule by rule: what each rule looked at, and what it said. Pure.

`notifier.delivery.explain` loads what it needs and appends the lines of frequency caps, digests and routes.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from notifier.channels import channel
from notifier.delivery.planning.closed_hours import ClosedHours, closed_hours_of, country_of, find_end, send_window
from notifier.delivery.planning.plan import HasAccount, Plan, Planned, Suppressed, When, plan
from notifier.delivery.planning.rule import Rule
from notifier.delivery.planning.rules import CHANNEL_RULES, ChannelRule, preferred_channels
from notifier.values.timestamps import clock_text, utc_minute
from notifier.values.zones import zone
from notifier.vocabulary.people import Address, Person
from notifier.vocabulary.status import Kind, Mode, Reason

PASSED = "passed"
NOT_REACHED = "not reached: an earlier rule decided"


@dataclass(frozen=True)
class RuleResult:
    """One rule of a decision: its name (a reason), what it looked at, and what it said."""

    rule: str
    looked_at: str
    said: str
    channel: str = ""  #: empty: of all channels
    until: datetime | None = None  #: of a later rule: until when the message waits at the latest


@dataclass(frozen=True)
class Choice:
    """When and by whom a choice was made, such as a preference: `source` is person, import, receipt, admin or api;
    empty where it is not known."""

    at: datetime
    source: str = ""

    def describe(self) -> str:
        by = f" by {self.source}" if self.source else ""
        return f"changed {utc_minute(self.at)}{by}"


@dataclass(frozen=True)
class Choices:
    """The choices that rules look at. `columns`: `recipient` (its status), and columns of the preferences;
    `suppressions`: by channel and address."""

    columns: Mapping[str, Choice] = field(default_factory=dict)
    suppressions: Mapping[tuple[str, str], Choice] = field(default_factory=dict)
    zone_source: str = ""  #: whose zone the recipient has: `phone` or `recipient`; empty: the tenant's counts

    def describe(self, column: str) -> str:
        choice = self.columns.get(column)
        return f" ({choice.describe()})" if choice is not None else ""


NO_CHOICES = Choices()


@dataclass(frozen=True)
class TraceRequest:
    """What a trace is about: the parameters of `plan`, and the choices behind them."""

    person: Person
    rule: Rule
    channels: Sequence[str]
    when: When
    choices: Choices = NO_CHOICES
    has_account: HasAccount | None = None
    mode: Mode = Mode.LIVE


@dataclass(frozen=True)
class Trace:
    """The entries of the plan, and a line for each rule in order, channel by channel."""

    entries: Plan
    results: list[RuleResult]


def trace(request: TraceRequest) -> Trace:
    """The same entries as `plan` with these values, and the line of each rule. 100 to 300 µs a channel."""
    entries = plan(request.person, request.rule, request.channels, request.when, request.has_account)
    results = [line for name in request.channels for line in _channel_lines(request, name, entries)]
    return Trace(entries, results)


#: (tenant, request, trace) -> lines about what is decided after these rules
LaterRule = Callable[[uuid.UUID, TraceRequest, Trace], Iterable[RuleResult]]
_later_rules: list[LaterRule] = []


def add_later_rule(rule: LaterRule) -> None:
    """Packages that decide more (routes, digests, caps) call this in `AppConfig.ready`."""
    _later_rules.append(rule)


def later_lines(tenant_id: uuid.UUID, request: TraceRequest, traced: Trace) -> list[RuleResult]:
    """The lines of all later rules, in the order of their registration."""
    return [line for rule in _later_rules for line in rule(tenant_id, request, traced)]


def _channel_lines(request: TraceRequest, name: str, entries: Plan) -> Iterator[RuleResult]:
    reason = None
    for channel_rule in CHANNEL_RULES:
        line = _channel_rule_line(request, channel_rule, name, reason)
        if line.said.startswith("suppressed"):
            reason = channel_rule.reason
        yield line
    addresses = channel(name).addresses(request.person)
    usable = [a for a in addresses if (name, a.value) not in request.person.suppressed]
    yield _result(
        Reason.NO_ADDRESS,
        name,
        f"{len(addresses)} {'address' if len(addresses) == 1 else 'addresses'}",
        _said(bool(addresses), Reason.NO_ADDRESS, reason),
    )
    reason = reason or (None if addresses else Reason.NO_ADDRESS)
    yield _result(
        Reason.ADDRESS_SUPPRESSED,
        name,
        _describe_suppressions(request, name, addresses),
        _said(len(usable) == len(addresses), Reason.ADDRESS_SUPPRESSED, reason, f"{len(usable)} of {len(addresses)}"),
    )
    reason = reason or (None if usable else Reason.ADDRESS_SUPPRESSED)
    is_other = any(e.channel == name and e == Suppressed(name, Reason.PREFERRED_CHANNEL) for e in entries)
    yield _result(
        Reason.PREFERRED_CHANNEL,
        name,
        _describe_preferred(request),
        _said(not is_other, Reason.PREFERRED_CHANNEL, reason),
    )
    yield from _hold_lines(request, name, entries, reason or (Reason.PREFERRED_CHANNEL if is_other else None))


def _channel_rule_line(
    request: TraceRequest, channel_rule: ChannelRule, name: str, decided: Reason | None
) -> RuleResult:
    person, rule = request.person, request.rule
    looked_at = channel_rule.looks_at(person, rule, name) + request.choices.describe(channel_rule.choice)
    if rule.kind not in channel_rule.kinds:
        return _result(channel_rule.reason, name, looked_at, f"not asked: the message is {rule.kind}")
    passes = not channel_rule.suppresses(person, rule, name)
    return _result(channel_rule.reason, name, looked_at, _said(passes, channel_rule.reason, decided))


def _said(passes: bool, reason: Reason, decided: Reason | None, left: str = "") -> str:
    if decided is not None:
        return NOT_REACHED
    if passes:
        return PASSED
    return f"{left} may leave" if left and not left.startswith("0 ") else f"suppressed: {reason}"


def _describe_suppressions(request: TraceRequest, name: str, addresses: Sequence[Address]) -> str:
    suppressed = [a for a in addresses if (name, a.value) in request.person.suppressed]
    if not suppressed:
        return "no suppression of an address"
    choices = [request.choices.suppressions.get((name, a.value)) for a in suppressed]
    known = sorted({choice.describe() for choice in choices if choice is not None})
    details = f" ({'; '.join(known)})" if known else ""
    return f"suppressions of {len(suppressed)} of {len(addresses)} addresses{details}"


def _describe_preferred(request: TraceRequest) -> str:
    preferred = list(preferred_channels(request.person, request.rule))
    if not preferred:
        return "no channel is preferred"
    is_own = request.person.preferences.preferred_channels
    choice = request.choices.describe("preferred_channels") if is_own else ""
    return f"preferred, in this order: {', '.join(preferred)}{choice}"


# ---- when ----------------------------------------------------------------------------------------------------------


def _hold_lines(request: TraceRequest, name: str, entries: Plan, decided: Reason | None) -> Iterator[RuleResult]:
    """A snooze, quiet hours, the send window: each alone, as if the others were not there; the last line of these that
    holds says until when all of them together hold."""
    person, rule, when = request.person, request.rule, request.when
    hours = closed_hours_of(person, rule, name) or ClosedHours(person.timezone)
    parts = (
        (Reason.SNOOZED, _describe_snooze(request), ClosedHours(hours.zone, snoozed_until=hours.snoozed_until)),
        (
            Reason.QUIET_HOURS,
            _describe_quiet_hours(request),
            ClosedHours(hours.zone, hours.quiet_from, hours.quiet_until),
        ),
        (
            Reason.SEND_WINDOW,
            _describe_window(request, name),
            ClosedHours(hours.zone, week=hours.week, holidays=hours.holidays),
        ),
    )
    planned = next((e for e in entries if e.channel == name and isinstance(e, Planned)), None)
    for reason, looked_at, part in parts:
        hold = find_end(part, when.tenant_zone, when.now)
        if rule.kind != Kind.MARKETING:
            said = f"not asked: the message is {rule.kind}"
        elif decided is not None:
            said = NOT_REACHED
        elif planned is not None and planned.hold_reason == reason and planned.hold_until is not None:
            said = f"waits until {_shown(planned.hold_until, request)}"
        else:
            said = PASSED if hold is None else f"waits until {_shown(hold.until, request)}, and then for other rules"
        yield _result(reason, name, looked_at, said)


def _describe_snooze(request: TraceRequest) -> str:
    until = request.person.preferences.snoozed_until
    if until is None:
        return "no snooze"
    return f"a snooze until {_shown(until, request)}{request.choices.describe('snoozed_until')}"


def _describe_quiet_hours(request: TraceRequest) -> str:
    start, end = request.person.preferences.quiet_from, request.person.preferences.quiet_until
    if start is None or end is None or start == end:
        return "no quiet hours"
    choice = request.choices.describe("quiet_from")
    return f"quiet hours {clock_text(start)}-{clock_text(end)}{choice}; {_describe_zone(request)}"


def _describe_window(request: TraceRequest, name: str) -> str:
    window = send_window(request.person, request.rule, name)
    country = country_of(request.person, name)
    if window is None:
        return f"no send window for {name}{f' in {country}' if country else ''}"
    return (
        f"the send window for {name} in {country or 'other countries'}: {window.describe()}; {_describe_zone(request)}"
    )


def _describe_zone(request: TraceRequest) -> str:
    local = _zone_of(request)
    source = request.choices.zone_source if request.person.timezone else "tenant"
    shown = request.when.now.astimezone(local)
    return f"it is {shown:%a %H:%M} in {local.key}{f', the zone of the {source}' if source else ''}"


def _zone_of(request: TraceRequest) -> ZoneInfo:
    return zone(request.person.timezone or request.when.tenant_zone)


def _shown(at: datetime, request: TraceRequest) -> str:
    return f"{at.astimezone(_zone_of(request)):%Y-%m-%d %H:%M %Z}"


def _result(reason: Reason, name: str, looked_at: str, said: str) -> RuleResult:
    return RuleResult(str(reason), looked_at, said, name)
