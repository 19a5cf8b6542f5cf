"""The filters that tenants may use, each under limits. A filter without a line in FILTERS does not exist for tenants: a
filter of a newer python-liquid needs a review first (tests/delivery/content/test_liquid_limits.py measures each filter
at its limits)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from html import unescape
from typing import Any

import orjson
from liquid.exceptions import FilterArgumentError
from liquid.filter import flatten

from notifier.delivery.content.liquid.render_budget import MAX_BITS, MAX_ITEMS, MAX_TEXT, Budget, LimitExceeded
from notifier.delivery.content.liquid.values import Html, Missing, NoValue, as_html, as_text, size_of


class FilterInput(Enum):
    """The kind of value that a filter works on."""

    TEXT = auto()  #: any other value is passed to the filter as the template would print it
    LIST = auto()
    NUMBER = auto()
    ANY = auto()
    NOTHING = auto()  #: only `default`, which also accepts a missing value


@dataclass(frozen=True)
class FilterLimits:
    """The limits of one filter. A result may be twelve times as large as the input (`url_encode`) and is checked
    afterwards; `grows` computes the size beforehand where another input decides the factor."""

    input: FilterInput = FilterInput.TEXT
    longest: int = MAX_TEXT  #: most characters of the input, arguments included
    items: int = MAX_ITEMS
    slow: int = 1  #: cost of a character, compared with other filters
    grows: Callable[[Any, tuple[Any, ...]], int] | None = None


def _size_after_replace(text: str, args: tuple[Any, ...]) -> int:
    """The size after `replace`: each occurrence of the first argument becomes the second; "" occurs everywhere."""
    if len(args) < 2:
        return len(text)
    return len(text) + text.count(str(args[0])) * len(str(args[1]))


def _size_after_join(items: list[Any], args: tuple[Any, ...]) -> int:
    """The size after `join`, which puts its argument between two items."""
    return size_of(items) + len(items) * len(str(args[0]) if args else " ")


_TEXT, _LIST, _NUMBER = FilterLimits(), FilterLimits(FilterInput.LIST), FilterLimits(FilterInput.NUMBER)
# lower limits for filters that are slow or slower than linear: 16,384 characters of broken HTML take 20 ms, a date of
# 65,536 characters takes 160 ms, and `uniq` compares each item with each other (500 objects: 10 ms)
FILTERS: dict[str, FilterLimits] = {
    **dict.fromkeys(("append", "base64_decode", "base64_encode", "base64_url_safe_decode", "base64_url_safe_encode",
                     "capitalize", "downcase", "escape", "escape_once", "lstrip", "newline_to_br", "prepend", "remove",
                     "remove_first", "remove_last", "replace_first", "replace_last", "rstrip", "safe", "split", "raw",
                     "plain_text", "squish", "strip", "strip_newlines", "truncate", "truncatewords", "upcase",
                     "url_encode"), _TEXT),
    "escapejs": FilterLimits(slow=2),
    "url_decode": FilterLimits(slow=4),
    "strip_html": FilterLimits(longest=16 * 1024, slow=8),
    "replace": FilterLimits(grows=_size_after_replace),
    "date": FilterLimits(FilterInput.ANY, longest=200, slow=100),
    **dict.fromkeys(("compact", "concat", "find", "find_index", "has", "map", "reject", "reverse", "sort_natural",
                     "sum", "where"), _LIST),
    "join": FilterLimits(FilterInput.LIST, grows=_size_after_join),
    "sort": FilterLimits(FilterInput.LIST, items=5_000),
    "uniq": FilterLimits(FilterInput.LIST, items=500),
    **dict.fromkeys(("abs", "at_least", "at_most", "ceil", "divided_by", "floor", "minus", "modulo", "plus", "round",
                     "times"), _NUMBER),
    **dict.fromkeys(("first", "last", "size", "slice"), FilterLimits(FilterInput.ANY)),
    "json": FilterLimits(FilterInput.ANY),
    "default": FilterLimits(FilterInput.NOTHING),
}  # fmt: skip


_BREAK = re.compile(r"<br\s{0,9}/?>\n?", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")


def plain_text(left: str) -> str:
    """The text of a piece of HTML: without tags, and with characters in place of entities."""
    return unescape(_TAG.sub("", _BREAK.sub("\n", left)))


def as_json(left: Any) -> str:
    """A value as JSON: a text with its quotes and escapes."""
    if isinstance(left, str):
        return orjson.dumps(left).decode()
    return as_text(list(left) if isinstance(left, range) else left)


#: filters of this project's own, beside python-liquid's
OWN_FILTERS: dict[str, Callable[[Any], str]] = {"raw": Html, "plain_text": plain_text, "json": as_json}
#: filters whose result is HTML
_GIVE_HTML = frozenset({"escape", "escape_once", "raw"})


def with_html_breaks(left: str) -> str:
    """`newline_to_br` in HTML: the text is escaped, unless it is HTML already, and its line breaks are tags."""
    return Html(as_html(left).replace("\r\n", "\n").replace("\n", "<br />\n"))


def apply(budget: Budget, name: str, function: Callable[..., Any], left: Any, *args: Any, **named: Any) -> Any:
    """The filter's result, within the budget. Raises LiquidError."""
    budget.step()
    limits = FILTERS[name]
    if named and limits.input is not FilterInput.NOTHING:
        raise FilterArgumentError("takes no named arguments", token=None)
    if limits.input is not FilterInput.NOTHING:
        left, args = _filter_input(name, limits, left, args)
    _check_size(budget, limits, left, args)
    result = function(left, *args, **named)
    _check_result(budget, result)
    return Html(result) if name in _GIVE_HTML else result


def _filter_input(name: str, limits: FilterLimits, left: Any, args: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    """The values that the filter gets. Raises NoValue for a missing value, which the filter would treat as empty."""
    for value in (left, *args):
        if type(value) is Missing:
            value.refuse()
    if left is None:
        raise NoValue(f"what the filter {name} is given", "is null")
    if limits.input is FilterInput.TEXT:
        return as_text(left), tuple(arg if type(arg) in (str, int, float) else as_text(arg) for arg in args)
    if name == "join":
        # python-liquid flattens nested lists, too
        return [as_text(item) for item in flatten(left if isinstance(left, list | tuple | range) else [left])], args
    if name == "slice" and not isinstance(left, list | tuple | range):
        return as_text(left), args
    return left, args


def _check_size(budget: Budget, limits: FilterLimits, left: Any, args: tuple[Any, ...]) -> None:
    if isinstance(left, list | tuple | range) and len(left) > limits.items:
        raise LimitExceeded(f"a list of more than {limits.items} entries")
    size = size_of(left)
    for arg in args:
        size += size_of(arg)
    if size > limits.longest:
        raise LimitExceeded(f"a filter takes at most {limits.longest} characters")
    budget.spend(size, limits.slow)
    if limits.grows is not None and (longest := limits.grows(left, args)) > MAX_TEXT:
        raise LimitExceeded(f"a filter's result would have {longest} characters; {MAX_TEXT} are allowed")


def _check_result(budget: Budget, result: Any) -> None:
    # the product of two numbers of 4,300 digits, the most that Liquid reads, takes 20 µs
    if type(result) is int and result.bit_length() > MAX_BITS:
        raise LimitExceeded("a number of more than 70 digits")
    budget.spend(size_of(result))
    budget.check_time()
