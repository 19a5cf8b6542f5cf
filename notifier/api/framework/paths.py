"""Addresses under /v1: one segment is one value, and an encoded slash does not end a segment.

ASGI servers decode the path before the application reads it. The recipient with the id `team/preferences`, written
`team%2Fpreferences`, would become the preferences of `team`; bytes that are not UTF-8 would become U+FFFD, so that two
ids become one. This module therefore routes by the path as the client wrote it.
"""

from __future__ import annotations

import re
import uuid
from urllib.parse import unquote_to_bytes

from django.http import HttpRequest
from django.urls import path as path  # `path` knows the converters below
from django.urls import register_converter

#: stay encoded until the path is cut into segments: the slash, and `%`, because else `%252F` would become a slash
_KEPT = re.compile(rb"%(2[Ff]|25)")
_ENCODED = re.compile(r"%(2F|25)")
_BROKEN = re.compile(rb"%(?![0-9A-Fa-f]{2})")


class Malformed(Exception):
    """The address is not percent-encoded UTF-8. The message says how to write it."""


def routed_path(request: HttpRequest) -> str:
    """The path that the URL patterns match. Raises Malformed."""
    raw = _raw_path(request)
    return request.path_info if raw is None or b"%" not in raw else partly_decoded(raw)


def _raw_path(request: HttpRequest) -> bytes | None:
    """The path as the client wrote it, without the query. None if the server does not pass it on: ASGI servers do, and
    of the WSGI servers gunicorn."""
    scope = getattr(request, "scope", None)
    if scope is not None:
        raw_path: bytes | None = scope.get("raw_path")
        return raw_path
    raw_uri = request.META.get("RAW_URI")
    return None if raw_uri is None else str(raw_uri).partition("?")[0].encode("latin-1", "replace")


def undecodable(query: str) -> str | None:
    """The name of the first parameter that is not UTF-8; None if all are. Django would replace such bytes by U+FFFD, so
    that two values become one."""
    for pair in query.split("&") if "%" in query else ():
        try:
            as_text(unquote_to_bytes(pair))
        except Malformed:
            return pair.partition("=")[0][:100]
    return None


def partly_decoded(raw: bytes) -> str:
    """The decoded path, in which encoded `/` and `%` stay `%2F` and `%25`. Raises Malformed."""
    if _BROKEN.search(raw):
        raise Malformed("A % in an address must be encoded as %25.")
    parts = _KEPT.split(raw)
    # parts 1, 3, 5 … are the separators of the split
    decoded = [b"%" + part.upper() if n % 2 else unquote_to_bytes(part) for n, part in enumerate(parts)]
    return as_text(b"".join(decoded))


def as_text(decoded: bytes) -> str:
    """The bytes as text. Raises Malformed."""
    try:
        return decoded.decode()
    except UnicodeDecodeError:
        raise Malformed("An address must be UTF-8, percent-encoded: ü is %C3%BC.") from None


class Segment:
    """One segment of an address, such as a tenant's own id, which may hold an encoded slash."""

    regex = "[^/]+"

    def to_python(self, value: str) -> str:
        return _ENCODED.sub(lambda match: "/" if match[1] == "2F" else "%", value)

    def to_url(self, value: str) -> str:
        return value.replace("%", "%25").replace("/", "%2F")


class AnyCaseUuid:
    """An id made by Notifier. Django's own converter does not match the upper-case form, which many systems write."""

    regex = "[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"

    def to_python(self, value: str) -> uuid.UUID:
        return uuid.UUID(value)

    def to_url(self, value: uuid.UUID) -> str:
        return str(value)


def register() -> None:
    """Make the converters known to `path`. Called by NotifierConfig.ready, before any URL pattern is read."""
    register_converter(Segment, "segment")
    register_converter(AnyCaseUuid, "id")
