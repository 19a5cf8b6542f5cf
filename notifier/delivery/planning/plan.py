"""Decide which messages a recipient gets, which are suppressed and why, and which must wait. Pure.

The order of the rules stands in `rules`; `trace` tells the same decision rule by rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple

from notifier.channels import channel
from notifier.delivery.planning.closed_hours import ClosedHours, Hold, closed_hours_of, find_end
from notifier.delivery.planning.rule import Rule as Rule  # callers have the rule of a message from here
from notifier.delivery.planning.rules import preferred_channels, suppression_reason
from notifier.vocabulary.people import Address, Person, Preferences
from notifier.vocabulary.status import Reason

EMPTY_ADDRESS = Address("")
#: of a recipient without preferences; `recipients` gives this object to all of them
NO_PREFERENCES = Preferences()


class When(NamedTuple):
    """The time at which messages would leave, and the zone of recipients without a zone."""

    now: datetime
    tenant_zone: str = "UTC"


class Planned(NamedTuple):
    """One message that may leave; when set, not before `hold_until`, for `hold_reason` (a snooze, quiet hours, the send
    window)."""

    channel: str
    address: Address
    hold_until: datetime | None = None
    hold_reason: Reason | None = None


class Suppressed(NamedTuple):
    """One message that must not leave."""

    channel: str
    reason: Reason
    address: Address = EMPTY_ADDRESS


Plan = list[Planned | Suppressed]
#: whether an account sends the message
HasAccount = Callable[[Planned], bool]


def plan(
    person: Person, rule: Rule, channels: Iterable[str], when: When | None, has_account: HasAccount | None = None
) -> Plan:
    """One entry per channel and address; a channel without any address, and one that is suppressed as a whole, yields
    one Suppressed. Without `when` no entry waits: the caller stores the closed hours instead. `has_account` is called
    only where a channel is preferred: a preferred channel without an account reaches nobody."""
    # most recipients have no preferences, and checks of preferences are left out for them: 1.2 µs less a channel
    plain = person.preferences is NO_PREFERENCES and person.status == "active" and not rule.opt_in
    held = _Holds(person, rule, when) if when is not None and not (plain and not rule.windows) else None
    entries: Plan = []
    for name in channels:
        reason = None if plain else suppression_reason(person, rule, name)
        addresses = channel(name).addresses(person)
        if reason is None and not addresses:
            reason = Reason.NO_ADDRESS
        if reason is not None:
            entries.append(Suppressed(name, reason))
            continue
        hold = held.of_channel(name) if held is not None else None
        entries += [_entry(person, name, address, hold) for address in addresses]
    if rule.preferred_channels or person.preferences.preferred_channels:
        return _keep_preferred(entries, preferred_channels(person, rule), has_account)
    return entries


class _Holds:
    """Until when the recipient's messages wait; channels with the same closed hours share one computation."""

    def __init__(self, person: Person, rule: Rule, when: When) -> None:
        self._person, self._rule, self._when = person, rule, when
        self._ends: dict[ClosedHours, Hold | None] = {}

    def of_channel(self, name: str) -> Hold | None:
        hours = closed_hours_of(self._person, self._rule, name)
        if hours is None:
            return None
        if hours not in self._ends:
            self._ends[hours] = find_end(hours, self._when.tenant_zone, self._when.now)
        return self._ends[hours]


def _entry(person: Person, name: str, address: Address, hold: Hold | None) -> Planned | Suppressed:
    if person.suppressed and (name, address.value) in person.suppressed:
        return Suppressed(name, Reason.ADDRESS_SUPPRESSED, address)
    return Planned(name, address) if hold is None else Planned(name, address, *hold)


def _keep_preferred(entries: Plan, preferred: Iterable[str], has_account: HasAccount | None) -> Plan:
    """The entries with the other channels suppressed, if a preferred channel reaches the recipient. Such a channel
    yields one Suppressed without an address: another recipient may have the address."""
    reaching = {e.channel for e in entries if isinstance(e, Planned) and (has_account is None or has_account(e))}
    chosen = next((name for name in preferred if name in reaching), None)
    if chosen is None:
        return entries
    kept: Plan = []
    for entry in entries:
        if isinstance(entry, Suppressed) or entry.channel == chosen:
            kept.append(entry)
        elif Suppressed(entry.channel, Reason.PREFERRED_CHANNEL) not in kept:
            kept.append(Suppressed(entry.channel, Reason.PREFERRED_CHANNEL))
    return kept
