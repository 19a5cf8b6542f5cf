"""Who has just written reads the primary for some seconds, and so reads their own writes.

A browser carries the fact in a cookie. An API key may be used by many servers against many web processes, so Redis
knows it. A process that Redis does not answer leaves it alone for some seconds, and reads the primary for every key
until what was written meanwhile is old enough.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from functools import partial

import structlog
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from notifier.delivery.infra import redis

log = structlog.get_logger("notifier.web.replica")

COOKIE = "just_wrote"
#: a process tells Redis of a key's writes once in so many seconds: a thousand notifications a second cost one call
TOLD_EVERY = 1.0
_told: dict[bytes, float] = {}
#: seconds between two uses of a key that are recorded, for people who look for unused keys
RECORD_EVERY = 60.0
_recorded: dict[bytes, float] = {}
_MOST_KEYS = 10_000
#: seconds for which a process does not call Redis after a failed call: a Redis that hangs costs its callers 4 s a call
PAUSE_SECONDS = 5.0
_is_away = False
_away_until = -math.inf


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
        if _ask(partial(_tell, digest)) is None:
            return
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
    """Also when Redis cannot tell, or could not be told a moment ago."""
    if time.monotonic() < _away_until + seconds():
        return True
    return _ask(lambda: redis.client().exists(_name(digest))) != 0


def _tell(digest: bytes) -> object:
    return redis.client().set(_name(digest), 1, ex=seconds())


def _ask(question: Callable[[], object]) -> object:
    """The answer of Redis; None while it is away. After a pause one thread tries, and the others go on without it."""
    global _is_away, _away_until
    if time.monotonic() < _away_until:
        return None
    if _is_away:
        _away_until = time.monotonic() + PAUSE_SECONDS
    try:
        answer = question()
    except redis.Unavailable as error:
        _is_away, _away_until = True, time.monotonic() + PAUSE_SECONDS
        log.warning("redis away", action="pin", error=type(error).__name__)
        return None
    if _is_away:
        _is_away, _away_until = False, time.monotonic()
    return answer


def reset() -> None:
    """Forget what was told, and call Redis at once."""
    global _is_away, _away_until
    _is_away, _away_until = False, -math.inf
    _told.clear()


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
