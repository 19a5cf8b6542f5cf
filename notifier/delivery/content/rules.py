"""What rendered content may hold: the rules of its channel and of every provider of that channel.

Constant parts are checked when a template is published, rendered parts when a message is accepted or armed, so that no
provider has to refuse a content after GO.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from notifier.channels import channel
from notifier.errors import InvalidInput
from notifier.providers import providers
from notifier.vocabulary.content import TenantRules

#: bytes of one character at most: 4 in UTF-8, and 6 as JSON writes a control character
_WIDEST = 6


def check(name: str, parts: Mapping[str, Any], tenant_rules: TenantRules, field: str, *, whole: bool = False) -> None:
    """Raise InvalidInput unless these parts of channel `name` may be sent. `parts` may lack parts that are not rendered
    yet, unless they are the `whole` message. The error's field is `field` and the part."""
    kind = channel(name)
    try:
        if whole:
            kind.check_whole(parts)
        kind.check_content(parts, tenant_rules)
        for provider in providers().values():
            if provider.channel == name:
                provider.check_content(parts)
    except InvalidInput as error:
        raise InvalidInput(error.message, field=f"{field}.{error.field}", code=error.code) from None


def free_characters(name: str, common: Mapping[str, Any], personal: Collection[str], always: Mapping[str, str]) -> int:
    """How many characters the `personal` parts of a message may have together without breaking any rule; -1 when a rule
    checks more than their length. `common`: the other parts; `always`: what every rendering of a personal part
    contains. Arming compares one sum a message with it: 0.2 µs."""
    kind = channel(name)
    if kind.inspected.intersection(part.partition(".")[0] for part in personal):
        return -1
    shown = kind.shown.intersection([*common, *personal])
    if shown and not any(common.get(part) or always.get(part) for part in shown):
        return -1
    parts = nest_parts({**common, **dict.fromkeys(personal, "?")})
    limits = [limit for part, limit in kind.longest.items() if part in personal]
    limits += [
        (provider.largest - provider.size(parts)) // _WIDEST
        for provider in providers().values()
        if provider.channel == name and provider.largest is not None
    ]
    return min(limits, default=2**31)


def nest_parts(parts: Mapping[str, Any]) -> dict[str, Any]:
    """Parts by their flat names (`data.<key>`) in the form that a channel takes: `data` is an object."""
    nested: dict[str, Any] = {}
    for name, text in parts.items():
        part, dot, key = name.partition(".")
        if dot:
            nested.setdefault(part, {})[key] = text
        else:
            nested[name] = text
    return nested


def flat_parts(parts: Mapping[str, Any]) -> dict[str, Any]:
    """The reverse: the values of objects by their flat names."""
    flat: dict[str, Any] = {}
    for part, value in parts.items():
        if isinstance(value, Mapping):
            flat |= {f"{part}.{key}": text for key, text in value.items()}
        else:
            flat[part] = value
    return flat
