"""The plots of a report: the funnel, what happened over time, how fast it left. Pure functions over counts."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from campaigns.report.funnel import STEPS, Funnel, curve, funnel_of
from campaigns.report.report_json import Counted
from campaigns.report.times import Point
from campaigns.templatetags.figures import thousands
from tenants.admin.plots import Axis, Kind, PlotText, Series, Step, funnel_plot, line_plot

#: steps that have a curve of their own; `sent` would hide the others behind its size
_CURVES = ("delivered", "opened", "clicked", "unsubscribed")


def step_name(step: str) -> str:
    """The step in words."""
    names = {"sent": _("sent"), "delivered": _("delivered"), "opened": _("opened"), "clicked": _("clicked")}
    return names.get(step, _("unsubscribed"))


def steps_of(funnel: Funnel) -> list[Step]:
    return [Step(step_name(step), funnel.count_of(step)) for step in STEPS]


def funnel_figure(funnels: Sequence[tuple[str, Funnel]]) -> SafeString:
    """One funnel, or several side by side."""
    first = funnels[0][1]
    text = _("%(sent)s sent, %(opened)s opened, %(clicked)s clicked, %(unsubscribed)s unsubscribed.") % {
        step: thousands(getattr(first, step)) for step in STEPS
    }
    plot = PlotText("funnel", _("From sent to unsubscribed"), text)
    return funnel_plot([(name, steps_of(funnel)) for name, funnel in funnels], plot)


def over_time_figure(counted: Counted, channel: str = "") -> SafeString:
    """How many had been delivered to, had opened, … since GO, of one channel or of all."""
    lines = [Series(step_name(step), curve(counted.intervals, step, counted.width, channel)) for step in _CURVES]
    text = PlotText("over-time", _("Delivered, opened, clicked and unsubscribed since GO"))
    return line_plot([line for line in lines if line.points], text, x=_since_go(), y=Axis(_("messages")))


def comparison_figure(pairs: Sequence[tuple[str, Counted]], step: str) -> SafeString:
    """One step of several campaigns since their GO, as a share of what each sent."""
    lines = []
    for name, counted in pairs:
        sent = funnel_of(counted.cells).sent
        points = curve(counted.intervals, step, counted.width)
        lines.append(Series(name, [(at, count / sent) for at, count in points] if sent else []))
    title = _("%(step)s since GO, as a share of those sent") % {"step": step_name(step).capitalize()}
    return line_plot(lines, PlotText(f"{step}-over-time", title), x=_since_go(), y=Axis("", Kind.SHARE))


def speed_figure(points: Sequence[Point]) -> SafeString:
    """Messages a second since GO."""
    line = [(point.at, point.rate) for point in points]
    if points:
        line.append((points[-1].at + points[-1].seconds, points[-1].rate))
    text = PlotText("sent-a-second", _("Sent a second since GO"))
    y = Axis(_("messages a second"))
    return line_plot([Series(_("sent a second"), line)], text, x=_since_go(), y=y, stepped=True, area=True)


def _since_go() -> Axis:
    return Axis(_("since GO"), Kind.SECONDS)
