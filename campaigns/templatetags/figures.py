"""Template filters: figures as people read them."""

from __future__ import annotations

from django import template

from campaigns.report.reasons import reason_text
from tenants.admin.plots.funnel import percent

register = template.Library()


@register.filter
def thousands(value: float | None) -> str:
    """1234567.8 -> 1,234,568; nothing -> –."""
    return "–" if value is None else f"{value:,.0f}"


@register.filter
def duration(seconds: float | None) -> str:
    """0.4 -> 0.4 s, 400 -> 6 min 40 s, 7260 -> 2 h 1 min."""
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} s" if 0 < seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


@register.filter
def milliseconds(value: int | None) -> str:
    """850 -> 850 ms, 8577 -> 8.58 s, 12345 -> 12.3 s."""
    if value is None:
        return "–"
    if value < 1_000:
        return f"{value} ms"
    return duration(value / 1000) if value >= 60_000 else f"{value / 1000:.{2 if value < 10_000 else 1}f} s"


@register.filter
def words(value: str) -> str:
    """channel_off -> channel off."""
    return str(value).replace("_", " ")


@register.filter
def reason(value: str) -> str:
    """The reason of an outcome in words."""
    return reason_text(value)


@register.filter
def share(count: int, whole: int) -> str:
    """3 of 12 -> 25.0 %; of nothing -> nothing."""
    return percent(count, whole) if whole else ""


@register.filter
def per_second(rate: float | None) -> str:
    """0.24 -> 0.2, 58000 -> 58,000; a slow campaign does not read as 0."""
    return thousands(rate) if rate is None or rate >= 10 or rate == 0 else f"{rate:.2g}"
