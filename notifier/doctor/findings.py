"""What a check can find. A kind is declared once, at the top of the module that finds it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """`error`: messages or people are affected now. `warning`: they will be."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Kind:
    """One kind of finding. `means`: what it does to messages and people. `remedy`: a command, or a page."""

    code: str
    severity: Severity
    means: str
    remedy: str

    def says(self, text: str) -> Finding:
        """A finding of this kind: what was seen, as one sentence."""
        return Finding(self, text)


@dataclass(frozen=True)
class Finding:
    kind: Kind
    text: str

    @property
    def line(self) -> str:
        kind = self.kind
        return f"{kind.severity.value} {kind.code}: {self.text} {kind.means} Remedy: {kind.remedy}"


_kinds: dict[str, Kind] = {}


def error(code: str, means: str, remedy: str) -> Kind:
    """Declare a kind of finding. Raises ValueError for a code that exists."""
    return _declare(Kind(code, Severity.ERROR, means, remedy))


def warning(code: str, means: str, remedy: str) -> Kind:
    """The same, of less weight."""
    return _declare(Kind(code, Severity.WARNING, means, remedy))


def _declare(kind: Kind) -> Kind:
    if kind.code in _kinds:
        raise ValueError(f"there are two kinds of finding {kind.code}")
    _kinds[kind.code] = kind
    return kind


def all_kinds() -> list[Kind]:
    return list(_kinds.values())
