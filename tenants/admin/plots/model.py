"""What a plot is given: its texts, its axes, its figures."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

#: colours of `static/plots/plots.css`; a ninth series repeats the first
COLORS = 8


class Kind(enum.Enum):
    """What the numbers of an axis are, which decides where its ticks stand and how they read."""

    COUNT = "count"
    #: seconds from a beginning, such as GO
    SECONDS = "seconds"
    MILLISECONDS = "milliseconds"
    #: a share of one: 0.25 reads 25 %
    SHARE = "share"
    #: seconds since 1970, shown by the clock of the current time zone
    TIME = "time"


@dataclass(frozen=True)
class Axis:
    """`unit` stands at the end of the axis, such as "messages a second"."""

    unit: str = ""
    kind: Kind = Kind.COUNT


@dataclass(frozen=True)
class PlotText:
    """`key` names the plot within its page (letters, digits, hyphens) and its PNG. `description` says what the plot
    shows for a person who cannot see it; a caller writes the finding, not the shape."""

    key: str
    title: str
    description: str = ""


@dataclass(frozen=True)
class Series:
    """A line: (x, y) in the order of x. Of a bar plot: a y for each category, and `points` has their indexes as x."""

    name: str
    points: Sequence[tuple[float, float]]

    @classmethod
    def of_values(cls, name: str, values: Sequence[float]) -> Series:
        """A value for each category of a bar plot."""
        return cls(name, [(float(index), float(value)) for index, value in enumerate(values)])

    @property
    def ys(self) -> list[float]:
        return [y for _, y in self.points]


@dataclass(frozen=True)
class Step:
    """A step of a funnel. `count` None: nobody reports this step, which is not the same as none."""

    name: str
    count: int | None
