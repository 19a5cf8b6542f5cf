"""What a web process measures of its load, and what it says about the level of load shedding."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from notifier.delivery.infra import redis
from notifier.delivery.load_shedding import reports
from notifier.delivery.load_shedding.reports import WebReport
from notifier.vocabulary.load import Level, Switch
from notifier.web.load_meter import LoadMeter, level_at, report_of
from notifier.web.serving.group_commit import GroupCommit, GroupLimits, Stored, newest_groups
from tenants.load_shedding.switch import set_switch
from tests.fixtures import People
from tests.inbox.web import Web


@pytest.mark.parametrize(
    ("age", "read", "said"),
    [(0, Level.NORMAL, Level.NORMAL), (10, Level.SHEDDING, Level.SHEDDING), (11, Level.NORMAL, Level.SHEDDING)],
)
def test_a_level_that_is_not_read_for_long_is_shedding(age: float, read: Level, said: Level) -> None:
    assert level_at(100.0, 100.0 - age, read) is said


def groups(owner: str, *seconds: float, at: float = 95.0, calls: int = 2) -> list[Stored]:
    return [Stored(at, owner, calls, value) for value in seconds]


def test_a_report_is_of_the_last_ten_seconds() -> None:
    stored = groups("acme", 9.0, at=80.0) + groups("acme", *(0.01 * n for n in range(10)))
    assert report_of(stored, 0.25, 100.0) == WebReport(0.09, 20, 1, 0.25)
    assert report_of([], 0.0, 100.0) == WebReport(0.0, 0, 0, 0.0)


@pytest.mark.parametrize(
    ("slow", "quick", "accept"), [(["acme"], ["globex"], 0.1), (["acme", "globex"], ["initech"], 3.0)]
)
def test_a_tenant_counts_once_however_many_requests_it_has(slow: list[str], quick: list[str], accept: float) -> None:
    stored = [group for owner in slow for group in groups(owner, *[3.0] * 100)]
    stored += [group for owner in quick for group in groups(owner, 0.1)]
    assert report_of(stored, 0.0, 100.0).accept == accept


def test_requests_do_not_count_the_wait_behind_those_of_their_own_tenant() -> None:
    """300 calls of one owner at once are stored in ten groups or more, each of which counts from its own turn."""
    name = f"test {time.monotonic()}"

    async def submit_all() -> None:
        group_commit = GroupCommit[int, int](name, lambda calls: calls, GroupLimits(threads=2))
        await asyncio.gather(*(group_commit.submit("acme", number, 1) for number in range(300)))

    asyncio.run(submit_all())
    assert eventually(lambda: sum(group.calls for group in newest_groups(name)) == 300)
    stored = newest_groups(name)
    assert len(stored) >= 10
    assert all(later.at - later.seconds >= earlier.at - 1e-6 for earlier, later in pairwise(stored))


@pytest.mark.django_db(transaction=True)
def test_an_unexpected_error_does_not_end_the_reports(settings: Any) -> None:
    async def unused(*_: object) -> Any: ...

    async def report_again() -> bool:
        """Let a report fail, then repair the cause; whether a report comes."""
        await LoadMeter(unused)({"type": "http", "method": "GET", "path": "/status.json"}, unused, unused)
        failed = lambda: [line for line in lines if line["event"] == "unexpected error"]  # noqa: E731
        assert await asyncio.to_thread(eventually, failed)
        settings.REDIS_URL = url
        redis.reset()
        return bool(await asyncio.to_thread(eventually, lambda: redis.client().exists("load:web")))

    redis.client().delete("load:web")
    url, settings.REDIS_URL = settings.REDIS_URL, "no address"
    redis.reset()
    with capture_logs() as lines:
        try:
            assert asyncio.run(report_again())
        finally:
            settings.REDIS_URL = url
            redis.reset()


def eventually(holds: Callable[[], Any], seconds: float = 60.0) -> Any:
    until = time.monotonic() + seconds
    while not (value := holds()) and time.monotonic() < until:
        time.sleep(0.2)
    return value


@pytest.fixture
def shedding(transactional_db: None) -> Iterator[None]:
    set_switch(Switch.ON)
    yield
    set_switch(Switch.AUTO)


def status(web: Web) -> httpx.Response:
    return httpx.get(f"{web.origin}/status.json")


def test_the_status_is_readable_from_every_page_and_kept_for_some_seconds(web: Web, transactional_db: None) -> None:
    assert eventually(lambda: status(web).json()["level"] == "normal")
    answer = status(web)
    assert (answer.status_code, answer.json()) == (200, {"level": "normal", "ask_after_s": 0})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cache-control"] == "public, max-age=15"
    assert httpx.head(f"{web.origin}/status.json").content == b""
    refused = httpx.post(f"{web.origin}/status.json", content=b"x")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")


def test_a_switch_reaches_the_status_and_readyz_without_making_the_process_unready(web: Web, shedding: None) -> None:
    assert eventually(lambda: status(web).json() == {"level": "shedding", "ask_after_s": 60})
    ready = httpx.get(f"{web.origin}/readyz")
    assert (ready.status_code, ready.json()["load"]) == (200, "shedding")


@pytest.mark.django_db(transaction=True)
def test_the_time_of_acceptance_is_reported(web: Web, people: People) -> None:
    redis.client().delete("load:web")
    headers = {"Authorization": f"Bearer {people.acme_key}"}
    for _ in range(3):
        httpx.post(f"{web.origin}/v1/notifications", json={"recipient": "nobody"}, headers=headers)
    assert eventually(lambda: [r for r in reports.read() if r.requests == 3 and r.accept > 0])
