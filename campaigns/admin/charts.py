"""A throughput curve as plain SVG: no script, no inline style, so that the strictest content policy shows it."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from campaigns.report.times import Point

WIDTH, HEIGHT = 720, 120


def sparkline(points: Sequence[Point]) -> SafeString:
    """Bars of messages per second since GO, each with its figures as a tooltip."""
    if not points:
        return SafeString("")
    top = max(point.rate for point in points) or 1.0
    wide = WIDTH / len(points)
    bars = format_html_join("", "{}", ((_bar(n, point, wide, top),) for n, point in enumerate(points)))
    return format_html(
        '<svg class="sparkline" viewBox="0 0 {} {}" role="img" aria-label="Messages per second since GO">{}</svg>',
        WIDTH,
        HEIGHT,
        bars,
    )


def _bar(n: int, point: Point, wide: float, top: float) -> SafeString:
    high = max(1.0, HEIGHT * point.rate / top) if point.sent else 0.0
    until = point.at + point.seconds
    return format_html(
        '<rect x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>',
        f"{n * wide:.1f}",
        f"{HEIGHT - high:.1f}",
        f"{max(1.0, wide - 1):.1f}",
        f"{high:.1f}",
        f"{point.at:g}–{until:g} s: {point.sent:,} messages, {point.rate:,.0f}/s",
    )
