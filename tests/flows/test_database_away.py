"""PostgreSQL is stopped at once in the middle of requests of every kind: each is answered, or refused with 503, and
nothing that was accepted is lost."""

from __future__ import annotations

import os
import signal
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from tests.flows.http import Answer
from tests.flows.sandbox import Sandbox
from tests.flows.site import Site
from tests.flows.tenant import Tenant, content
from tests.flows.wait import until

#: requests of one kind that are answered before and after the stop
SOME = 10
PEOPLE = 8


@pytest.fixture(autouse=True)
def _postgres_runs_again(site: Site) -> Iterator[None]:
    yield
    site.start("postgres")


class Load:
    """One kind of request, again and again until `done`."""

    def __init__(self, call: Callable[[], Answer]) -> None:
        self._call = call
        self.done = Event()
        self.answered = Counter[int]()
        self.problems: list[str] = []

    def run(self) -> None:
        while not self.done.is_set():
            answer = self._call()
            self.answered[answer.status] += 1
            if answer.status not in (200, 202, 302, 503):
                self.problems.append(f"{answer.status} {answer.text[:300]}")
            if answer.status == 503 and "retry-after" not in answer.headers:
                self.problems.append(f"503 without Retry-After: {answer.text[:300]}")

    @property
    def good(self) -> int:
        return self.answered.total() - self.answered[503]


class Senders:
    """Requests that send notifications; what was accepted, and what was refused."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant
        self.accepted: list[str] = []
        self.refused: list[Answer] = []

    def single(self, path: str) -> Callable[[], Answer]:
        """Each call sends to the next person; refused with 503, it is sent again with its key."""
        numbers = iter(range(100_000))

        def post() -> Answer:
            body = {"recipient": f"u{next(numbers) % PEOPLE}", "template": "order"}
            key = str(uuid.uuid4())
            while (answer := self._tenant.api.call("POST", path, body, idempotency_key=key)).status == 503:
                self.refused.append(answer)
            if answer.status == 202:
                self.accepted.append(answer.json["id"])
            return answer

        return post

    def bulk(self) -> Answer:
        items = [{"recipient": f"u{n}", "template": "order"} for n in range(2)]
        answer = self._tenant.api.call("POST", "/v1/notifications/bulk", {"items": items})
        if answer.status == 202:
            self.accepted.extend(item["id"] for item in answer.json["items"])
        return answer


def test_every_request_is_answered_or_refused_and_nothing_accepted_is_lost(
    site: Site, tenant: Tenant, sandbox: Sandbox
) -> None:
    tenant.publish("order", "order-updates", {"push": content()["push"]})
    for n in range(PEOPLE):
        tenant.person(f"u{n}", f"{tenant.tag}{n}")
    inbox = tenant.inbox("u0")
    senders = Senders(tenant)
    owner = tenant.owner()
    loads = [
        Load(senders.single("/v1/notifications")),
        Load(senders.single("/v1/notifications?by=view")),
        Load(senders.bulk),
        Load(lambda: tenant.api.call("GET", "/v1/recipients/u1")),
        Load(lambda: inbox.api.call("GET", "/v1/inbox/messages")),
        Load(lambda: owner.get("/admin/tenants/tenant/")),
    ]
    with ThreadPoolExecutor(len(loads)) as pool:
        running = [pool.submit(load.run) for load in loads]
        try:
            until(lambda: all(load.good >= SOME for load in loads), "each kind of request to be answered")
            pid = site.pid("postgres")
            assert pid is not None
            os.kill(pid, signal.SIGQUIT)  # `pg_ctl stop -m immediate`; its supervisor starts it again
            until(lambda: senders.refused, "a request to be refused")
            before = {id(load): load.good for load in loads}
            until(
                lambda: all(load.good >= before[id(load)] + SOME for load in loads), "every kind to be answered again"
            )
        finally:
            for load in loads:
                load.done.set()
        for each in running:
            each.result(120)
    assert not [problem for load in loads for problem in load.problems]
    assert all(answer.headers.get("retry-after") for answer in senders.refused)
    assert {answer.json["code"] for answer in senders.refused} <= {"unavailable", "database_too_slow", "busy"}
    for sent in senders.accepted:
        assert tenant.wait_until_final(sent) == {"push": "sent"}
    # a bulk without a key may be stored, and its answer be lost
    deliveries = {d["id"] for sent in senders.accepted for d in tenant.notification(sent)["deliveries"]}
    arrived = Counter(uuid.UUID(a.delivery) for a in sandbox.arrivals(tenant.tag))
    assert {uuid.UUID(each) for each in deliveries} <= set(arrived)
