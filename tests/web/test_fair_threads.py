"""Threads that owners share: counts and order, not times."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter

import pytest

from notifier.web.serving.fair_threads import OWNER, FairThreads, owner_of


class Work:
    """Calls that run until the test lets them end."""

    def __init__(self) -> None:
        self.running: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.ended: list[str] = []
        self.may_end = threading.Event()
        self._lock = threading.Lock()

    def run(self, owner: str) -> str:
        with self._lock:
            self.running[owner] += 1
            self.most[owner] = max(self.most[owner], self.running[owner])
        assert self.may_end.wait(60)
        with self._lock:
            self.running[owner] -= 1
            self.ended.append(owner)
        return owner


async def until(condition: object) -> None:
    for _ in range(6000):
        if condition():  # type: ignore[operator]
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen within a minute")


def test_a_flood_leaves_threads_to_others() -> None:
    async def scene() -> None:
        threads, work = FairThreads(8), Work()
        flood = [asyncio.create_task(threads.run("acme", work.run, "acme")) for _ in range(50)]
        await until(lambda: work.running["acme"] == 6)
        other = asyncio.create_task(threads.run("globex", work.run, "globex"))
        await until(lambda: work.running["globex"] == 1)  # although 44 calls came before it
        work.may_end.set()
        assert await asyncio.gather(other, *flood) == ["globex"] + ["acme"] * 50
        assert work.most["acme"] == 6

    asyncio.run(scene())


def test_owners_who_wait_take_turns() -> None:
    async def scene() -> None:
        threads, work = FairThreads(1), Work()
        calls = [asyncio.create_task(threads.run("acme", work.run, "acme")) for _ in range(4)]
        await until(lambda: work.running["acme"] == 1)
        calls += [asyncio.create_task(threads.run(name, work.run, name)) for name in ("globex", "globex", "initech")]
        await asyncio.sleep(0)
        work.may_end.set()
        await asyncio.gather(*calls)
        assert work.ended == ["acme", "acme", "globex", "initech", "acme", "globex", "acme"]

    asyncio.run(scene())


def test_a_call_whose_client_left_keeps_no_thread() -> None:
    async def scene() -> None:
        threads, work = FairThreads(1), Work()
        first = asyncio.create_task(threads.run("acme", work.run, "acme"))
        await until(lambda: work.running["acme"] == 1)
        waiting = [asyncio.create_task(threads.run("globex", work.run, "globex")) for _ in range(3)]
        await asyncio.sleep(0)
        for call in waiting[:2]:
            call.cancel()
        work.may_end.set()
        assert await first == "acme" and await waiting[2] == "globex"
        assert await threads.run("acme", work.run, "acme") == "acme"

    asyncio.run(scene())


def test_an_error_frees_its_thread() -> None:
    async def scene() -> None:
        threads = FairThreads(1)
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await threads.run("acme", lambda: 1 // 0)

    asyncio.run(scene())


def test_the_owner_is_the_tenant_or_the_address_of_a_session() -> None:
    def owner(address: str, cookie: str, **more: str) -> object:
        return owner_of({"client": (address, 1), "headers": [(b"cookie", cookie.encode())], **more})

    cookie = "csrftoken=x; sessionid=abc; other=1"
    assert owner("93.184.215.14", cookie, **{OWNER: "tenant"}) == "tenant"
    # a client that invents sessions is one owner still
    assert {owner("93.184.215.14", f"sessionid={n}") for n in range(9)} == {"93.184.215.14"}
    assert {owner(f"2001:4860:4860::{n}", cookie) for n in range(9)} == {"2001:4860:4860::"}
    assert owner("10.0.0.7", cookie) == "10.0.0.7"
    assert owner("93.184.215.14", "csrftoken=x") is None
    assert owner_of({"headers": []}) is None
