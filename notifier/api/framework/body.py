"""Reads a JSON body within limits, and refuses values that the database or a later step could not take."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from io import BytesIO
from typing import IO, Any

from django.http import HttpRequest
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser

from notifier.errors import InvalidInput
from notifier.values.json_document import MAX_INTEGER, check_document

MAX_BODY = 1024 * 1024
#: levels of nesting; orjson writes 254, PostgreSQL and templates take fewer, and real requests need far fewer
MAX_DEPTH = 32


class TooLarge(APIException):
    """A body over the limit, which the message states."""

    status_code = 413
    default_code = "body_too_large"


def read_limited(request: HttpRequest, max_body: int = MAX_BODY) -> None:
    """Read the body into the request, whether its length was announced or it comes in chunks. Raises TooLarge."""
    announced_length = str(request.META.get("CONTENT_LENGTH") or "0")
    if announced_length.isdecimal() and int(announced_length) > max_body:
        raise TooLarge(_over_limit(max_body))
    body = request.read(max_body + 1)
    if len(body) > max_body:
        raise TooLarge(_over_limit(max_body))
    # DRF takes a body without Content-Length for an empty one
    request._body = body
    request._stream = BytesIO(body)
    request.META["CONTENT_LENGTH"] = str(len(body))


def _over_limit(max_body: int) -> str:
    return f"The body is over the limit of {max_body} bytes ({max_body / MAX_BODY:.3g} MiB); send it in parts."


class StrictJSON(BaseParser):
    """application/json in UTF-8."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        return load(stream.read())


class _Suspicious(Exception):
    """The text holds a number that may not be storable; only the slow check finds its field."""


def load(body: bytes) -> Any:
    """The JSON document. Raises ParseError if the body is not JSON, and InvalidInput, naming the field, for a value
    that cannot be stored."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise ParseError(f"The body is not UTF-8 (at byte {error.start}).") from None
    try:
        document, suspicious = _parse(text, _integer, _number), _has_suspicious_text(text)
    except _Suspicious:
        document, suspicious = _parse(text, _any_integer, float), True
    _check_depth(document)
    if suspicious:
        check_document(document)
    return document


def _parse(text: str, integer: Callable[[str], int], number: Callable[[str], float]) -> Any:
    try:
        return json.loads(text, parse_constant=_constant, parse_int=integer, parse_float=number)
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        raise ParseError(f"The body is not JSON: {error}.") from None


def _constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _integer(digits: str) -> int:
    # 18 digits always fit into 64 bits
    if len(digits) > 18 and not -MAX_INTEGER <= _any_integer(digits) <= MAX_INTEGER:
        raise _Suspicious
    return int(digits)


def _any_integer(digits: str) -> int:
    # Python refuses to read more than 4,300 digits; the exact value of an integer beyond 64 bits does not matter
    return int(digits) if len(digits) <= 20 else 2 * MAX_INTEGER


def _number(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise _Suspicious
    return value


def _has_suspicious_text(text: str) -> bool:
    # json refuses a raw NUL, and UTF-8 refuses half of a surrogate pair: only an escape sequence brings one in
    return "\\u0000" in text or "\\ud" in text or "\\uD" in text


def _check_depth(document: Any) -> None:
    level, depth = [document], 0
    while level := [inner for value in level if isinstance(value, dict | list) for inner in _inner(value)]:
        depth += 1
        if depth > MAX_DEPTH:
            raise _too_deep()


def _too_deep() -> InvalidInput:
    return InvalidInput(f"The body is nested deeper than {MAX_DEPTH} levels.", code="too_deep")


def _inner(value: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value
