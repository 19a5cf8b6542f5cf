"""Tables and figures in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

DASH = "–"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield "|" + "---|" * len(heads)
    for row in rows:
        yield f"| {' | '.join(row)} |"


def number(value: float | None, digits: int = 0) -> str:
    """With thousands separated by commas; a dash for no value."""
    return DASH if value is None else f"{value:,.{digits}f}"
