"""What differs between two contents: by channel, locale and part, in words or in lines. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, NamedTuple

from notifier.delivery.content.rules import flat_parts

#: pieces of a text that are compared: difflib takes a second for some thousand pieces that repeat
MOST_PIECES = 1_500
#: unchanged lines around a change
AROUND = 2
_WORDS = re.compile(r"\s+|[^\s]+")
#: texts that are shorter are compared by words, longer ones by lines
_LONG = 400


class Piece(NamedTuple):
    """A stretch of a text. `kind`: `same`, `added`, `removed`, or `skipped` for unchanged lines that are left out."""

    kind: str
    text: str


@dataclass(frozen=True)
class Difference:
    """One part that differs. `kind`: `added`, `removed` or `changed`."""

    channel: str
    locale: str
    part: str
    kind: str
    pieces: Sequence[Piece]
    by_lines: bool


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Difference]:
    """The parts that differ, in the order of channels and locales."""
    return [
        each
        for channel in _ordered(old, new)
        for locale in _ordered(old.get(channel, {}), new.get(channel, {}))
        for each in _of_locale(
            channel, locale, old.get(channel, {}).get(locale, {}), new.get(channel, {}).get(locale, {})
        )
    ]


def _ordered(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return [*new, *(name for name in old if name not in new)]


def _of_locale(channel: str, locale: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    before, after = flat_parts(old), flat_parts(new)
    for part in _ordered(before, after):
        first, second = _text(before.get(part)), _text(after.get(part))
        if first == second:
            continue
        kind = "added" if part not in before else "removed" if part not in after else "changed"
        by_lines = max(len(first), len(second)) > _LONG
        yield Difference(channel, locale, part, kind, compare(first, second, by_lines=by_lines), by_lines)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "\n".join(
            f"{entry.get('name', '')} ({entry.get('size', 0)} bytes, {str(entry.get('id', ''))[:12]})"
            if isinstance(entry, Mapping)
            else json.dumps(entry)
            for entry in value
        )
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)


def compare(old: str, new: str, *, by_lines: bool) -> list[Piece]:
    """The pieces of both texts in order."""
    first, second = _pieces(old, by_lines), _pieces(new, by_lines)
    if max(len(first), len(second)) > MOST_PIECES:
        return [Piece(kind, text) for kind, text in (("removed", old), ("added", new)) if text]
    found: list[Piece] = []
    for what, i, j, k, m in SequenceMatcher(None, first, second, autojunk=False).get_opcodes():
        if what == "equal":
            found += _unchanged(first[i:j], by_lines, is_first=i == 0, is_last=j == len(first))
            continue
        found += [
            Piece(kind, "".join(texts)) for kind, texts in (("removed", first[i:j]), ("added", second[k:m])) if texts
        ]
    return found


def _pieces(text: str, by_lines: bool) -> list[str]:
    return text.splitlines(keepends=True) if by_lines else _WORDS.findall(text)


def _unchanged(pieces: Sequence[str], by_lines: bool, *, is_first: bool, is_last: bool) -> list[Piece]:
    """Unchanged lines: those next to a change, and how many are left out between them."""
    before, after = 0 if is_first else AROUND, 0 if is_last else AROUND
    if not by_lines or len(pieces) <= before + after + 1:
        return [Piece("same", "".join(pieces))]
    kept_last = pieces[len(pieces) - after :]
    shown = [
        Piece("same", "".join(pieces[:before])),
        Piece("skipped", str(len(pieces) - before - after)),
        Piece("same", "".join(kept_last)),
    ]
    return [piece for piece in shown if piece.text]
