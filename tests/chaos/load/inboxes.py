"""Many open inboxes, as pages have them: each connects again when its socket breaks, with the number it has."""

from __future__ import annotations

import asyncio
import json
import random
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import websockets

from tests.chaos.judging.ledger import Ledger
from tests.chaos.stack.site import ChaosSite
from tests.flows.tenant import Tenant

#: seconds between two tries to connect, at most
_PAUSE = 2.0


@dataclass
class Page:
    """One open inbox. `seq`: the newest number that it has; `after_revision` resumes the changes."""

    person: str
    token: str
    seq: int = 0
    revision: int = 0
    connects: int = 0
    ready: bool = False
    gaps: int = 0

    def take(self, frame: dict[str, Any]) -> None:
        self.revision = frame.get("after_revision", self.revision)
        if frame["type"] == "ready":
            self.ready = True
            if self.connects == 1:
                self.seq = int(frame["last_seq"])
        for message in frame.get("messages", []) if frame["type"] == "messages" else []:
            self.gaps += message["seq"] != self.seq + 1
            self.seq = int(message["seq"])

    @property
    def hello(self) -> str:
        resumes = {"after_seq": self.seq, "after_revision": self.revision} if self.connects > 1 else {}
        return json.dumps({"type": "hello", "token": self.token, **resumes})


class Inboxes:
    """`with Inboxes(…) as inboxes`: all pages live in one thread until the end of the block."""

    def __init__(self, site: ChaosSite, tenant: Tenant, people: Sequence[str]) -> None:
        self._site, self._tenant, self._people = site, tenant, people
        self._pages: list[Page] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="inboxes", daemon=True)

    def __enter__(self) -> Self:
        with ThreadPoolExecutor(8) as pool:
            tokens = list(pool.map(lambda person: self._tenant.inbox(person).token, self._people))
        self._pages = [Page(person, token) for person, token in zip(self._people, tokens, strict=True)]
        self._thread.start()
        for page in self._pages:
            asyncio.run_coroutine_threadsafe(self._live(page), self._loop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)

    @property
    def ready(self) -> int:
        return sum(page.ready for page in self._pages)

    @property
    def gaps(self) -> int:
        return sum(page.gaps for page in self._pages)

    @property
    def reconnects(self) -> int:
        return sum(page.connects > 1 for page in self._pages)

    def behind(self) -> int:
        """Pages that do not have the newest message of their inbox."""
        stored = Ledger(self._site.settings["DATABASE_URL"]).newest_in_inboxes(self._tenant.credentials.slug)
        return sum(page.seq < stored.get(page.person, 0) for page in self._pages)

    async def _live(self, page: Page) -> None:
        url = f"ws://{urlsplit(self._site.url).netloc}/v1/inbox/live"
        while True:
            try:
                async with websockets.connect(url, open_timeout=30) as wire:
                    page.connects += 1
                    await wire.send(page.hello)
                    async for frame in wire:
                        page.take(json.loads(frame))
            except (OSError, TimeoutError, websockets.WebSocketException):  # web is away, or full: later again
                page.ready = False
            await asyncio.sleep(random.uniform(0.2, _PAUSE))

    async def _end(self) -> None:
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
