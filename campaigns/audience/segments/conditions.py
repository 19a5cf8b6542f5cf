"""A checked condition, and a group of conditions and further groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from enum import StrEnum
from typing import Any

#: a piece of SQL over `r` (tenants_recipient) and its parameters
Sql = tuple[str, list[Any]]


class Match(StrEnum):
    """How many entries of a group must hold. The value is the group's key in JSON."""

    ALL = "all"
    ANY = "any"
    NONE = "none"


@dataclass(frozen=True)
class Condition:
    """One checked condition. `path` is set for an attribute; `value` has the type that the operator needs."""

    field: str
    op: str
    value: Any
    path: tuple[str, ...] = ()
    #: where the filter has it, such as filter.1.any.0; for errors
    where: str = dataclass_field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.field} {self.op} {self.value!r}"


@dataclass(frozen=True)
class Group:
    """Conditions and groups, of which all, at least one, or none must hold."""

    match: Match
    entries: tuple[Condition | Group, ...]

    def __str__(self) -> str:
        joined = f" {'and' if self.match == Match.ALL else 'or'} ".join(map(str, self.entries))
        return f"not ({joined})" if self.match == Match.NONE else f"({joined})"


#: all entries must hold
Filter = tuple[Condition | Group, ...]


def leaves(entries: Sequence[Condition | Group]) -> Iterator[Condition]:
    """Every condition of a filter, those of its groups included."""
    for entry in entries:
        if isinstance(entry, Group):
            yield from leaves(entry.entries)
        else:
            yield entry


def values_of(condition: Condition) -> list[Any]:
    """The value or the values that the condition compares with."""
    return condition.value if isinstance(condition.value, list) else [condition.value]
