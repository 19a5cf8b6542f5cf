"""Values inside a template: missing values, how a value is printed, and its size."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date
from html import escape
from typing import Any, Never

import orjson
from liquid.exceptions import LiquidTypeError, UndefinedError
from liquid.undefined import UNDEFINED, Undefined

from notifier.delivery.content.liquid.render_budget import MAX_TEXT


class Html(str):
    """Text that is HTML already, and is not escaped once more."""

    __slots__ = ()


def as_html(text: str) -> str:
    """`text` as a part in HTML shows it: escaped, unless it is HTML already."""
    return text if type(text) is Html else escape(text)


class Missing(Undefined):
    """A variable without a value. It is false in a condition, equal to nil, and an error where it would be printed."""

    __slots__ = ("path",)
    #: python-liquid's `default` asks for this name
    force_liquid_default = True

    def __init__(self, name: str, *, token: Any = None, obj: object = UNDEFINED, hint: str | None = None) -> None:
        super().__init__(name, token=token, obj=obj, hint=hint)
        self.path = name

    def __repr__(self) -> str:
        return f"Missing({self.path})"

    def refuse(self) -> Never:
        raise NoValue(self.path, "is undefined")

    def __bool__(self) -> bool:
        return False

    def __str__(self) -> str:
        self.refuse()

    def __iter__(self) -> Iterator[Any]:
        self.refuse()

    def __int__(self) -> int:
        self.refuse()


class NoValue(UndefinedError):
    """A template would print something without a value."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path} {why}", token=None)
        self.path, self.why = path, why


def as_text(value: object, expression: object = "a value") -> str:
    """The value of an expression as a template prints it: lists and objects as JSON. Raises NoValue for undefined and
    null."""
    if isinstance(value, str):
        return value
    if value is None:
        raise NoValue(_name(expression), "is null")
    # `type`, because python-liquid's Undefined is a Mapping, for which `isinstance` takes ten times as long
    if type(value) is Missing:
        value.refuse()
    if isinstance(value, range):
        return f"{value.start}..{value.stop - 1}"
    if isinstance(value, bool | list | tuple | dict) or (isinstance(value, float) and math.isfinite(value)):
        return _json(value, expression)
    if isinstance(value, int | date):
        return str(value)
    raise LiquidTypeError(f"{_name(expression)} cannot be shown", token=None)


def _name(expression: object) -> str:
    """The value that an expression prints, without its filters."""
    return str(getattr(expression, "left", expression))


def _json(value: object, expression: object) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError as error:
        raise LiquidTypeError(f"{_name(expression)} cannot be shown as JSON", token=None) from error


def size_of(value: object, most: int = MAX_TEXT) -> int:
    """About how many characters `value` has with everything inside it; an object that occurs twice counts twice. Stops
    counting above `most`."""
    if isinstance(value, str):
        return len(value)
    if type(value) is int:
        return 1 + value.bit_length() // 4
    size, left = 0, [value]
    while left and size <= most:
        item = left.pop()
        if isinstance(item, str):
            size += len(item) + 1
        elif isinstance(item, list | tuple):
            size += len(item) + 1
            left.extend(item[: most + 1])
        elif isinstance(item, dict):
            size += len(item) + 1
            left.extend(item)
            left.extend(item.values())
        elif isinstance(item, range):
            size += 5 * len(item)
        elif isinstance(item, int):
            size += 1 + item.bit_length() // 4
        else:
            size += 8
    return size
