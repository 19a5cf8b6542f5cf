"""Reads the body of a request from the ASGI server: up to a limit, and not from a slow client."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import IO, Any, cast

from django.conf import settings
from django.core.exceptions import RequestAborted

from notifier.web import limits

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]


class TooSlow(Exception):
    """The client pauses, or sends next to nothing."""


class TooManyUploads(Exception):
    """Somebody, or all together, send as many large bodies as there may be."""


def announces_much(scope: Scope) -> bool:
    """Whether to ask who it is before anything is read: the body is large, or the client waits for a 100."""
    for name, value in scope["headers"]:
        if name == b"content-length" and announced(value) > limits.SMALL_BODY:
            return True
        if name == b"expect":
            return True
    return False


def announced_size(scope: Scope) -> int:
    """0 without a Content-Length."""
    return next((announced(value) for name, value in scope["headers"] if name == b"content-length"), 0)


def announced(value: bytes) -> int:
    # the parser has refused what is no number; 18 digits are more than anybody sends
    return int(value) if len(value) <= 18 and value.isdigit() else 10**18


class Body:
    """What has come of a request's body. Up to 1 MiB is kept in memory, more on disk."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._file: IO[bytes] | None = None
        self.size = 0
        self.whole = False

    async def read(self, most: int) -> bool:
        """Read on, and stop above so many bytes. Whether the body is whole and no larger. Raises TooSlow, or
        RequestAborted when the client has gone."""
        now = asyncio.get_running_loop().time
        began, had = now(), self.size
        try:
            async with asyncio.timeout(limits.BODY_SECONDS) as patience:
                while not self.whole and self.size <= most:
                    self._keep(await self._receive())
                    if not self.whole:
                        earned = (self.size - had) / limits.BODY_RATE
                        patience.reschedule(min(began + earned, now()) + limits.BODY_SECONDS)
        except TimeoutError:
            raise TooSlow from None
        return self.whole and self.size <= most

    def _keep(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "http.disconnect":
            raise RequestAborted
        part = message.get("body", b"")
        self.size += len(part)
        self.whole = not message.get("more_body", False)
        if self._file is None and self.whole:
            self._file = BytesIO(part)  # most come in one part; a file that may move to the disk costs more
            return
        self._file = self._file or _spool()
        self._file.write(part)

    def file(self) -> IO[bytes]:
        """From its beginning; the caller closes it."""
        if self._file is None:
            return BytesIO()
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _spool() -> IO[bytes]:
    size, folder = settings.FILE_UPLOAD_MAX_MEMORY_SIZE, settings.FILE_UPLOAD_TEMP_DIR
    return cast("IO[bytes]", SpooledTemporaryFile(max_size=size, dir=folder))  # the body's reader closes it


_uploads: Counter[Hashable] = Counter()


@contextmanager
def upload_of(owner: Hashable) -> Iterator[None]:
    """One of the large bodies that may come in at once. Raises TooManyUploads."""
    if _uploads[owner] >= limits.UPLOADS_PER_OWNER or _uploads.total() >= limits.UPLOADS:
        raise TooManyUploads
    _uploads[owner] += 1
    try:
        yield
    finally:
        limits.uncount(_uploads, owner)
