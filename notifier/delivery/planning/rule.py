"""What the plan must know of a message: its category, the category's kind and rules, the tenant's send windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from notifier.values.send_windows import Windows, read_windows
from notifier.vocabulary.status import Kind


@dataclass(frozen=True)
class Rule:
    """The category of a message, and what the category says. A critical message ignores preferences, quiet hours and
    send windows, never a dead address."""

    category: str = ""
    kind: Kind = Kind.TRANSACTIONAL
    #: only recipients with an opt-in get it; "": no opt-in is needed, else "single" or "double"
    opt_in: str = ""
    preferred_channels: tuple[str, ...] = ()
    #: channel -> its send windows; empty for a kind without any
    windows: Mapping[str, Windows] = field(default_factory=dict)


@dataclass(frozen=True)
class TenantDefaults:
    """What a tenant says for categories that do not say otherwise."""

    opt_in: str = "off"
    send_windows: str = ""


class CategoryRow(NamedTuple):
    """What is stored of a category."""

    key: str
    kind: str
    opt_in: str = ""
    preferred_channels: Sequence[str] = ()


def rule_of(category: CategoryRow, tenant: TenantDefaults) -> Rule:
    """The rule of a category. The tenant's opt-in holds for marketing only."""
    is_marketing = category.kind == Kind.MARKETING
    opt_in = category.opt_in or (tenant.opt_in if is_marketing else "off")
    return Rule(
        category.key,
        Kind(category.kind),
        "" if opt_in == "off" or category.kind == Kind.CRITICAL else opt_in,
        tuple(category.preferred_channels),
        read_windows(tenant.send_windows) if is_marketing else {},
    )
