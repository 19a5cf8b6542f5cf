"""HTTP/1.1 on the same port, for a browser, curl, or Google's own auth library."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from http import HTTPStatus

from notifier.sandbox.fake_service import Answer, Incoming

LARGEST_HEAD = 64 * 1024
LARGEST_BODY = 64 * 1024 * 1024  #: Postmark takes 50 MB in one call


class Http1:
    """One connection: requests one after another, answers in the same order."""

    def __init__(self, transport: asyncio.WriteTransport, answerer: Callable[[Incoming], Answer]) -> None:
        self._transport, self._answerer = transport, answerer
        self._loop = asyncio.get_running_loop()
        self._unparsed = bytearray()
        self._missing = 0  #: bytes of a body that have not arrived
        self._waiting = False  #: an answer waits for its delay

    def feed(self, data: bytes) -> None:
        self._unparsed += data
        self._missing -= len(data)
        while self._missing <= 0 and not self._waiting and not self._transport.is_closing():
            end = self._unparsed.find(b"\r\n\r\n", 0, LARGEST_HEAD + 4)
            if end < 0:
                if len(self._unparsed) > LARGEST_HEAD:
                    self._send(Answer(431), keep=False)
                return
            if not self._answer_request(bytes(self._unparsed[:end]), end + 4):
                return

    def _answer_request(self, head: bytes, start: int) -> bool:
        """Answer one request when its body is complete; False when more bytes are needed. `start`: of the body."""
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        parts = first.split(" ")
        length = headers.get("content-length", "0")
        if len(parts) != 3 or not parts[2].startswith("HTTP/1.") or not length.isdigit():
            self._send(Answer(400), keep=False)
            return False
        if "transfer-encoding" in headers or int(length) > LARGEST_BODY:
            self._send(Answer(411 if "transfer-encoding" in headers else 413), keep=False)
            return False
        end = start + int(length)
        if (missing := end - len(self._unparsed)) > 0:
            self._missing = missing
            return False
        body = bytes(self._unparsed[start:end])
        del self._unparsed[:end]
        path, _, query = parts[1].partition("?")
        answer = self._answerer(Incoming(parts[0], path, query, headers, body))
        keep = headers.get("connection", "").lower() != "close" and parts[2] != "HTTP/1.0"
        if answer.delay:
            self._waiting = True
            self._loop.call_later(answer.delay, partial(self._later, answer, keep))
        else:
            self._send(answer, keep=keep)
        return True

    def _later(self, answer: Answer, keep: bool) -> None:
        self._waiting = False
        self._send(answer, keep=keep)
        self.feed(b"")

    def _send(self, answer: Answer, *, keep: bool) -> None:
        if answer.hangup or answer.reset is not None:
            self._transport.abort()
            return
        lines = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in answer.headers]
        lines += [f"content-type: {answer.content_type}", f"content-length: {len(answer.body)}"]
        lines += [] if keep else ["connection: close"]
        self._transport.write("\r\n".join([*lines, "", ""]).encode("latin-1") + answer.body)
        if not keep:
            self._transport.close()
