"""What the page's form says, as preferences of the API. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, Protocol

from notifier.web.preferences.state import State

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


def read_form(posted: Posted, state: State, languages: Collection[str]) -> dict[str, Any]:
    """The preferences to store. What the form did not show stays as it is. Raises WrongField."""
    known, shown = set(posted.getlist("on")), set(posted.getlist("shown"))
    channels = {
        name: f"channel.{name}" in known if f"channel.{name}" in shown else on
        for name, on in state.preferences["channels"].items()
    }
    language = posted.get("language") or ""
    if language and language not in languages:
        raise WrongField("language")
    return {
        "channels": channels,
        "categories": {**state.preferences["categories"], **_categories(state, known, shown)},
        "quiet_hours": _quiet_hours(posted.get("quiet_from") or "", posted.get("quiet_until") or ""),
        "language": language,
    }


def everything_off(state: State) -> dict[str, Any]:
    """The preferences of a recipient who unsubscribes from all."""
    off = {category.key: False for category in state.optional}
    return {"categories": {**state.preferences["categories"], **off}}


def _categories(state: State, known: Collection[str], shown: Collection[str]) -> dict[str, Any]:
    """A category whose shown channels are all off is off as a whole, also on channels that come later."""
    choices: dict[str, Any] = {}
    for category in state.optional:
        names = [name for name in state.channels if f"category.{category.key}.{name}" in shown]
        if not names:
            continue
        switches = {name: f"category.{category.key}.{name}" in known for name in names}
        if not any(switches.values()):
            choices[category.key] = False
            continue
        before = state.preferences["categories"].get(category.key, True)
        choices[category.key] = {**(before if isinstance(before, Mapping) else {}), **switches}
    return choices


def _quiet_hours(start: str, end: str) -> dict[str, str] | None:
    start, end = start[:5], end[:5]  # some browsers send seconds
    if not start and not end:
        return None
    if not _TIME.fullmatch(start):
        raise WrongField("quiet_from")
    if not _TIME.fullmatch(end) or end == start:
        raise WrongField("quiet_until")
    return {"from": start, "until": end}
