"""What the page's form says, as preferences of the API. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Protocol

from notifier.channels import channels
from notifier.web.preferences.state import State
from tenants.models import Category

#: a day less than the API takes, whatever the zone
_LONGEST_SNOOZE = timedelta(days=365)
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


class Posted(Protocol):
    """The fields of a form."""

    def get(self, name: str) -> str | None: ...
    def getlist(self, name: str) -> list[str]: ...


class WrongField(ValueError):
    """A field that cannot be taken; `name` is the field's."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def read_form(posted: Posted, state: State, languages: Collection[str], now: datetime) -> dict[str, Any]:
    """The preferences to store. What the form did not show stays as it is, and so does a switch that the recipient did
    not touch. Raises WrongField."""
    boxes = _boxes(posted)
    switches = {name: boxes.is_on(f"channel.{name}", stored=on) for name, on in state.preferences["channels"].items()}
    language = posted.get("language") or ""
    if language and language not in languages:
        raise WrongField("language")
    return {
        "channels": switches,
        "categories": _categories(state, boxes),
        "preferred_channels": _preferred(posted, state),
        "quiet_hours": _quiet_hours(posted.get("quiet_from") or "", posted.get("quiet_until") or ""),
        "snoozed_until": _snooze(posted.get("snoozed_until") or "", state, now),
        "language": language,
    }


@dataclass(frozen=True)
class _Boxes:
    """The form's checkboxes: those that it showed, those that are checked, and how each was when the page was made."""

    shown: frozenset[str]
    checked: frozenset[str]
    before: Mapping[str, bool]

    def is_on(self, name: str, *, stored: bool) -> bool:
        """What the recipient chose. An untouched box stays as it is stored: an unsubscribe link may have ended the
        category since the page was made, and saving the page must not bring the category back."""
        on = name in self.checked
        return on if name in self.shown and self.before.get(name) != on else stored


def _boxes(posted: Posted) -> _Boxes:
    before = dict.fromkeys(posted.getlist("was_on"), True) | dict.fromkeys(posted.getlist("was_off"), False)
    return _Boxes(frozenset(posted.getlist("shown")), frozenset(posted.getlist("on")), before)


def _categories(state: State, boxes: _Boxes) -> dict[str, Any]:
    choices = dict(state.preferences["categories"])
    for category in state.optional:
        fields = {name: f"category.{category.key}.{name}" for name in state.channels}
        switches = {
            name: boxes.is_on(field, stored=state.is_on(category, name))
            for name, field in fields.items()
            if field in boxes.shown
        }
        if not switches:
            continue
        choice = _choice(state, category, switches)
        choices.pop(category.key, None)
        if choice is not None:
            choices[category.key] = choice
    return choices


def _choice(state: State, category: Category, switches: Mapping[str, bool]) -> bool | dict[str, bool] | None:
    """The recipient's choice for one category: true and false where the recipient said so, and None for no choice.

    A switch that stays as the category has it by default is no choice: a box that was checked before the recipient
    came is no consent. A category whose shown channels are all off is off as a whole, also on channels that come
    later."""
    before = state.preferences["categories"].get(category.key)
    own = before if isinstance(before, Mapping) else {} if before is None else dict.fromkeys(channels(), before)
    default = not state.needs_opt_in(category)
    if not any(switches.values()) and (default or any(state.is_on(category, name) for name in switches)):
        return False
    if before is not None and all(own.get(name, default) == on for name, on in switches.items()):
        return before if isinstance(before, bool) else dict(before)  # as it was
    hidden = own if before is not False else {}  # an opt-out as a whole ends with the first channel that is on
    choice = {name: on for name, on in hidden.items() if name not in switches}
    for name, on in switches.items():
        stays = name in hidden and hidden[name] == on
        ends_opt_in = not on and not default and state.is_on(category, name)
        if on != default or stays or ends_opt_in:
            choice[name] = on
    return choice or None


def _preferred(posted: Posted, state: State) -> dict[str, str]:
    """The preferred channels: of all categories by the field `preferred`, of one by `preferred.<key>`."""
    chosen = dict(state.preferences["preferred_channels"])
    for key in ("", *(category.key for category in state.categories)):
        field = f"preferred.{key}" if key else "preferred"
        name = posted.get(field)
        if name is None or name == chosen.get(key, ""):
            continue
        if name and name not in state.channels:
            raise WrongField(field)
        chosen.pop(key, None)
        if name:
            chosen[key] = name
    return chosen


def _snooze(text: str, state: State, now: datetime) -> datetime | None:
    """The beginning of the day that the recipient chose, in the recipient's zone."""
    if not text:
        return None
    stored: datetime | None = state.preferences["snoozed_until"]
    if stored is not None and text == snooze_date(state):
        return stored
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise WrongField("snoozed_until") from None
    until = datetime.combine(day, time(), state.zone)
    if not now < until <= now + _LONGEST_SNOOZE:
        raise WrongField("snoozed_until")
    return until


def snooze_date(state: State) -> str:
    """The day until which the recipient snoozed, as the form shows it."""
    until: datetime | None = state.preferences["snoozed_until"]
    return "" if until is None else until.astimezone(state.zone).date().isoformat()


def _quiet_hours(start: str, end: str) -> dict[str, str] | None:
    start, end = start[:5], end[:5]  # some browsers send seconds
    if not start and not end:
        return None
    if not _TIME.fullmatch(start):
        raise WrongField("quiet_from")
    if not _TIME.fullmatch(end) or end == start:
        raise WrongField("quiet_until")
    return {"from": start, "until": end}
