"""HTTP/2 by hand where the far end speaks it, libcurl where it speaks HTTP/1.1 only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from notifier.transport import pooled
from notifier.transport.h2.client import CONNECTIONS, H2Wire
from notifier.transport.h2.heads import Head
from notifier.transport.h2.job import Answered
from notifier.transport.h2.origin import NO_H2
from notifier.vocabulary import Broken, Request, Response


class EitherWire(H2Wire):
    def __init__(self, trust: str | None = None, connections: int = CONNECTIONS) -> None:
        super().__init__(trust, connections)
        self._other = pooled.wire(trust)

    def exchange(self, requests: Sequence[Request]) -> Iterator[Sequence[tuple[int, Response | Broken]]]:
        left: list[int] = []
        for batch in super().exchange(requests):
            if told := _parted(batch, left):
                yield told
        for batch in self._other.exchange([requests[index] for index in left]):
            yield [(left[place], answer) for place, answer in batch]

    def blast(
        self, head: Head, bodies: Sequence[bytes], paths: Sequence[bytes] | None = None
    ) -> Iterator[Sequence[Answered]]:
        left: list[int] = []
        for batch in super().blast(head, bodies, paths):
            if told := _parted(batch, left):
                yield told
        requests = [_request(head, bodies[index], paths[index] if paths else None) for index in left]
        for others in self._other.exchange(requests):
            yield [(left[place], _plain(answer)) for place, answer in others]


A = TypeVar("A")


def _parted(batch: Sequence[tuple[int, A]], left: list[int]) -> Sequence[tuple[int, A]]:
    """The batch without those that the other transport must send; their indexes go to `left`."""
    gone = [index for index, answer in batch if answer is NO_H2]
    left += gone
    return [pair for pair in batch if pair[1] is not NO_H2] if gone else batch


def _request(head: Head, body: bytes, path: bytes | None) -> Request:
    place = head.path if path is None else path.decode("ascii")
    return Request(head.method, head.origin + place, head.headers, body, head.timeout)


def _plain(answer: Response | Broken) -> int | Response | Broken:
    return 200 if isinstance(answer, Response) and answer.status == 200 else answer
