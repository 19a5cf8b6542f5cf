"""Round ticks, and numbers as people read them. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.utils import formats, timezone

from tenants.admin.plots.model import Axis, Kind

#: lengths of time that a clock shows as round
_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
_DAY = 86400


@dataclass(frozen=True)
class Scale:
    """A number of an axis as a position between `start` and `end` (units of the viewBox)."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        return self.start + (self.end - self.start) * (value - self.low) / ((self.high - self.low) or 1.0)


def round_step(span: float, most: int) -> float:
    """The smallest of 1, 2, 5, 10, … (also 0.1, 0.2, …) that divides the span into at most `most` parts."""
    if span <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(span / most))
    return next(power * factor for factor in (1, 2, 5, 10, 20) if span <= power * factor * most * (1 + 1e-9))


def round_seconds(span: float, most: int) -> float:
    """The same for lengths of time: 15 s, 5 min, 6 h, then whole days."""
    if span <= most * _SECONDS[0] / 2:
        return round_step(span, most)
    for step in _SECONDS:
        if span <= step * most:
            return float(step)
    return max(1.0, round_step(span / _DAY, most)) * _DAY


def ticks(low: float, high: float, axis: Axis, most: int = 5) -> list[float]:
    """The round numbers from low to high."""
    if axis.kind is Kind.TIME:
        return _clock_ticks(low, high, most)
    if axis.kind is Kind.SECONDS:
        step = round_seconds(high - low, most)
    else:
        step = round_step(high - low, most)
        if axis.kind is Kind.COUNT:
            step = max(1.0, step)
    first = math.ceil(low / step - 1e-9)
    return [step * n for n in range(first, math.floor(high / step + 1e-9) + 1)]


def top_of(highest: float, axis: Axis, most: int = 4) -> float:
    """Where an axis from 0 ends: the first round number that no value exceeds."""
    if highest <= 0:
        return 1.0
    step = round_seconds(highest, most) if axis.kind is Kind.SECONDS else round_step(highest, most)
    if axis.kind is Kind.COUNT:
        step = max(1.0, step)
    return math.ceil(highest / step - 1e-9) * step


def _clock_ticks(low: float, high: float, most: int) -> list[float]:
    """Ticks on round times of the current time zone's clock, whose days begin at midnight there."""
    step = round_seconds(high - low, most)
    start = datetime.fromtimestamp(low, UTC).astimezone(timezone.get_current_timezone())
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    moments = []
    moment = midnight
    while moment.timestamp() <= high:
        if moment.timestamp() >= low:
            moments.append(moment.timestamp())
        # wall-clock arithmetic: a day of 23 hours has its tick at midnight all the same
        moment += timedelta(seconds=step)
    return moments


def figure(value: float, axis: Axis) -> str:
    """A number in full: of a table or a tooltip."""
    match axis.kind:
        case Kind.SECONDS:
            return duration(value)
        case Kind.MILLISECONDS:
            return f"{value:,.0f} ms" if value < 1000 else duration(value / 1000)
        case Kind.SHARE:
            return f"{100 * value:.1f} %"
        case Kind.TIME:
            return formats.date_format(_local(value), "j M Y, H:i")
        case _:
            return f"{value:,.0f}" if float(value).is_integer() or abs(value) >= 100 else f"{value:,.1f}"


def tick_text(value: float, axis: Axis, every: Sequence[float]) -> str:
    """The short text of a tick; `every`: all ticks of the axis, which decide how exact the text must be."""
    match axis.kind:
        case Kind.TIME:
            days = len(every) > 1 and every[1] - every[0] >= _DAY - 3600
            moment = _local(value)
            return formats.date_format(moment, "j M" if days or (moment.hour, moment.minute) == (0, 0) else "H:i")
        case Kind.SHARE:
            return f"{100 * value:g} %"
        case Kind.SECONDS:
            return duration(value)
        case Kind.MILLISECONDS:
            return f"{value:g} ms" if value < 1000 else f"{value / 1000:g} s"
        case _:
            return compact(value)


def compact(value: float) -> str:
    """12500 -> 12.5k, 4000000 -> 4M."""
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.3g}{letter}"
    return f"{value:g}"


def duration(seconds: float) -> str:
    """0.5 -> 0.5 s, 90 -> 1 min 30 s, 7200 -> 2 h, 172800 -> 2 d."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    whole = round(seconds)
    parts = [(whole // _DAY, "d"), (whole % _DAY // 3600, "h"), (whole % 3600 // 60, "min"), (whole % 60, "s")]
    return " ".join(f"{count} {unit}" for count, unit in parts if count)


def _local(value: float) -> datetime:
    return datetime.fromtimestamp(value, UTC).astimezone(timezone.get_current_timezone())
