"""Access tokens: kept in the process until five minutes before their end, fetched one at a time for each account and
credential. An entry (a token or a refusal) is used for its own key only."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from notifier.vocabulary.http import Request, Response, TokenRefused, TokenRequest, TransportError

RENEW_BEFORE = 300.0  #: seconds before its end at which a token is replaced
REMEMBER_REFUSED = 5.0  #: seconds for which refused credentials are not tried again
REMEMBER_FAILED = 1.0  #: likewise after a temporary failure of the token endpoint
CAPACITY = 10_000  #: entries, 1.5 kB each
LOST_SOON = 2.0  #: a request whose connection was lost within these seconds is sent once more: the server had closed it
KEEP_FRESH = 1.0  #: seconds for which `forget` keeps a fresh token: late 401s concern the token before it


@dataclass
class _Entry:
    lock: threading.Lock = field(default_factory=threading.Lock)
    token: str = field(default="", repr=False)
    born: float = 0.0
    until: float = 0.0
    refused: TokenRefused | None = None
    refused_until: float = 0.0

    @property
    def useful_until(self) -> float:
        return max(self.until if self.token else 0.0, self.refused_until)


class Tokens:
    """`fetch` sends one request and returns its answer. `keep_fresh`: seconds for which `forget` keeps a fresh token.
    `clock`: seconds, as time.monotonic."""

    def __init__(
        self,
        fetch: Callable[[Request], Response | TransportError],
        *,
        capacity: int = CAPACITY,
        keep_fresh: float = KEEP_FRESH,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._capacity, self._keep_fresh, self._clock = capacity, keep_fresh, clock
        self._entries: dict[str, _Entry] = {}
        self._adding = threading.Lock()

    def __len__(self) -> int:
        """How many entries are kept."""
        return len(self._entries)

    def __repr__(self) -> str:
        return f"Tokens({self._entries!r})"

    def get(self, request: TokenRequest) -> str:
        """The kept token, or a fetched one. Raises TokenRefused."""
        entry = self._entries.get(request.cache_key) or self._add(request.cache_key)
        with entry.lock:
            now = self._clock()
            if entry.token and now < entry.until:
                return entry.token
            if entry.refused is not None and now < entry.refused_until:
                raise TokenRefused(entry.refused.detail, temporary=entry.refused.temporary)
            return self._renew(entry, request.request)

    def forget(self, cache_key: str) -> None:
        entry = self._entries.get(cache_key)
        if entry is not None:
            with entry.lock:
                if self._clock() - entry.born > self._keep_fresh:
                    entry.token = ""

    def _add(self, cache_key: str) -> _Entry:
        with self._adding:
            if len(self._entries) >= self._capacity:
                self._make_room()
            return self._entries.setdefault(cache_key, _Entry())

    def _make_room(self) -> None:
        """Drop the tenth of the entries that end first; entries of replaced credentials are among them."""
        oldest = sorted(self._entries, key=lambda key: self._entries[key].useful_until)
        for key in oldest[: max(1, self._capacity // 10)]:
            del self._entries[key]

    def _renew(self, entry: _Entry, request: Request) -> str:
        try:
            token, life = read_grant(self._ask(request))
        except TokenRefused as refused:
            pause = REMEMBER_FAILED if refused.temporary else REMEMBER_REFUSED
            entry.token, entry.refused, entry.refused_until = "", refused, self._clock() + pause
            raise
        entry.token, entry.refused, entry.born = token, None, self._clock()
        entry.until = entry.born + max(life - RENEW_BEFORE, life / 2)
        return token

    def _ask(self, request: Request) -> Response | TransportError:
        """A second grant does no harm, and without it all messages of the account would wait for the next attempt."""
        began = self._clock()
        answer = self._fetch(request)
        lost = isinstance(answer, TransportError) and not answer.unreachable
        return self._fetch(request) if lost and self._clock() - began < LOST_SOON else answer


def read_grant(answer: Response | TransportError) -> tuple[str, float]:
    """The token and its life in seconds (RFC 6749 §5.1). Raises TokenRefused with the endpoint's error (§5.2)."""
    if isinstance(answer, TransportError):
        raise TokenRefused(f"The token endpoint did not answer: {answer.detail}", temporary=True)
    try:
        grant: Any = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        grant = None
    grant = grant if isinstance(grant, dict) else {}
    if answer.status != 200:
        why = f"{grant.get('error', '')} {grant.get('error_description', '')}".strip()[:200]
        temporary = answer.status >= 500 or answer.status in (408, 425, 429)
        raise TokenRefused(f"The token endpoint answered {answer.status}: {why}", temporary=temporary)
    token, life = grant.get("access_token"), grant.get("expires_in", 3600)
    if not isinstance(token, str) or not token or not isinstance(life, (int, float)):
        raise TokenRefused("The token endpoint's answer holds no access token", temporary=True)
    return token, float(life)
