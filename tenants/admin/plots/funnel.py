"""A funnel: how many went on from step to step. Several funnels stand side by side, step by step, for a comparison."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from tenants.admin.plots import frame
from tenants.admin.plots.model import PlotText, Step

_NAME_HIGH, _BAR_HIGH, _GAP = 20, 20, 14


def funnel_plot(funnels: Sequence[tuple[str, Sequence[Step]]], text: PlotText) -> SafeString:
    """`funnels`: a name and its steps, each funnel with the same steps. Of one funnel the bars are counts; of several
    they are shares of their own first step, because the audiences differ."""
    steps = funnels[0][1] if funnels else ()
    if not any(step.count for _, own in funnels for step in own):
        return frame.figure(text, SafeString(""), None, gettext("There is nothing to show yet."))
    legend, above = frame.legend([name for name, _ in funnels])
    each = _NAME_HIGH + (_BAR_HIGH + 3) * len(funnels) + _GAP
    parts = [legend]
    for index, step in enumerate(steps):
        top = above + 6 + each * index
        parts.append(format_html('<text x="4" y="{}" class="plot-strong">{}</text>', frame.n(top + 12), step.name))
        parts += [_bar(own, index, place, top + _NAME_HIGH) for place, (_, own) in enumerate(funnels)]
    head = ["", *(name for name, _ in funnels)]
    rows = [[step.name, *(said(own, index) for _, own in funnels)] for index, step in enumerate(steps)]
    height = above + 6 + each * len(steps)
    return frame.figure(text, frame.svg(text, height, parts), frame.Table(head, rows))


#: where the bars end, so that the figures beside the longest one have room
_ROOM = frame.WIDTH - 200


def _bar(steps: Sequence[Step], index: int, place: int, top: float) -> SafeString:
    y = top + (_BAR_HIGH + 3) * place
    first, count = steps[0].count or 0, steps[index].count
    wide = max(2.0, _ROOM * count / first) if count and first else 0.0
    parts = [format_html('<rect x="4" y="{}" width="{}" height="{}" rx="3" class="plot-rail"/>', frame.n(y),
                         frame.n(_ROOM), _BAR_HIGH)]  # fmt: skip
    if wide:
        parts.append(format_html('<rect x="4" y="{}" width="{}" height="{}" rx="3" class="plot-fill {}"/>', frame.n(y),
                                 frame.n(min(wide, float(_ROOM))), _BAR_HIGH, frame.color(place)))  # fmt: skip
    parts.append(format_html('<text x="{}" y="{}">{}</text>', frame.n(_ROOM + 14), frame.n(y + 15), said(steps, index)))
    return format_html_join("", "{}", ((part,) for part in parts))


def said(steps: Sequence[Step], index: int) -> str:
    """12,000 (24.0 %): of the first step."""
    first, count = steps[0].count, steps[index].count
    if count is None:
        return gettext("not reported")
    if index == 0 or not first:
        return f"{count:,}"
    return f"{count:,} ({percent(count, first)})"


def percent(count: int, whole: int) -> str:
    """A share never rounds to what it is not: one opt-out of a million is not 0 %, all but one are not 100 %."""
    if not whole:
        return "–"
    share = 100 * count / whole
    if 0 < share < 0.1:
        return "< 0.1 %"
    if 99.9 < share < 100:
        return "> 99.9 %"
    return f"{share:.1f} %"
