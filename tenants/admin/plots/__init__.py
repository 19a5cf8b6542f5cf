"""Plots as accessible SVG, for every page of the admin: pure functions from data to markup.

Pages call `line_plot`, `bar_plot`, `funnel_plot` and `sparkline` and show what these return. The SVG has no style and
no script, so that the strictest content policy shows it. `static/plots/plots.css` gives the colours, light and dark;
`static/plots/png.js` makes a picture of a plot. Nothing here reads a database. Read `model` (what a plot is given),
`scale` (round ticks), `frame` (title, axes, legend, table), then the plots.
"""

from tenants.admin.plots.bars import bar_plot
from tenants.admin.plots.funnel import funnel_plot
from tenants.admin.plots.lines import line_plot
from tenants.admin.plots.model import Axis, Kind, PlotText, Series, Step
from tenants.admin.plots.spark import sparkline

__all__ = ["Axis", "Kind", "PlotText", "Series", "Step", "bar_plot", "funnel_plot", "line_plot", "sparkline"]
