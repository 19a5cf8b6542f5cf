"""Bars for categories, such as messages by day: beside each other, or stacked."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from tenants.admin.plots import frame, scale
from tenants.admin.plots.model import Axis, PlotText, Series

#: the share of a category's width that its bars take
_FILLED = 0.7
#: texts below the axis overlap when there are more
_MOST_TEXTS = 8


def bar_plot(
    categories: Sequence[str], series: Sequence[Series], text: PlotText, *, y: Axis, stacked: bool = False
) -> SafeString:
    """`series` has a value for each category (Series.of_values). The y axis begins at 0."""
    if not categories or not series:
        return frame.figure(text, SafeString(""), None, gettext("There is nothing to show yet."))
    legend, above = frame.legend(frame.names_of(series))
    box = frame.Area(frame.LEFT, frame.WIDTH - frame.RIGHT, frame.TOP + above, frame.HEIGHT + above - frame.BOTTOM)
    up = scale.Scale(0, scale.top_of(_highest(series, len(categories), stacked=stacked), y), box.bottom, box.top)
    bars = _stacked(series, box, up, len(categories)) if stacked else _beside(series, box, up, len(categories))
    parts = [legend, frame.y_axis(box, up, y), _bars(bars, categories, series, y), _texts(categories, box)]
    rows = [[name, *(scale.figure(line.ys[index], y) for line in series)] for index, name in enumerate(categories)]
    table = frame.Table(["", *frame.names_of(series)], rows)
    return frame.figure(text, frame.svg(text, frame.HEIGHT + above, parts), table)


#: index of the category, index of the series, x, y, width, height
_Bar = tuple[int, int, float, float, float, float]


def _highest(series: Sequence[Series], categories: int, *, stacked: bool) -> float:
    columns = [[line.ys[index] for line in series] for index in range(categories)]
    return max(sum(column) if stacked else max(column) for column in columns)


def _beside(series: Sequence[Series], box: frame.Area, up: scale.Scale, categories: int) -> list[_Bar]:
    wide = (box.right - box.left) / categories
    each = wide * _FILLED / len(series)
    bars = []
    for index in range(categories):
        left = box.left + wide * index + wide * (1 - _FILLED) / 2
        for place, line in enumerate(series):
            top = up.at(line.ys[index])
            bars.append((index, place, left + each * place, top, max(1.0, each - 1), box.bottom - top))
    return bars


def _stacked(series: Sequence[Series], box: frame.Area, up: scale.Scale, categories: int) -> list[_Bar]:
    wide = (box.right - box.left) / categories
    bars = []
    for index in range(categories):
        below = 0.0
        for place, line in enumerate(series):
            top, bottom = up.at(below + line.ys[index]), up.at(below)
            left = box.left + wide * index + wide * (1 - _FILLED) / 2
            bars.append((index, place, left, top, wide * _FILLED, bottom - top))
            below += line.ys[index]
    return bars


def _bars(bars: Sequence[_Bar], categories: Sequence[str], series: Sequence[Series], y: Axis) -> SafeString:
    drawn = (
        (frame.n(x), frame.n(top), frame.n(wide), frame.n(max(1.0, high)), frame.color(place), categories[index],
         series[place].name, scale.figure(series[place].ys[index], y))
        for index, place, x, top, wide, high in bars if series[place].ys[index]
    )  # fmt: skip
    template = '<rect x="{}" y="{}" width="{}" height="{}" class="plot-fill {}"><title>{}: {} {}</title></rect>'
    return format_html_join("", template, drawn)


def _texts(categories: Sequence[str], box: frame.Area) -> SafeString:
    """The names below the axis; of many, each second, third, …"""
    every = -(-len(categories) // _MOST_TEXTS)
    wide = (box.right - box.left) / len(categories)
    texts = (
        (frame.n(box.left + wide * (index + 0.5)), frame.n(box.bottom + 22), name)
        for index, name in enumerate(categories)
        if index % every == 0
    )
    return format_html_join("", '<text x="{}" y="{}" class="plot-middle">{}</text>', texts)
