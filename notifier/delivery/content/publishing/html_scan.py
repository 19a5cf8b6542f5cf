"""Where a position of an HTML or MJML source stands, and how deep its elements are: one pass, without a tree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum, auto
from typing import NamedTuple

from notifier.errors import InvalidInput

#: levels of elements. libxml2, which inscriptis uses, drops the content below 256; mjml-python crashes the process at
#: 3,000
MAX_DEPTH = 200
#: elements whose content is no markup, and those of MJML in which a comment is no text
_RAW = frozenset({"style", "script", "title", "textarea", "mj-style", "mj-title", "mj-preview", "mj-accordion-title"})
_STYLES = frozenset({"style", "script", "mj-style"})
#: elements without an end tag
_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)
_NAME = re.compile(r"</?([A-Za-z][^\s/>]*)")
_QUOTE_OR_END = re.compile("[\"'>]")


class Context(Enum):
    """What a stretch of the source is."""

    TEXT = auto()  #: text between elements
    RAW = auto()  #: text that may hold no comment: a title
    STYLE = auto()  #: a style sheet or a script
    COMMENT = auto()
    TAG = auto()  #: a tag, outside of its attributes' values
    VALUE = auto()  #: the value of an attribute


class Stretch(NamedTuple):
    start: int
    end: int
    context: Context


def stretches(source: str) -> Iterator[Stretch]:
    """The whole source, in stretches of one context. Linear in its length."""
    at = 0
    while at < len(source):
        opening = source.find("<", at)
        if opening < 0:
            break
        if opening > at:
            yield Stretch(at, opening, Context.TEXT)
        if source.startswith("<!--", opening):
            at = _after(source, "-->", opening + 4)
            yield Stretch(opening, at, Context.COMMENT)
        elif name := _NAME.match(source, opening):
            for stretch in _tag(source, opening):
                yield stretch
                at = stretch.end
            if name[1].lower() in _RAW and source[opening + 1] != "/" and source[at - 2 : at] != "/>":
                end = re.compile(rf"</{re.escape(name[1])}", re.IGNORECASE).search(source, at)
                raw_end = end.start() if end else len(source)
                kind = Context.STYLE if name[1].lower() in _STYLES else Context.RAW
                yield Stretch(at, raw_end, kind)
                at = raw_end
        else:
            at = opening + 1
            yield Stretch(opening, at, Context.TEXT)
    if at < len(source):
        yield Stretch(at, len(source), Context.TEXT)


def _tag(source: str, start: int) -> Iterator[Stretch]:
    """The stretches of one tag; only the last one ends with `>`."""
    at = start
    while mark := _QUOTE_OR_END.search(source, at if at == start else at + 1):
        yield Stretch(at, mark.end(), Context.TAG)
        if mark[0] == ">":
            return
        at = source.find(mark[0], mark.end())
        if at < 0:
            at = len(source)
        yield Stretch(mark.end(), at, Context.VALUE)
    if at < len(source):
        yield Stretch(at, len(source), Context.TAG)


def _after(source: str, end: str, at: int) -> int:
    found_at = source.find(end, at)
    return len(source) if found_at < 0 else found_at + len(end)


def check_depth(source: str) -> None:
    """Raise InvalidInput for elements that are too deep inside one another: the libraries in C and Rust would end the
    process."""
    depth, name = 0, ""
    for start, end, context in stretches(source):
        if context is not Context.TAG:
            continue
        if opening := _NAME.match(source, start):
            name = opening[0].lower()
        if source[end - 1] != ">" or source[end - 2] == "/" or name[1:] in _VOID:
            continue
        depth = max(0, depth - 1) if name.startswith("</") else depth + 1
        if depth > MAX_DEPTH:
            raise InvalidInput(f"Elements are more than {MAX_DEPTH} levels deep; close each element that you open.")


def unclosed_element(source: str) -> int | None:
    """Where the first element begins that is not closed, or the end tag that closes none; None where every element is
    closed."""
    opened: list[tuple[str, int]] = []
    name, start_of_tag = "", 0
    for start, end, context in stretches(source):
        if context is not Context.TAG:
            continue
        if opening := _NAME.match(source, start):
            name, start_of_tag = opening[0], start
        if source[end - 1] != ">" or source[end - 2] == "/":
            continue
        if not name.startswith("</"):
            if name[1:].lower() not in _VOID:
                opened.append((name[1:], start_of_tag))
        elif opened and opened[-1][0] == name[2:]:
            opened.pop()
        else:
            return opened[-1][1] if opened else start_of_tag
    return opened[-1][1] if opened else None
