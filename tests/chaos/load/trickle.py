"""Single notifications over HTTP, one after the other, while everything breaks. A request without a good answer is
repeated with its idempotency key, as a tenant's server must."""

from __future__ import annotations

import http.client
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.chaos.load.campaigns import Side
from tests.chaos.load.people import CHANNELS
from tests.flows.http import Answer

#: seconds between two notifications, and for which one is repeated until it is accepted
PAUSE, PATIENCE = 0.25, 180.0
#: seconds between two tries
RETRY_PAUSE = 0.5


@dataclass
class Accepted:
    """What was answered with 2xx. `ids`: notification ids, by idempotency key; `statuses`: of all answers, 0 for
    none; `given_up`: keys that nobody accepted in time."""

    ids: dict[str, str] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)
    given_up: list[str] = field(default_factory=list)
    longest: float = 0.0


class Trickle:
    """`with Trickle(sides, seed) as trickle`: posts until the end of the block, then ends its last request."""

    def __init__(self, sides: Sequence[Side], seed: int) -> None:
        self._sides, self._random = sides, random.Random(seed)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="trickle", daemon=True)
        self.accepted = Accepted()

    def __enter__(self) -> Trickle:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join(PATIENCE + 60)

    def _run(self) -> None:
        number = 0
        while not self._stop.wait(PAUSE):
            side = self._sides[number % len(self._sides)]
            channel = CHANNELS[number // len(self._sides) % len(CHANNELS)]
            self._post(side, f"u{self._random.randrange(side.size)}", channel)
            number += 1

    def _post(self, side: Side, recipient: str, channel: str) -> None:
        key, began = str(uuid.uuid4()), time.monotonic()
        while time.monotonic() - began < PATIENCE:
            answer = self._try(side, recipient, channel, key)
            if answer is not None and answer.status == 202:
                self.accepted.ids[key] = str(answer.json["id"])
                self.accepted.longest = max(self.accepted.longest, time.monotonic() - began)
                return
            time.sleep(RETRY_PAUSE)
        self.accepted.given_up.append(key)

    def _try(self, side: Side, recipient: str, channel: str, key: str) -> Answer | None:
        try:
            answer = side.tenant.post(recipient, "order", key, channels=[channel])
        except (OSError, http.client.HTTPException):  # the web process is away
            self.accepted.statuses[0] += 1
            return None
        self.accepted.statuses[answer.status] += 1
        return answer
