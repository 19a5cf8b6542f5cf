"""What rendered content may hold: the rules of its channel and of every provider of that channel, in one place.

Constant parts are checked when a template is published, rendered ones when a message is accepted or armed, so that
nothing is left for a provider to refuse after GO.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from notifier.channels import channel
from notifier.errors import InvalidInput
from notifier.providers import providers

#: bytes of one character in UTF-8, at most
_WIDEST = 4


def check(name: str, known: Mapping[str, Any], schemes: Collection[str], field: str) -> None:
    """Raise InvalidInput unless these parts of channel `name` may be sent. `known` may lack parts that are not rendered
    yet. The error's field is `field` and the part."""
    try:
        channel(name).check_content(known, schemes)
        for kind in providers().values():
            if kind.channel == name:
                kind.check_content(known)
    except InvalidInput as error:
        raise InvalidInput(error.message, field=f"{field}.{error.field}", code=error.code) from None


def free_characters(name: str, known: Mapping[str, Any], personal: Collection[str]) -> int:
    """How many characters the `personal` parts of a message may have together without breaking any rule, whatever they
    say; -1 when more than their length counts. Arming compares one sum a message with it: 0.2 µs."""
    kind = channel(name)
    if kind.inspected.intersection(personal):
        return -1
    whole = nest_parts({**known, **dict.fromkeys(personal, "?")})
    rooms = [most for part, most in kind.longest.items() if part in personal]
    rooms += [
        (each.largest - each.size(whole)) // _WIDEST
        for each in providers().values()
        if each.channel == name and each.largest is not None
    ]
    return min(rooms, default=2**31)


def nest_parts(parts: Mapping[str, Any]) -> dict[str, Any]:
    """Parts by their flat names (`data.<key>`) as a channel wants them: `data` is an object."""
    found: dict[str, Any] = {}
    for name, text in parts.items():
        if name.startswith("data."):
            found.setdefault("data", {})[name[5:]] = text
        else:
            found[name] = text
    return found
