"""Where in a template's source a mistake stands, for editors. `text.py` calls it for a source that is no Liquid."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from liquid import Environment
from liquid.exceptions import LiquidError

from notifier.delivery.content.liquid.source import tag_spans
from notifier.errors import InvalidInput

_TAG = re.compile(r"\{%-?\s*(end)?([a-z]+)")
#: tags that are tried one by one: 20 µs each
_MOST_TRIED = 500


class Place(NamedTuple):
    """Both count from 1."""

    line: int
    column: int


def line_and_column(source: str, at: int) -> Place:
    """The line and column of the character at this index."""
    before = source[: max(0, at)]
    return Place(before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)


def place_of_mistake(error: BaseException, source: str, environment: Environment) -> int | None:
    """The index of the character at which Liquid stopped. Liquid names no place for a tag that ends too early: the
    index is that of the tag then."""
    token: Any = getattr(error, "token", None)
    if token is not None and token.start_index >= 0 and token.source == source:
        return int(token.start_index)
    return _incomplete_tag(source, environment) if isinstance(error, LiquidError) else None


def _incomplete_tag(source: str, environment: Environment) -> int | None:
    """Where the first tag begins that cannot be parsed by itself; else the innermost block that is not closed."""
    opened: list[tuple[str, int]] = []
    try:
        spans = list(tag_spans(source))[:_MOST_TRIED]
    except InvalidInput as error:
        return error.at
    for start, end in spans:
        tag = _TAG.match(source, start, end)
        name = tag[2] if tag else ""
        if tag and tag[1]:
            if opened and opened[-1][0] == name:
                opened.pop()
            continue
        is_block = getattr(environment.tags.get(name), "block", False)
        if is_block:
            opened.append((name, start))
        if name not in ("else", "elsif", "when") and not _parses(
            source[start:end] + (f"{{% end{name} %}}" if is_block else ""), environment
        ):
            return start
    return opened[-1][1] if opened else None


def _parses(source: str, environment: Environment) -> bool:
    try:
        environment.from_string(source)
    except LiquidError:
        return False
    return True
