"""Many requests at once, while their bucket in the web process is empty: as many get through as Redis has tokens."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from tests.fixtures import People
from tests.inbox.web import Web
from tests.web.test_rate_door import GOOD, SINGLE, call, key_of, site

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["site"]

#: of the limit a second, and what its full bucket has; a lease brings 5
RATE, QUOTA = 10, 100

#: (the key's limit, method, path)
Way = tuple[str, str, str]
WAYS = pytest.mark.parametrize(
    "way",
    [
        ("requests_per_second", "GET", "/v1/limits"),
        ("recipients_per_second", "POST", SINGLE),
        ("recipients_per_second", "POST", f"{SINGLE}?by=view"),
    ],
    ids=["requests", "recipients-direct", "recipients-view"],
)


@pytest.fixture(scope="module")
def patient(django_db_setup: None) -> Iterator[Web]:
    server = Web(app="tests.web.patient_leases:application")
    yield server
    server.stop()


def at_once(number: int, ask: Callable[[], int]) -> Counter[int]:
    """The statuses of so many calls that begin together."""
    together = Barrier(number)

    def begin(_: int) -> int:
        together.wait(60)
        return ask()

    with ThreadPoolExecutor(number) as threads:
        return Counter(threads.map(begin, range(number)))


def asks(web: Web, way: Way, key: str) -> Callable[[], int]:
    _, method, path = way
    return lambda: call(web, method, path, key, GOOD if method == "POST" else None)[0]


@WAYS
def test_none_is_refused_while_the_limit_has_tokens(way: Way, site: People, patient: Web) -> None:
    key = key_of(site.acme, f"below {way[2]}", **{way[0]: RATE})
    statuses = at_once(60, asks(patient, way, key))
    assert statuses == {200 if way[1] == "GET" else 202: 60}


@WAYS
def test_above_the_limit_all_of_its_tokens_are_given_and_no_more(way: Way, site: People, patient: Web) -> None:
    key = key_of(site.acme, f"above {way[2]}", **{way[0]: RATE})
    began = time.monotonic()
    statuses = at_once(2 * QUOTA, asks(patient, way, key))
    seconds = time.monotonic() - began
    passed = statuses[200] + statuses[202]
    assert passed + statuses[429] == 2 * QUOTA
    # fractions of a token remain here and there. Redis adds tokens while the calls last
    assert QUOTA - RATE // 2 <= passed <= QUOTA + RATE * seconds + 1
