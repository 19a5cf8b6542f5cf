"""Whose API key a request carries, before its body is read and before its group is chosen.

A key is remembered for a minute: its tenant, mode and scopes say to which group a request belongs, and that its body
may be read. Whether the request is accepted, the transaction of its group asks the database again, so a key that was
revoked a moment ago accepts nothing.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from django.db import transaction

from notifier.api.framework.authentication import ApiCaller, load_callers
from notifier.web.serving.group_commit import GroupCommit, GroupLimits

#: seconds for which a key is remembered
SECONDS = 60.0
#: keys that are remembered; beyond it all are forgotten
MOST = 10_000
#: keys that are looked up together, 0.1 ms each, and keys that may wait for it: a flood of unknown keys must not hold
#: up those of tenants
LIMITS = GroupLimits(threads=1, calls=100, waiting_bytes=32 * 1_000, owner_bytes=32 * 1_000)


class KnownKeys:
    """One for each process."""

    def __init__(self) -> None:
        self._callers: dict[bytes, tuple[ApiCaller, float]] = {}
        self._commit = GroupCommit[bytes, ApiCaller | None]("keys", _load, LIMITS)

    def remembered(self, digest: bytes) -> tuple[ApiCaller | None, bool]:
        """The caller as this process saw the key last, and whether that was within the minute."""
        caller, until = self._callers.get(digest, (None, 0.0))
        return caller, time.monotonic() < until

    async def caller(self, digest: bytes) -> ApiCaller | None:
        """The caller; None for an unknown key. Raises Busy when too many keys wait, and the errors of a database that
        is away."""
        caller, is_new = self.remembered(digest)
        if caller is not None and is_new:
            return caller
        caller = await self._commit.submit(None, digest, len(digest))
        if caller is None:
            self._callers.pop(digest, None)
        else:
            if len(self._callers) >= MOST:
                self._callers.clear()
            self._callers[digest] = (caller, time.monotonic() + SECONDS)
        return caller


def _load(digests: Sequence[bytes]) -> list[ApiCaller | None]:
    """The scope that the transaction gets is of any of the keys; nothing else is read in it."""
    with transaction.atomic():
        callers = load_callers(sorted(set(digests)))
    return [callers.get(digest) for digest in digests]
