"""Why some messages of a campaign cannot be sent (the text could not be rendered, no account carries it): each cause
once, with a count and some of the recipients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict

from notifier.vocabulary.status import Reason

#: a recipient has no value for a variable, or a value that the template cannot use
UNRENDERED = frozenset({Reason.MISSING_VARIABLE, Reason.TEMPLATE_ERROR})
#: the causes that a campaign stores, and the recipients of each; the ledger has all of them
MAX_CAUSES, MAX_RECIPIENTS = 20, 10


class RenderProblem(TypedDict):
    """One cause: `count` messages on `channel`, and the external ids of some of their recipients."""

    channel: str
    reason: str
    detail: str
    count: int
    recipients: list[str]


def add_problem(problems: list[RenderProblem], problem: RenderProblem) -> None:
    """Add `problem` to the known cause, or as a new cause."""
    for known in problems:
        if all(known[name] == problem[name] for name in ("channel", "reason", "detail")):
            known["count"] += problem["count"]
            room = MAX_RECIPIENTS - len(known["recipients"])
            known["recipients"] += [r for r in problem["recipients"] if r not in known["recipients"]][:room]
            return
    if len(problems) < MAX_CAUSES:
        problems.append({**problem, "recipients": list(problem["recipients"][:MAX_RECIPIENTS])})


def merge_problems(one: Iterable[RenderProblem], other: Iterable[RenderProblem]) -> list[RenderProblem]:
    """The causes of both, the most frequent first."""
    merged: list[RenderProblem] = []
    for problem in (*one, *other):
        add_problem(merged, problem)
    return sorted(merged, key=lambda problem: -problem["count"])


def count_unrendered(excluded: Mapping[str, int]) -> int:
    """How many of the excluded messages could not be rendered."""
    return sum(excluded.get(reason, 0) for reason in UNRENDERED)


def excluded_messages(excluded: Mapping[str, int]) -> dict[str, int]:
    """Excluded messages by reason, the most frequent first. Unknown recipients are people, not messages, and left out
    here."""
    messages = ((reason, n) for reason, n in excluded.items() if reason != Reason.UNKNOWN_RECIPIENT)
    return dict(sorted(messages, key=lambda item: -item[1]))


def problem_sentences(problems: Sequence[Mapping[str, Any]]) -> list[str]:
    """A sentence for each cause."""
    return [f"{p['count']:,} on {p['channel']}: {p['detail']}" for p in problems]
