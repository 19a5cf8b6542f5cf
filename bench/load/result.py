"""The result of a generator, and what follows from it. Pure."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

#: a step queues when the requests outstanding grow by more than so many seconds of its rate, or wait longer than that
GROWTH_SECONDS, WAIT_SECONDS = 0.2, 1.0
#: how a failure begins whose sender shall come again later
TOLD_TO_WAIT = ("429", "503")


@dataclass
class LoadResult:
    """One entry for each request, in order of `due`. All times are Unix times. `ids` holds the id of the delivery, or
    "" for a request that failed or was a bulk request. `accepted` counts notifications."""

    due: list[float] = field(default_factory=list)
    begun: list[float] = field(default_factory=list)  #: when the generator began; later than `due` when it was slow
    answered: list[float] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    templates: list[str] = field(default_factory=list)
    accepted: int = 0
    failed: list[str] = field(default_factory=list)
    cpu_seconds: float = 0.0  #: of the generator itself, without its start

    @classmethod
    def parse(cls, line: str) -> LoadResult:
        return cls(**json.loads(line))

    def as_json(self) -> str:
        return json.dumps(asdict(self))

    @property
    def seconds(self) -> float:
        """From the first request to the last answer."""
        return max(self.answered) - min(self.begun) if self.begun else 0.0

    @property
    def begun_at(self) -> dict[str, float]:
        """id of the delivery -> time of its request."""
        return {id_: at for id_, at in zip(self.ids, self.begun, strict=True) if id_}

    def errors(self) -> list[str]:
        """The failed requests without those that the server told to come again later (429, 503)."""
        return [failure for failure in self.failed if not failure.startswith(TOLD_TO_WAIT)]

    def select(self, template: str = "", since: float = 0.0, until: float = float("inf")) -> LoadResult:
        """The requests of one template that began in [since, until)."""
        rows = zip(self.due, self.begun, self.answered, self.ids, self.templates, strict=True)
        chosen = [row for row in rows if row[4] == (template or row[4]) and since <= row[1] < until]
        due, begun, answered, ids, templates = (list(column) for column in zip(*chosen, strict=True)) if chosen else (
            [], [], [], [], [],
        )  # fmt: skip
        return LoadResult(due, begun, answered, ids, templates, accepted=sum(map(bool, ids)))

    def answer_ms(self) -> list[float]:
        return sorted((end - at) * 1000 for at, end in zip(self.begun, self.answered, strict=True))

    def late_ms(self) -> list[float]:
        """Delays that the generator itself caused."""
        return sorted((at - due) * 1000 for due, at in zip(self.due, self.begun, strict=True))

    def arrival_ms(self, arrived: Mapping[str, float]) -> list[float]:
        """From the request to the arrival of its message at the provider; without messages that did not arrive."""
        return sorted((arrived[id_] - at) * 1000 for id_, at in self.begun_at.items() if id_ in arrived)


def percentile(values: Sequence[float], share: float) -> float | None:
    """By nearest rank, of sorted values; None for no values."""
    return round(values[min(len(values) - 1, int(len(values) * share))], 1) if values else None


def summary(result: LoadResult, arrived: Mapping[str, float]) -> dict[str, Any]:
    """Milliseconds to the answer (`answer_…`) and to the arrival at the provider."""
    waits, answers, late = result.arrival_ms(arrived), result.answer_ms(), result.late_ms()
    return {
        **{f"p{p}_ms": percentile(waits, p / 100) for p in (50, 95, 99)},
        **{f"answer_p{p}_ms": percentile(answers, p / 100) for p in (50, 95, 99)},
        "bench_late_p99_ms": percentile(late, 0.99),
    }


def outstanding(begun: Sequence[float], arrived: Sequence[float], at: float) -> int:
    """Requests that had begun at this moment and whose messages had not arrived. Both sequences are sorted."""
    return bisect_right(begun, at) - bisect_right(arrived, at)


def held(result: LoadResult, arrived: Mapping[str, float], per_s: float) -> bool:
    """Whether nothing queued: no request failed, every message arrived, and in the last fifth of the step no more
    messages were outstanding than in its second fifth (the first one warms up)."""
    begun_at = result.begun_at
    if result.failed or not begun_at or any(id_ not in arrived for id_ in begun_at):
        return False
    begun, came = sorted(begun_at.values()), sorted(arrived[id_] for id_ in begun_at)
    length = begun[-1] - begun[0]

    def mean_outstanding(first_share: float, last_share: float) -> float:
        moments = [begun[0] + length * (first_share + (last_share - first_share) * n / 20) for n in range(20)]
        return sum(outstanding(begun, came, moment) for moment in moments) / len(moments)

    early, late = mean_outstanding(0.2, 0.4), mean_outstanding(0.8, 1.0)
    return late <= early + GROWTH_SECONDS * per_s and late <= WAIT_SECONDS * per_s
