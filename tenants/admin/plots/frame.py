"""What every plot has: a figure with title and description, axes, a legend, a table as text alternative, the PNG
button."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from tenants.admin.plots import scale
from tenants.admin.plots.model import COLORS, Axis, PlotText, Series

#: units of the viewBox. A narrow page shows larger letters (plots.css), for which these margins have room
WIDTH, HEIGHT = 640, 290
LEFT, RIGHT, TOP, BOTTOM = 62, 16, 34, 50
#: a line of the legend, and the width of a letter in it
_LEGEND_LINE, _LETTER, _SWATCH = 22, 9, 24


@dataclass(frozen=True)
class Table:
    """The figures of a plot as text."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Area:
    """Where the data is drawn, within the viewBox."""

    left: float
    right: float
    top: float
    bottom: float


def n(value: float) -> str:
    """A coordinate: a tenth of a unit is finer than a pixel."""
    return f"{value:.1f}".removesuffix(".0")


def color(index: int) -> str:
    """The class of a series' colour."""
    return f"plot-c{index % COLORS + 1}"


def figure(text: PlotText, svg: SafeString, table: Table | None, empty: str = "") -> SafeString:
    """The whole plot. `empty` stands in place of a plot without data."""
    if empty:
        head = format_html("<figcaption><strong>{}</strong></figcaption>", text.title)
        return format_html('<figure class="plot" data-plot="{}">{}<p class="plot-empty">{}</p></figure>',
                           text.key, head, empty)  # fmt: skip
    return format_html(
        '<figure class="plot" data-plot="{}"><figcaption><strong>{}</strong>{}</figcaption>'
        '<div class="plot-svg" data-plot-svg>{}</div>{}</figure>',
        text.key, text.title, png_button(text), svg, SafeString("") if table is None else details(text, table),
    )  # fmt: skip


def png_button(text: PlotText) -> SafeString:
    """Hidden until png.js runs: without a script the button could do nothing."""
    label = gettext("Save “%(title)s” as PNG") % {"title": text.title}
    return format_html(
        '<button type="button" class="plot-png" data-plot-png aria-label="{}" hidden>PNG</button>', label
    )


def details(text: PlotText, table: Table) -> SafeString:
    label = gettext("Figures of “%(title)s”") % {"title": text.title}
    return format_html(
        '<details class="plot-table"><summary>{}</summary><div role="region" aria-label="{}" tabindex="0">'
        "<table><thead><tr>{}</tr></thead><tbody data-plot-rows>{}</tbody></table></div></details>",
        gettext("Show as a table"),
        label,
        format_html_join("", '<th scope="col">{}</th>', ((cell,) for cell in table.head)),
        table_rows(table),
    )


def table_rows(table: Table) -> SafeString:
    return format_html_join(
        "",
        '<tr><th scope="row">{}</th>{}</tr>',
        ((row[0], format_html_join("", "<td>{}</td>", ((cell,) for cell in row[1:]))) for row in table.rows),
    )


def svg(text: PlotText, height: float, parts: Iterable[SafeString]) -> SafeString:
    return format_html(
        '<svg viewBox="0 0 {} {}" role="img" aria-labelledby="plot-{}-title plot-{}-desc">'
        '<title id="plot-{}-title">{}</title><desc id="plot-{}-desc">{}</desc>{}</svg>',
        WIDTH, n(height), text.key, text.key, text.key, text.title, text.key, text.description or text.title,
        format_html_join("", "{}", ((part,) for part in parts)),
    )  # fmt: skip


def legend(names: Sequence[str]) -> tuple[SafeString, float]:
    """Names beside their colours, and the height that they take. A single series needs none: the title names it."""
    if len(names) < 2:
        return SafeString(""), 0.0
    x, line, items = float(LEFT), 0, []
    for index, name in enumerate(names):
        wide = _SWATCH + _LETTER * len(name) + 14
        if x + wide > WIDTH and x > LEFT:
            x, line = float(LEFT), line + 1
        y = 14 + _LEGEND_LINE * line
        items.append((n(x), n(y - 10), color(index), n(x + 16), n(y), name))
        x += wide
    template = '<rect x="{}" y="{}" width="10" height="10" rx="2" class="plot-fill {}"/><text x="{}" y="{}">{}</text>'
    return format_html_join("", template, items), float(_LEGEND_LINE * (line + 1))


def y_axis(area: Area, y: scale.Scale, axis: Axis) -> SafeString:
    """Lines across the area with their numbers, and the unit above."""
    numbers = scale.ticks(y.low, y.high, axis, 4)
    lines = (
        (n(area.left), n(y.at(value)), n(area.right), n(y.at(value)), "plot-zero" if value == 0 else "plot-grid",
         n(area.left - 8), n(y.at(value) + 4), scale.tick_text(value, axis, numbers))
        for value in numbers
    )  # fmt: skip
    template = '<line x1="{}" y1="{}" x2="{}" y2="{}" class="{}"/><text x="{}" y="{}" class="plot-end">{}</text>'
    unit = format_html('<text x="{}" y="{}" class="plot-unit">{}</text>', n(4), n(area.top - 16), axis.unit)
    return format_html("{}{}", format_html_join("", template, lines), unit if axis.unit else SafeString(""))


def x_axis(area: Area, x: scale.Scale, axis: Axis) -> SafeString:
    numbers = scale.ticks(x.low, x.high, axis, 5)
    marks = (
        (n(x.at(value)), n(area.bottom), n(x.at(value)), n(area.bottom + 5), n(x.at(value)), n(area.bottom + 22),
         _anchor(x.at(value), area), scale.tick_text(value, axis, numbers))
        for value in numbers
    )  # fmt: skip
    template = '<line x1="{}" y1="{}" x2="{}" y2="{}" class="plot-zero"/><text x="{}" y="{}" class="{}">{}</text>'
    unit = format_html('<text x="{}" y="{}" class="plot-unit plot-end">{}</text>', n(area.right), n(area.bottom + 44),
                       axis.unit)  # fmt: skip
    return format_html("{}{}", format_html_join("", template, marks), unit if axis.unit else SafeString(""))


def _anchor(x: float, area: Area) -> str:
    """Texts at the right border end there, so that none is cut."""
    return "plot-end" if x > area.right - 20 else "plot-middle"


def names_of(series: Sequence[Series]) -> list[str]:
    return [line.name for line in series]
