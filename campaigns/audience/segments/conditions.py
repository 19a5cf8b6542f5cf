"""A checked condition, and a group of which one must hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

#: a piece of SQL over `r` (tenants_recipient) and its parameters
Sql = tuple[str, list[Any]]


@dataclass(frozen=True)
class Condition:
    """One checked condition. `path` is set for an attribute; `value` has the type that the operator needs."""

    field: str
    op: str
    value: Any
    path: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.field} {self.op} {self.value!r}"


@dataclass(frozen=True)
class AnyOf:
    """Conditions of which at least one must hold."""

    conditions: tuple[Condition, ...]

    def __str__(self) -> str:
        return f"({' or '.join(map(str, self.conditions))})"


Filter = tuple[Condition | AnyOf, ...]
