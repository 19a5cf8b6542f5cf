"""Sends the requests of one spec: in an open loop at fixed times, in a closed loop one after the other."""

from __future__ import annotations

import asyncio
import json
import time

from bench.load.connection import ConnectionFailed, Pool
from bench.load.result import LoadResult
from bench.load.spec import LEAD, LoadSpec

#: an open loop may open so many connections; requests beyond them wait, and their wait counts
MOST_CONNECTIONS = 1_000
#: seconds for one request; then it has failed
TIMEOUT = 60.0
#: seconds that a closed loop waits after a failure
PAUSE = 0.2
#: failed requests whose answers are kept, and their characters
FAILURES_KEPT, FAILURE_LENGTH = 20, 300


class Generator:
    """`await generator.run()` sends everything; `stop()` ends a run after the requests in flight."""

    def __init__(self, spec: LoadSpec) -> None:
        self.spec = spec
        self._stopped = asyncio.Event()
        self._rows: list[tuple[float, float, float, str, str]] = []
        self._result = LoadResult()

    def stop(self) -> None:
        self._stopped.set()

    async def run(self) -> LoadResult:
        spec = self.spec
        self._pool = Pool(spec.origin, spec.path, spec.headers, MOST_CONNECTIONS)
        await self._pool.open(spec.connections)
        cpu = time.process_time()
        await (self._open_loop() if spec.per_s else self._closed_loop())
        self._pool.close()
        result = self._result
        result.cpu_seconds = time.process_time() - cpu
        for row in sorted(self._rows):
            for column, value in zip((result.due, result.begun, result.answered), row[:3], strict=True):
                column.append(value)
            result.ids.append(row[3])
            result.templates.append(row[4])
        return result

    async def _open_loop(self) -> None:
        spec, start = self.spec, time.time() + LEAD
        requests: list[asyncio.Task[bool]] = []
        while not self._stopped.is_set() and (not spec.count or len(requests) < spec.count):
            due = start + len(requests) / spec.per_s
            if (delay := due - time.time()) > 0:
                await asyncio.sleep(delay)
            requests.append(asyncio.create_task(self._send(len(requests), due)))
        await asyncio.gather(*requests)

    async def _closed_loop(self) -> None:
        numbers = iter(range(self.spec.count or 1 << 60))

        async def caller() -> None:
            while not self._stopped.is_set() and (number := next(numbers, None)) is not None:
                if not await self._send(number, time.time()):
                    await asyncio.sleep(PAUSE)

        await asyncio.gather(*(caller() for _ in range(self.spec.connections)))

    async def _send(self, number: int, due: float) -> bool:
        """Whether the request was accepted."""
        body, begun = self.spec.body(number), time.time()
        try:
            async with asyncio.timeout(TIMEOUT):
                status, answer = await self._pool.post(body)
        except (ConnectionFailed, OSError, TimeoutError) as error:
            status, answer = 0, f"{type(error).__name__}: {error}".encode()
        answered, delivery = time.time(), ""
        accepted = status == 202 or (bool(self.spec.items) and status == 207)
        if accepted:
            delivery = self._count_accepted(answer)
        else:
            self._fail(status, answer)
        self._rows.append((due, begun, answered, delivery, self.spec.template(number + self.spec.first)))
        return accepted

    def _count_accepted(self, answer: bytes) -> str:
        """Returns the id of a single notification's delivery."""
        values = json.loads(answer)
        if self.spec.items:
            self._result.accepted += int(values["accepted"])
            return ""
        self._result.accepted += 1
        deliveries = values.get("deliveries") or [{}]
        return str(deliveries[0].get("id", ""))

    def _fail(self, status: int, answer: bytes) -> None:
        text = f"{status} {answer.decode(errors='replace')[:FAILURE_LENGTH]}"
        self._result.failed.append(text if len(self._result.failed) < FAILURES_KEPT else str(status))
