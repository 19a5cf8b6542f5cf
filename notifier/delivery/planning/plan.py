"""Decide which messages a recipient gets, which are suppressed and why, and which must wait. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from notifier.channels import channel
from notifier.delivery.planning import quiet_hours
from notifier.vocabulary.people import Address, Person, Preferences
from notifier.vocabulary.status import Kind, Reason

EMPTY_ADDRESS = Address("")
#: of a recipient without preferences; `recipients` gives this object to all of them
NO_PREFERENCES = Preferences()


class Planned(NamedTuple):
    """One message that may leave; not before `hold_until` (quiet hours), when set."""

    channel: str
    address: Address
    hold_until: datetime | None = None


class Suppressed(NamedTuple):
    """One message that must not leave."""

    channel: str
    reason: Reason
    address: Address = EMPTY_ADDRESS


Plan = list[Planned | Suppressed]


@dataclass(frozen=True)
class Rule:
    """The category of a message, and its kind. A critical message ignores preferences and quiet hours, never a dead
    address."""

    category: str = ""
    kind: Kind = Kind.TRANSACTIONAL


def plan(person: Person, rule: Rule, channels: Iterable[str], now: datetime, tenant_zone: str = "UTC") -> Plan:
    """One entry per channel and address; a channel without any address yields one Suppressed."""
    # most recipients have no preferences, and checks of preferences are left out for them: 1.2 µs less a channel
    plain = person.preferences is NO_PREFERENCES and person.status == "active"
    hold = None if plain else quiet_until(person, rule, now, tenant_zone)
    entries: Plan = []
    for name in channels:
        reason = None if plain else suppression_reason(person, rule, name)
        addresses = channel(name).addresses(person)
        if reason is None and not addresses:
            reason = Reason.NO_ADDRESS
        if reason is not None:
            entries.append(Suppressed(name, reason))
            continue
        entries += [_entry(person, name, address, hold) for address in addresses]
    return entries


def _entry(person: Person, name: str, address: Address, hold: datetime | None) -> Planned | Suppressed:
    if person.suppressed and (name, address.value) in person.suppressed:
        return Suppressed(name, Reason.ADDRESS_SUPPRESSED, address)
    return Planned(name, address, hold)


def suppression_reason(person: Person, rule: Rule, name: str) -> Reason | None:
    """Why the recipient gets nothing of this category on the channel `name`; None when the recipient may."""
    if person.status == "erased":
        return Reason.RECIPIENT_ERASED
    if person.status == "blocked":
        return Reason.RECIPIENT_BLOCKED
    if rule.kind == Kind.CRITICAL:
        return None
    preferences = person.preferences
    if name in preferences.channels_off:
        return Reason.CHANNEL_OFF
    if rule.category and {rule.category, f"{rule.category}:{name}"} & preferences.categories_off:
        return Reason.CATEGORY_OFF
    return None


def quiet_until(person: Person, rule: Rule, now: datetime, tenant_zone: str) -> datetime | None:
    """When the recipient's quiet hours end, if `now` lies in them and the category waits for them."""
    hours = quiet_hours.hours_of(person.preferences, rule.kind, person.timezone)
    return None if hours is None else quiet_hours.find_end(hours, tenant_zone, now)
