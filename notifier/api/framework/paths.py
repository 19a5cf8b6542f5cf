"""Addresses under /v1: one segment is one value, and percent-encoding decides nothing but where a segment ends.

ASGI servers decode the path before anybody sees it: `team%2Fpreferences`, a person of this id, becomes the preferences
of `team`, and what is not UTF-8 becomes U+FFFD, so that two ids fall on one. So the path is taken as it came.
"""

from __future__ import annotations

import re
import uuid
from urllib.parse import unquote_to_bytes

from django.http import HttpRequest
from django.urls import path as path  # with the converters below
from django.urls import register_converter

#: what stays encoded until the path is cut into segments; `%` too, or `%252F` would be taken for a slash
_KEPT = re.compile(rb"%(2[Ff]|25)")
_ENCODED = re.compile(r"%(2F|25)")
_BROKEN = re.compile(rb"%(?![0-9A-Fa-f]{2})")


class Malformed(Exception):
    """The address is not percent-encoded UTF-8; the message says what to do."""


def routed_path(request: HttpRequest) -> str:
    """The path that the routes look at. Raises Malformed."""
    raw = _raw(request)
    return request.path_info if raw is None or b"%" not in raw else partly_decoded(raw)


def _raw(request: HttpRequest) -> bytes | None:
    """As the client wrote it, without the query: from an ASGI server, or a WSGI server that tells it (gunicorn)."""
    scope = getattr(request, "scope", None)
    if scope is not None:
        written: bytes | None = scope.get("raw_path")
        return written
    told = request.META.get("RAW_URI")
    return None if told is None else str(told).partition("?")[0].encode("latin-1", "replace")


def undecodable(query: str) -> str | None:
    """The name of the first parameter that is not UTF-8; Django makes U+FFFD of it, so that two values become one."""
    for pair in query.split("&") if "%" in query else ():
        try:
            checked(unquote_to_bytes(pair))
        except Malformed:
            return pair.partition("=")[0][:100]
    return None


def partly_decoded(raw: bytes) -> str:
    """Decoded but for `/` and `%`, which stay `%2F` and `%25`."""
    if _BROKEN.search(raw):
        raise Malformed("A % in an address must be encoded as %25.")
    parts = _KEPT.split(raw)
    # every second part is what the split found
    decoded = [b"%" + part.upper() if n % 2 else unquote_to_bytes(part) for n, part in enumerate(parts)]
    return checked(b"".join(decoded))


def checked(decoded: bytes) -> str:
    """As text. Raises Malformed."""
    try:
        return decoded.decode()
    except UnicodeDecodeError:
        raise Malformed("An address must be UTF-8, percent-encoded: ü is %C3%BC.") from None


class Segment:
    """One segment, such as a tenant's own id, which may hold an encoded slash."""

    regex = "[^/]+"

    def to_python(self, value: str) -> str:
        return _ENCODED.sub(lambda found: "/" if found[1] == "2F" else "%", value)

    def to_url(self, value: str) -> str:
        return value.replace("%", "%25").replace("/", "%2F")


class AnyCaseUuid:
    """An id of ours. Django's own converter does not find the upper-case form, which many systems write."""

    regex = "[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"

    def to_python(self, value: str) -> uuid.UUID:
        return uuid.UUID(value)

    def to_url(self, value: uuid.UUID) -> str:
        return str(value)


register_converter(Segment, "segment")
register_converter(AnyCaseUuid, "id")
