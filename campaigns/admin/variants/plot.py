"""The plot of one rate by variant: a point and its interval on a line for each. An SVG without style and script, as
those of tenants.admin.plots. Pure."""

from __future__ import annotations

from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from campaigns.variants.results import TestResults
from campaigns.variants.sentences import metric_name
from campaigns.variants.statistics import Rate
from tenants.admin.plots import PlotText, frame

#: units of the viewBox, which is as wide as that of the other plots
LEFT, RIGHT, ROW, TOP = 100, 24, 34, 14
#: the axis ends at one of these percentages
_ENDS = (1, 2, 4, 8, 12, 20, 40, 60, 80, 100)


def rates_plot(metric: str, report: TestResults) -> SafeString:
    """The share of the people reached, with Wilson's 95 % interval."""
    rates = {variant.key: variant.rates[metric] for variant in report.variants}
    title = metric_name(metric)
    text = PlotText(f"rate-{metric}", title, _("Share of the people reached, with the interval of 95 %."))
    if not any(rate.people for rate in rates.values()):
        return frame.figure(text, SafeString(""), None, _("No figures yet."))
    highest = 100 * max(rate.interval.high for rate in rates.values())
    end = next((each for each in _ENDS if each >= highest), 100)
    height = TOP + ROW * len(rates) + 34
    bottom = TOP + ROW * len(rates)
    lines = format_html_join("", _LINE, (_line(n, key, rate, end) for n, (key, rate) in enumerate(rates.items())))
    ticks = format_html_join("", _TICK, ((_x(part * end / 4, end), TOP, bottom, bottom + 20, f"{part * end / 4:g} %")
                                         for part in range(5)))  # fmt: skip
    svg = frame.svg(text, height, [ticks, lines])
    head = [_("Variant"), _("People"), title, _("Rate"), _("From"), _("To")]
    rows = [
        [key, f"{rate.people:,}", f"{rate.events:,}", *(percent(v) for v in (rate.value, rate.interval.low,
                                                                              rate.interval.high))]
        for key, rate in rates.items()
    ]  # fmt: skip
    return frame.figure(text, svg, frame.Table(head, rows))


def percent(share: float) -> str:
    return f"{share * 100:.1f} %"


_TICK = (
    '<line class="plot-grid" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/><text class="plot-middle" x="{0}" y="{3}">{4}</text>'
)
_LINE = (
    '<text class="plot-end plot-strong" x="{0}" y="{1}">{2}</text>'
    '<line class="plot-line {3}" x1="{4}" x2="{5}" y1="{6}" y2="{6}"/>'
    '<circle class="plot-fill {3}" cx="{7}" cy="{6}" r="5"><title>{8}</title></circle>'
)


def _line(n: int, key: str, rate: Rate, end: float) -> tuple[object, ...]:
    y = TOP + ROW * n + ROW // 2
    told = f"{key}: {percent(rate.value)} ({percent(rate.interval.low)} – {percent(rate.interval.high)})"
    low, high = (_x(share * 100, end) for share in (rate.interval.low, rate.interval.high))
    name, at = f"{key}  {percent(rate.value)}", _x(rate.value * 100, end)
    return LEFT - 14, y + 4, name, frame.color(n), low, high, y, at, told


def _x(percent_value: float, end: float) -> str:
    return frame.n(LEFT + (frame.WIDTH - LEFT - RIGHT) * min(percent_value, end) / end)
