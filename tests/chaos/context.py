"""What a row may do to the stack, and what it may say about it."""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg
import redis

from tests.chaos.judging.ledger import Ledger, in_flight_of
from tests.chaos.judging.receiver import Receiver
from tests.chaos.load.campaigns import Round, Side
from tests.chaos.options import Options
from tests.chaos.stack import pids
from tests.chaos.stack.doomed import Doomed
from tests.chaos.stack.site import LEASE_SECONDS, ChaosSite
from tests.flows.http import CallFailed
from tests.flows.sandbox import Sandbox
from tests.flows.wait import until

#: seconds: a loaded machine is slow, and a row that waits is no failure
PATIENCE = 240.0
#: what a request raises while something is down
AWAY = (OSError, http.client.HTTPException, CallFailed, psycopg.Error)


class Skipped(Exception):
    """This machine cannot inject the fault; the message says why."""


class NotReached(Exception):
    """The campaigns ended before the fault happened: the row waits for the next round."""


@dataclass
class Context:
    site: ChaosSite
    sides: Sequence[Side]
    options: Options
    random: random.Random
    rounds: list[Round] = field(default_factory=list)
    #: repeats that killed processes may have caused
    allowed: int = 0
    #: notifications that a row sent by itself, and how many messages they have
    notifications: list[str] = field(default_factory=list)
    own_messages: int = 0
    notes: list[str] = field(default_factory=list)
    #: processes that will die at a failpoint, by its name
    doomed: dict[str, Doomed] = field(default_factory=dict)
    _counting: threading.Lock = field(default_factory=threading.Lock)

    # ---- what there is -------------------------------------------------------------------------------------------

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.site.settings["DATABASE_URL"])

    @property
    def receiver(self) -> Receiver:
        return Receiver(self.site.sandbox.caller)

    @property
    def sandbox(self) -> Sandbox:
        return self.site.sandbox

    @property
    def redis(self) -> redis.Redis:
        return redis.Redis.from_url(self.site.settings["REDIS_URL"], socket_timeout=10)

    def seconds(self, full: float, short: float) -> float:
        return short if self.options.short else full

    def note(self, text: str) -> None:
        self.notes.append(text)

    def expect(self, holds: object, what: str) -> None:
        """An expectation of the row's own."""
        if not holds:
            raise AssertionError(what)

    # ---- processes -----------------------------------------------------------------------------------------------

    def kill(self, *names: str) -> None:
        """kill -9. The processes are frozen first, so that what they had begun can be counted while nothing moves."""
        frozen = [pid for name in names for pid in self.site.freeze(name)]
        self.allow_begun_by(*names)
        self.expect(frozen, f"nothing of {', '.join(names)} runs")
        for name in names:
            self.site.kill(name)

    def allow_begun_by(self, *names: str) -> None:
        """Allow that what these processes have begun is repeated."""
        if workers := [name for name in names if name.startswith("worker:")]:
            self.allow(in_flight_of(self.ledger, workers))

    def allow(self, repeats: int) -> None:
        with self._counting:
            self.allowed += repeats

    def terminate(self, name: str) -> None:
        """SIGTERM, as a deployment does. A process that takes longer than its grace period is killed, and may repeat
        what it had begun."""
        self.site.stop(name)
        if self.site.take_killed_after_grace(name):
            self.allow_begun_by(name)
            self.note(f"{name} was killed after its grace period")

    def freeze_past_lease(self, *names: str) -> None:
        """Stop the processes until other workers have their claims, and let them go on."""
        frozen = [pid for name in names for pid in self.site.freeze(name)]
        self.allow_begun_by(*names)
        time.sleep(LEASE_SECONDS + self.seconds(8, 3))
        pids.thaw(frozen)

    # ---- waiting -------------------------------------------------------------------------------------------------

    def pause(self, full: float, short: float) -> None:
        """How long a fault lasts."""
        time.sleep(self.seconds(full, short))

    def until(self, condition: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
        """Wait for what must happen; while something is down, the answer is no. Returns the first true answer."""

        def holds() -> Any:
            with suppress(*AWAY):
                return condition()
            return False

        return until(holds, what, seconds)
