"""Lines over a number, a length of time or a time, such as messages a second since GO."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from tenants.admin.plots import frame, scale
from tenants.admin.plots.model import Axis, PlotText, Series

#: so many points may each have a tooltip; more would be narrower than a pointer
MOST_TIPS = 150


def line_plot(
    series: Sequence[Series], text: PlotText, *, x: Axis, y: Axis, stepped: bool = False, area: bool = False
) -> SafeString:
    """One line for each series; the y axis begins at 0.

    `stepped`: a point's y holds until the next point's x, as of counts in intervals. `area`: the space below the first
    line is tinted.
    """
    if not any(line.points for line in series):
        return frame.figure(text, SafeString(""), None, gettext("There is nothing to show yet."))
    return frame.figure(text, line_svg(series, text, x=x, y=y, stepped=stepped, area=area), table(series, x, y))


def line_svg(
    series: Sequence[Series], text: PlotText, *, x: Axis, y: Axis, stepped: bool = False, area: bool = False
) -> SafeString:
    """The SVG alone, for a page that replaces it while the data grows."""
    legend, above = frame.legend(frame.names_of(series))
    box = frame.Area(frame.LEFT, frame.WIDTH - frame.RIGHT, frame.TOP + above, frame.HEIGHT + above - frame.BOTTOM)
    xs = [at for line in series for at, _ in line.points]
    across = scale.Scale(min(xs), max(xs), box.left, box.right)
    top = scale.top_of(max(value for line in series for value in line.ys), y)
    up = scale.Scale(0, top, box.bottom, box.top)
    parts = [legend, frame.y_axis(box, up, y), frame.x_axis(box, across, x)]
    for index, line in enumerate(series):
        if line.points:
            parts += _line(line, index, (across, up), stepped=stepped, area=area and index == 0)
    return frame.svg(text, frame.HEIGHT + above, [*parts, _tips(series, (across, up), (x, y), box)])


def _line(
    line: Series, index: int, scales: tuple[scale.Scale, scale.Scale], *, stepped: bool, area: bool
) -> list[SafeString]:
    x, y = scales
    path = _path([(x.at(at), y.at(value)) for at, value in line.points], stepped=stepped)
    first, last = x.at(line.points[0][0]), x.at(line.points[-1][0])
    tinted = format_html('<path d="{}V{}H{}Z" class="plot-area {}"/>', path, frame.n(y.at(0)), frame.n(first),
                         frame.color(index))  # fmt: skip
    parts = [tinted] if area else []
    parts.append(format_html('<path d="{}" class="plot-line {}"/>', path, frame.color(index)))
    if len(line.points) == 1:
        dot = format_html('<circle cx="{}" cy="{}" r="4" class="plot-fill {}"/>', frame.n(last),
                          frame.n(y.at(line.points[0][1])), frame.color(index))  # fmt: skip
        parts.append(dot)
    return parts


def _path(points: Sequence[tuple[float, float]], *, stepped: bool) -> str:
    """M, then L; of a stepped line H and V."""
    steps = [f"M{frame.n(points[0][0])} {frame.n(points[0][1])}"]
    for x, y in points[1:]:
        steps.append(f"H{frame.n(x)}V{frame.n(y)}" if stepped else f"L{frame.n(x)} {frame.n(y)}")
    return "".join(steps)


def _tips(
    series: Sequence[Series], scales: tuple[scale.Scale, scale.Scale], axes: tuple[Axis, Axis], box: frame.Area
) -> SafeString:
    """A transparent column for each x, whose tooltip has the figures there."""
    rows = by_x(series)
    if len(rows) > MOST_TIPS:
        return SafeString("")
    xs = [scales[0].at(at) for at, _ in rows]
    columns = []
    for index, (at, values) in enumerate(rows):
        left = box.left if index == 0 else (xs[index - 1] + xs[index]) / 2
        right = box.right if index == len(rows) - 1 else (xs[index] + xs[index + 1]) / 2
        said = ", ".join(_said(line.name, value, axes[1]) for line, value in zip(series, values, strict=True)
                         if value is not None)  # fmt: skip
        size = (frame.n(left), frame.n(box.top), frame.n(max(1.0, right - left)), frame.n(box.bottom - box.top))
        columns.append((*size, f"{scale.figure(at, axes[0])}: {said}"))
    template = '<rect x="{}" y="{}" width="{}" height="{}" class="plot-tip"><title>{}</title></rect>'
    return format_html_join("", template, columns)


def _said(name: str, value: float, axis: Axis) -> str:
    return f"{name} {scale.figure(value, axis)}"


def by_x(series: Sequence[Series]) -> list[tuple[float, list[float | None]]]:
    """Each x with the y of every series there."""
    columns = [dict(line.points) for line in series]
    return [(at, [column.get(at) for column in columns]) for at in sorted({x for column in columns for x in column})]


def table(series: Sequence[Series], x: Axis, y: Axis) -> frame.Table:
    """The figures as text."""
    rows = [
        [scale.figure(at, x), *("–" if value is None else scale.figure(value, y) for value in values)]
        for at, values in by_x(series)
    ]
    return frame.Table([x.unit or gettext("at"), *frame.names_of(series)], rows)
