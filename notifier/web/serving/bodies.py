"""Reads the body of a request from the ASGI server, within limits of size and time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import IO, Any, cast

from django.conf import settings
from django.core.exceptions import RequestAborted

from notifier.web import limits

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]


class TooSlow(Exception):
    """The client pauses, or sends less than limits.BODY_RATE."""


class TooManyUploads(Exception):
    """One owner, or all owners together, already send as many large bodies as they may."""


def needs_admission(scope: Scope) -> bool:
    """Whether to authorize the caller before the body is read: the body is large, or the client waits for a 100."""
    for name, value in scope["headers"]:
        if name == b"content-length" and _parse_length(value) > limits.SMALL_BODY:
            return True
        if name == b"expect":
            return True
    return False


def announced_length(scope: Scope) -> int:
    """The Content-Length; 0 without one."""
    return next((_parse_length(value) for name, value in scope["headers"] if name == b"content-length"), 0)


def _parse_length(value: bytes) -> int:
    # the HTTP parser has refused values that are no number; more than 18 digits exceed every limit
    return int(value) if len(value) <= 18 and value.isdigit() else 10**18


class Body:
    """The part of a request's body that has arrived. Up to 1 MiB is kept in memory, a larger body on disk."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._file: IO[bytes] | None = None
        self.size = 0
        self.is_complete = False

    async def read(self, max_bytes: int) -> bool:
        """Read on until the body is complete or larger than `max_bytes`. Returns whether it is complete and no larger.
        Raises TooSlow, or RequestAborted if the client has disconnected."""
        now = asyncio.get_running_loop().time
        began, size_before = now(), self.size
        try:
            async with asyncio.timeout(limits.BODY_SECONDS) as deadline:
                while not self.is_complete and self.size <= max_bytes:
                    self._keep(await self._receive())
                    if not self.is_complete:
                        earned_seconds = (self.size - size_before) / limits.BODY_RATE
                        deadline.reschedule(min(began + earned_seconds, now()) + limits.BODY_SECONDS)
        except TimeoutError:
            raise TooSlow from None
        return self.is_complete and self.size <= max_bytes

    def _keep(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "http.disconnect":
            raise RequestAborted
        part = message.get("body", b"")
        self.size += len(part)
        self.is_complete = not message.get("more_body", False)
        if self._file is None and self.is_complete:
            self._file = BytesIO(part)  # most bodies come in one part; a file that may move to the disk costs more
            return
        self._file = self._file or _temporary_file()
        self._file.write(part)

    def file(self) -> IO[bytes]:
        """The body, to be read from its beginning. The caller closes the file."""
        if self._file is None:
            return BytesIO()
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _temporary_file() -> IO[bytes]:
    size, folder = settings.FILE_UPLOAD_MAX_MEMORY_SIZE, settings.FILE_UPLOAD_TEMP_DIR
    return cast("IO[bytes]", SpooledTemporaryFile(max_size=size, dir=folder))  # the caller of `Body.file` closes it


_uploads: Counter[Hashable] = Counter()
_documents: Counter[Hashable] = Counter()


def upload_slot(owner: Hashable) -> AbstractContextManager[None]:
    """Holds one of the slots for large bodies on disk. Raises TooManyUploads."""
    return _slot(_uploads, owner, limits.UPLOADS)


def document_slot(owner: Hashable) -> AbstractContextManager[None]:
    """Holds one of the slots for large JSON documents, until they are answered. Raises TooManyUploads."""
    return _slot(_documents, owner, limits.DOCUMENTS)


@contextmanager
def _slot(slots: Counter[Hashable], owner: Hashable, most: int) -> Iterator[None]:
    if slots[owner] >= limits.UPLOADS_PER_OWNER or slots.total() >= most:
        raise TooManyUploads
    slots[owner] += 1
    try:
        yield
    finally:
        limits.uncount(slots, owner)
