"""A sparkline: a line without axes, as large as a word, beside the figure that it explains."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.html import format_html
from django.utils.safestring import SafeString

from tenants.admin.plots import frame

_WIDE, _HIGH = 120, 28


def sparkline(values: Sequence[float], label: str) -> SafeString:
    """`label` says what the line says, such as "Sent a day, last 7 days: 0 to 1,200". Without values: nothing."""
    if not values:
        return SafeString("")
    top = max(values) or 1.0
    step = (_WIDE - 4) / max(1, len(values) - 1)
    points = " ".join(
        f"{frame.n(2 + step * index)},{frame.n(_HIGH - 2 - (_HIGH - 4) * value / top)}"
        for index, value in enumerate(values)
    )
    return format_html(
        '<svg class="plot-spark" viewBox="0 0 {} {}" role="img" aria-label="{}"><polyline points="{}" '
        'class="plot-line plot-c1"/></svg>',
        _WIDE, _HIGH, label, points,
    )  # fmt: skip
