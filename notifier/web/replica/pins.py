"""Who has just written reads the primary for some seconds, and so reads their own writes.

A browser carries the fact in a cookie. An API key may be used by many servers against many web processes, so Redis
knows it; while Redis is away, every request with a key reads the primary.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from notifier.delivery.infra import redis

COOKIE = "just_wrote"
#: a process tells Redis of a key's writes once in so many seconds: a thousand notifications a second cost one call
TOLD_EVERY = 1.0
_told: dict[bytes, float] = {}
#: seconds between two uses of a key that are recorded, for people who look for unused keys
RECORD_EVERY = 60.0
_recorded: dict[bytes, float] = {}
_MOST_KEYS = 10_000


def seconds() -> int:
    """How long a write counts: as long as the replica may be behind, and a little more."""
    return int(settings.REPLICA_MAX_LAG_SECONDS + TOLD_EVERY) + 1


def key_wrote(digests: Iterable[bytes]) -> None:
    """API keys, by their digests, have written. One look into a dictionary for a key that wrote a moment ago."""
    if not settings.REPLICA_DATABASE_URL:
        return
    now = time.monotonic()
    for digest in digests:
        if now - _told.get(digest, -TOLD_EVERY) < TOLD_EVERY:
            continue
        if len(_told) > _MOST_KEYS:
            _told.clear()
        try:
            redis.client().set(_name(digest), 1, ex=seconds())
        except redis.Unavailable:
            return  # readers see that Redis is away, too
        _told[digest] = now


def is_turn_of_primary(digest: bytes) -> bool:
    """Whether the primary shall answer this key once, because it records when a key was used last."""
    now = time.monotonic()
    if now - _recorded.get(digest, -RECORD_EVERY) < RECORD_EVERY:
        return False
    if len(_recorded) > _MOST_KEYS:
        _recorded.clear()
    _recorded[digest] = now
    return True


def key_has_written(digest: bytes) -> bool:
    """Also when Redis cannot tell."""
    try:
        return bool(redis.client().exists(_name(digest)))
    except redis.Unavailable:
        return True


def browser_wrote(response: HttpResponseBase) -> None:
    """The answer to a form makes the browser's next requests read the primary."""
    until, secure = str(int(time.time()) + seconds()), settings.SESSION_COOKIE_SECURE
    response.set_cookie(COOKIE, until, max_age=seconds(), httponly=True, samesite="Lax", secure=secure)


def browser_has_written(request: HttpRequest) -> bool:
    """Not every client forgets a cookie in time, so it says until when it counts."""
    until = request.COOKIES.get(COOKIE, "")
    return until.isdigit() and int(until[:12]) > time.time()


def _name(digest: bytes) -> str:
    return f"wrote:{digest.hex()}"
