"""A recorder that keeps spans."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from notifier.tracing import switch
from notifier.tracing.context import Caller
from notifier.tracing.switch import Span


class Kept:
    """Keeps the spans of every trace whose caller does not say otherwise."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def samples(self, name: str, trace_id: int, caller: Caller | None = None) -> bool:
        return caller is None or caller.sampled

    def record(self, span: Span) -> None:
        self.spans.append(span)

    def flush(self, seconds: float) -> None:
        """Nothing is buffered."""


@pytest.fixture
def kept() -> Iterator[list[Span]]:
    recorder = Kept()
    switch.start(recorder)
    yield recorder.spans
    switch.start(None)
