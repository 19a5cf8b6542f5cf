"""Why some messages of a campaign could not be rendered: each cause once, with how many and some of the people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict

from notifier.vocabulary.status import Reason

#: what is missing for a person, or wrong with a person's values
UNRENDERED = frozenset({Reason.MISSING_VARIABLE, Reason.TEMPLATE_ERROR})
#: causes that a campaign keeps, and people of each; all are in the ledger
CAUSES, PEOPLE = 20, 10


class Problem(TypedDict):
    """One cause: `count` messages on `channel`, and the external ids of some whom they were for."""

    channel: str
    reason: str
    detail: str
    count: int
    recipients: list[str]


def add(problems: list[Problem], problem: Problem) -> None:
    """Count `problem` in."""
    for known in problems:
        if all(known[name] == problem[name] for name in ("channel", "reason", "detail")):
            known["count"] += problem["count"]
            room = PEOPLE - len(known["recipients"])
            known["recipients"] += [r for r in problem["recipients"] if r not in known["recipients"]][:room]
            return
    if len(problems) < CAUSES:
        problems.append({**problem, "recipients": list(problem["recipients"][:PEOPLE])})


def merged(one: Iterable[Problem], other: Iterable[Problem]) -> list[Problem]:
    """Both, the most frequent first."""
    found: list[Problem] = []
    for problem in (*one, *other):
        add(found, problem)
    return sorted(found, key=lambda problem: -problem["count"])


def unrendered(excluded: Mapping[str, int]) -> int:
    """Messages left out because they could not be rendered."""
    return sum(excluded.get(reason, 0) for reason in UNRENDERED)


def messages_left_out(excluded: Mapping[str, int]) -> dict[str, int]:
    """Messages left out by reason, the most frequent first. An id that is no recipient is a person, not a message."""
    messages = ((reason, n) for reason, n in excluded.items() if reason != Reason.UNKNOWN_RECIPIENT)
    return dict(sorted(messages, key=lambda item: -item[1]))


def told(problems: Sequence[Mapping[str, Any]]) -> list[str]:
    """A sentence for each cause."""
    return [f"{p['count']:,} on {p['channel']}: {p['detail']}" for p in problems]
