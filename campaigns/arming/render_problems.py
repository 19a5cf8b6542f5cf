"""Why some messages of a campaign could not be rendered: each cause once, with how many and some of the people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict

from notifier.vocabulary.status import Reason

#: what is missing for a person, or wrong with a person's values
UNRENDERED = frozenset({Reason.MISSING_VARIABLE, Reason.TEMPLATE_ERROR})
#: causes that a campaign keeps, and people of each; all are in the ledger
MAX_CAUSES, MAX_RECIPIENTS = 20, 10


class RenderProblem(TypedDict):
    """One cause: `count` messages on `channel`, and the external ids of some whom they were for."""

    channel: str
    reason: str
    detail: str
    count: int
    recipients: list[str]


def add_problem(problems: list[RenderProblem], problem: RenderProblem) -> None:
    """Count `problem` in."""
    for known in problems:
        if all(known[name] == problem[name] for name in ("channel", "reason", "detail")):
            known["count"] += problem["count"]
            room = MAX_RECIPIENTS - len(known["recipients"])
            known["recipients"] += [r for r in problem["recipients"] if r not in known["recipients"]][:room]
            return
    if len(problems) < MAX_CAUSES:
        problems.append({**problem, "recipients": list(problem["recipients"][:MAX_RECIPIENTS])})


def merge_problems(one: Iterable[RenderProblem], other: Iterable[RenderProblem]) -> list[RenderProblem]:
    """Both, the most frequent first."""
    found: list[RenderProblem] = []
    for problem in (*one, *other):
        add_problem(found, problem)
    return sorted(found, key=lambda problem: -problem["count"])


def count_unrendered(excluded: Mapping[str, int]) -> int:
    """Messages left out because they could not be rendered."""
    return sum(excluded.get(reason, 0) for reason in UNRENDERED)


def excluded_messages(excluded: Mapping[str, int]) -> dict[str, int]:
    """Messages left out by reason, the most frequent first. An id that is no recipient is a person, not a message."""
    messages = ((reason, n) for reason, n in excluded.items() if reason != Reason.UNKNOWN_RECIPIENT)
    return dict(sorted(messages, key=lambda item: -item[1]))


def problem_sentences(problems: Sequence[Mapping[str, Any]]) -> list[str]:
    """A sentence for each cause."""
    return [f"{p['count']:,} on {p['channel']}: {p['detail']}" for p in problems]
