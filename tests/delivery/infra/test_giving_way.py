"""A thread with much to compute pauses while urgent work is under way, and goes on after a while all the same."""

from __future__ import annotations

import threading
import time

from notifier.delivery.infra.giving_way import PAUSE, SLICE, give_way, urgent, yielding


def worked() -> float:
    """Seconds that a give_way after more than a slice of work takes."""
    time.sleep(SLICE * 2)
    began = time.monotonic()
    give_way()
    return time.monotonic() - began


def test_only_a_thread_that_yields_gives_way_and_only_to_urgent_work() -> None:
    with urgent():
        with yielding():
            assert worked() >= PAUSE * 0.9
        # not in `yielding` any more: no wait, which a loaded machine shows as far less than many pauses
        assert sum(worked() for _ in range(5)) < 5 * 60


def test_it_goes_on_as_soon_as_the_urgent_work_ends() -> None:
    goes_on = threading.Event()
    with yielding():
        give_way()
        time.sleep(SLICE * 2)
        give_way()  # nothing urgent is under way
    thread = threading.Thread(target=_give_way_in_a_thread, args=[goes_on])
    with urgent():
        thread.start()
        assert goes_on.wait(60)  # it pauses and goes on, although the urgent work has not ended
    thread.join(60)


def _give_way_in_a_thread(goes_on: threading.Event) -> None:
    with yielding():
        for _ in range(5):
            time.sleep(SLICE * 2)
            give_way()
    goes_on.set()
