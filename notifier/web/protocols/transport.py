"""A transport that closes so that the client can read the answer, and does not wait for a client that reads nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from notifier.web import limits


class LingeringTransport(asyncio.Transport):
    """Wraps the loop's transport. `may_send_more` returns whether the client may still be sending. If so, `close` ends
    the answer and throws away what arrives, for LINGER_SECONDS and LINGER_BYTES at most."""

    def __init__(
        self, inner: asyncio.Transport, may_send_more: Callable[[], bool], loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__()
        self.inner = inner
        self._may_send_more = may_send_more
        self._loop = loop
        self._lingers = False
        self._thrown_away = 0

    def close(self) -> None:
        if self.is_closing():
            return
        if not self._may_send_more():
            self._close()
            return
        self._lingers = True
        if self.inner.can_write_eof():
            self.inner.write_eof()
        self.inner.resume_reading()
        self._loop.call_later(limits.LINGER_SECONDS, self._close)

    def throw_away(self, size: int) -> None:
        """Count bytes that arrived after the answer; close after too many."""
        self._thrown_away += size
        if self._thrown_away > limits.LINGER_BYTES:
            self._close()

    def is_closing(self) -> bool:
        return self._lingers or self.inner.is_closing()

    def _close(self) -> None:
        if self.inner.is_closing():
            return
        self.inner.close()
        if left := self.inner.get_write_buffer_size():
            self._loop.call_later(limits.DRAIN_SECONDS, self._give_up, left)

    def _give_up(self, before: int) -> None:
        """Abort unless the client has read since there were `before` bytes to send."""
        left = self.inner.get_write_buffer_size()
        if left >= before:
            self.inner.abort()
        elif left:
            self._loop.call_later(limits.DRAIN_SECONDS, self._give_up, left)

    # -- passed on to the wrapped transport --

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.inner.write(data)

    def abort(self) -> None:
        self.inner.abort()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self.inner.get_extra_info(name, default)

    def get_write_buffer_size(self) -> int:
        return self.inner.get_write_buffer_size()

    def pause_reading(self) -> None:
        self.inner.pause_reading()

    def resume_reading(self) -> None:
        self.inner.resume_reading()

    def is_reading(self) -> bool:
        return self.inner.is_reading()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.inner.set_protocol(protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self.inner.get_protocol()
