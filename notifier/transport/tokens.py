"""Access tokens: kept in the process until five minutes before their end, fetched one at a time for each account and
credential. What is kept under one key, a refusal too, is never told under another."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from notifier.vocabulary.http import Request, Response, TokenRefused, TokenRequest, TransportError

EARLY = 300.0  #: seconds before its end at which a token is replaced
REMEMBER_REFUSED = 5.0  #: seconds for which dead credentials are not tried again
REMEMBER_FAILED = 1.0  #: likewise, when the token endpoint had a passing trouble
MOST = 10_000  #: kept at once: 1.5 kB each
YOUNG = 1.0  #: seconds in which a fresh token is not forgotten: late 401s speak of the one before it


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
    """`fetch` sends one request and returns its answer."""

    def __init__(self, fetch: Callable[[Request], Response | TransportError]) -> None:
        self._fetch = fetch
        self._entries: dict[str, _Entry] = {}
        self._adding = threading.Lock()

    def get(self, wanted: TokenRequest) -> str:
        entry = self._entries.get(wanted.cache_key) or self._add(wanted.cache_key)
        with entry.lock:
            now = time.monotonic()
            if entry.token and now < entry.until:
                return entry.token
            if entry.refused is not None and now < entry.refused_until:
                raise TokenRefused(entry.refused.detail, temporary=entry.refused.temporary)
            return self._renew(entry, wanted.request)

    def forget(self, cache_key: str) -> None:
        entry = self._entries.get(cache_key)
        if entry is not None:
            with entry.lock:
                if time.monotonic() - entry.born > YOUNG:
                    entry.token = ""

    def _add(self, cache_key: str) -> _Entry:
        with self._adding:
            if len(self._entries) >= MOST:
                self._make_room()
            return self._entries.setdefault(cache_key, _Entry())

    def _make_room(self) -> None:
        """Drop a tenth, those first that end first: what replaced credentials left behind is among them."""
        oldest = sorted(self._entries, key=lambda key: self._entries[key].useful_until)
        for key in oldest[: max(1, MOST // 10)]:
            del self._entries[key]

    def _renew(self, entry: _Entry, request: Request) -> str:
        try:
            token, life = read_grant(self._fetch(request))
        except TokenRefused as refused:
            pause = REMEMBER_FAILED if refused.temporary else REMEMBER_REFUSED
            entry.token, entry.refused, entry.refused_until = "", refused, time.monotonic() + pause
            raise
        entry.token, entry.refused, entry.born = token, None, time.monotonic()
        entry.until = entry.born + max(life - EARLY, life / 2)
        return token


def read_grant(answer: Response | TransportError) -> tuple[str, float]:
    """The token and its life in seconds (RFC 6749 §5.1), or TokenRefused with what the endpoint said (§5.2)."""
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
