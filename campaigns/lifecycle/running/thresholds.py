"""Whether a campaign does harm: a pure decision over the outcomes of some of its messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

#: fewer outcomes prove nothing: among 20 messages, half may have a dead address by chance
MIN_OUTCOMES = 200
#: a lost connection is no error of its messages, but a provider that loses most connections halts the campaign. The
#: minimum is what one process may have in flight: so many messages are lost before fewer requests share a connection.
#: A smaller campaign is judged by all of its messages
MAX_DISCONNECTED_PERCENT, MIN_OUTCOMES_FOR_DISCONNECTED = 80, 2_000


class HasCounts(Protocol):
    """Outcomes of some messages: those of a shard, or a sum over shards."""

    @property
    def sent(self) -> int: ...
    @property
    def failed(self) -> int: ...
    @property
    def dead(self) -> int: ...
    @property
    def requeued(self) -> int: ...
    @property
    def skipped(self) -> int: ...
    @property
    def disconnected(self) -> int: ...


class Limits(Protocol):
    """The percentages of a campaign that its outcomes must not pass."""

    @property
    def max_error_percent(self) -> int: ...
    @property
    def max_dead_percent(self) -> int: ...
    @property
    def audience_size(self) -> int: ...


@dataclass(frozen=True)
class OutcomeCounts:
    """Outcomes of some messages. `dead` are among the `failed`. `requeued`: the first attempt failed, and another
    follows. `skipped`, among the failed and the requeued: no provider refused the message; Notifier skipped it
    (consent, quiet hours, `not_after`), or its connection was lost and another attempt follows. `disconnected`: the
    connection was lost."""

    sent: int = 0
    failed: int = 0
    dead: int = 0
    requeued: int = 0
    skipped: int = 0
    disconnected: int = 0


def difference(now: HasCounts, before: HasCounts) -> OutcomeCounts:
    """What was added since `before`: a campaign that was resumed does not halt for the same errors again."""
    return OutcomeCounts(
        now.sent - before.sent,
        now.failed - before.failed,
        now.dead - before.dead,
        now.requeued - before.requeued,
        now.skipped - before.skipped,
        now.disconnected - before.disconnected,
    )


def first_of(counts: Iterable[OutcomeCounts], least: int) -> OutcomeCounts:
    """The sum of the first of these, until it has at least `least` outcomes: what is new must not be hidden by how much
    went well before."""
    total = OutcomeCounts()
    for each in counts:
        total = OutcomeCounts(
            total.sent + each.sent,
            total.failed + each.failed,
            total.dead + each.dead,
            total.requeued + each.requeued,
            total.skipped + each.skipped,
            total.disconnected + each.disconnected,
        )
        if total.sent + total.failed + total.requeued >= least:
            break
    return total


def reason_to_halt(
    counts: HasCounts, limits: Limits, least: int = MIN_OUTCOMES, answers: Callable[[], Counter[str]] = Counter
) -> str:
    """Why the campaign should halt, in a sentence; empty while the limits are kept or there are fewer than `least`
    outcomes. `answers`: what providers said about failed messages with a living address; called when too many failed.
    """
    if why := mostly_disconnected(counts, limits, limits.audience_size):
        return why
    total = counts.sent + counts.failed + counts.requeued - counts.skipped
    if total < max(1, least):
        return ""
    errors = counts.failed - counts.dead + counts.requeued - counts.skipped
    if errors * 100 > limits.max_error_percent * total:
        why = f"{_percent(errors, total)} of {total:,} messages failed; the limit is {limits.max_error_percent} %."
        return why + _cause(answers())
    if counts.dead * 100 > limits.max_dead_percent * total:
        return (
            f"{_percent(counts.dead, total)} of {total:,} addresses are dead; the limit is {limits.max_dead_percent} %."
        )
    return ""


def _cause(answers: Counter[str]) -> str:
    """What providers said most often, as a sentence; empty where nothing is known."""
    if not answers:
        return ""
    (answer, count), total = answers.most_common(1)[0], answers.total()
    return f" The most frequent answer ({_percent(count, total)} of the failures): {answer.rstrip('.')}."


def fewest_outcomes(messages: int) -> int:
    """How many outcomes say that most connections are lost, of so many messages."""
    return max(MIN_OUTCOMES, min(MIN_OUTCOMES_FOR_DISCONNECTED, messages))


def mostly_disconnected(counts: HasCounts, limits: Limits, messages: int) -> str:
    """Why a campaign (or a channel) of so many messages should halt, because it loses its connections; empty while it
    does not. A campaign that may fail in more than 80 % of its messages may lose as many."""
    total = counts.sent + counts.failed + counts.requeued
    percent = max(MAX_DISCONNECTED_PERCENT, limits.max_error_percent)
    if total < fewest_outcomes(messages) or counts.disconnected * 100 <= percent * total:
        return ""
    return (
        f"The connections of {_percent(counts.disconnected, total)} of {total:,} messages ended before an answer came."
    )


def _percent(part: int, total: int) -> str:
    return f"{100 * part / total:.3g} %"
