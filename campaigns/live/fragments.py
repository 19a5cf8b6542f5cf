"""The parts of the launch page that change: markup for one language and one time zone, the same for all who watch.

The page renders these parts when it is opened; the socket and the polling address carry them afterwards. So a figure
has one template, whichever way it comes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns.live.figures import LiveFigures
from campaigns.live.sharing import Shared
from campaigns.report.reasons import reason_text
from campaigns.templatetags.figures import duration, thousands
from notifier.values.zones import zone
from tenants.admin.plots import Axis, Kind, PlotText, Series
from tenants.admin.plots.lines import line_plot, line_svg

#: languages × zones × campaigns that are watched at once in one process
_RENDERED = 64
_PARTS = ("facts", "channels", "failures", "canary", "wave")


@dataclass(frozen=True)
class Reader:
    """Whose language and time zone the parts are for."""

    language: str
    zone: str


def frame(shared: Shared, reader: Reader) -> Mapping[str, Any]:
    """What the socket and the polling address answer."""
    live = shared.figures
    return {
        "state": live.state,
        "halted": live.halted,
        "percent": live.counts.percent,
        "sentence": _rendered(_Key(shared), reader)["sentence"],
        "parts": {name: part for name, part in _rendered(_Key(shared), reader).items() if name != "sentence"},
    }


def page_parts(shared: Shared, reader: Reader) -> Mapping[str, Any]:
    """The same for the page itself, which also needs the plot's title, table and button."""
    live = shared.figures
    with translation.override(reader.language), timezone.override(zone(reader.zone)):
        figure = line_plot(_series(live), _plot_text(live), x=_x_axis(), y=_y_axis(), stepped=True, area=True)
        return {**_rendered(_Key(shared), reader), "figure": figure, "has_plot": bool(live.points)}


class _Key:
    """Figures are compared by their age: those of one moment are the same."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared

    def __hash__(self) -> int:
        return hash(self.shared.at)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.shared is other.shared


@lru_cache(maxsize=_RENDERED)
def _rendered(key: _Key, reader: Reader) -> Mapping[str, str]:
    live = key.shared.figures
    with translation.override(reader.language), timezone.override(zone(reader.zone)):
        context = {"live": live, "failures": _failures(live), "workers": _workers(live), "wave_at": _wave_at(live)}
        parts = {name: render_to_string(f"admin/campaigns/campaign/_running_{name}.html", context) for name in _PARTS}
        if live.points:
            parts["plot"] = line_svg(_series(live), _plot_text(live), x=_x_axis(), y=_y_axis(), stepped=True, area=True)
        return {**parts, "sentence": _sentence(live)}


def _series(live: LiveFigures) -> list[Series]:
    return [Series(_("sent a second"), live.points)] if live.points else []


def _plot_text(live: LiveFigures) -> PlotText:
    description = _("%(rate)s messages a second now.") % {"rate": thousands(live.rate)}
    return PlotText("sent-a-second", _("Sent a second since GO"), description)


def _x_axis() -> Axis:
    return Axis(_("since GO"), Kind.SECONDS)


def _y_axis() -> Axis:
    return Axis(_("messages a second"))


def _failures(live: LiveFigures) -> list[tuple[str, SafeString | str, int]]:
    return [(failure.channel, reason_text(failure.reason), failure.count) for failure in live.failures[:20]]


def _workers(live: LiveFigures) -> str:
    total = sum(live.workers.values())
    if not total:
        return _("No worker sends it at this moment.")
    text = ngettext("%(count)d worker sends it now", "%(count)d workers send it now", total) % {"count": total}
    return f"{text} ({', '.join(f'{channel} {count}' for channel, count in live.workers.items())})."


def _wave_at(live: LiveFigures) -> datetime | None:
    return timezone.localtime(datetime.fromisoformat(live.next_wave_at)) if live.next_wave_at else None


def _sentence(live: LiveFigures) -> str:
    """For a screen reader, which is told a few times a minute."""
    text = _("%(percent)s %% done: %(sent)s sent, %(failed)s failed, %(open)s still to go.") % {
        "percent": f"{live.counts.percent:g}",
        "sent": thousands(live.counts.sent),
        "failed": thousands(live.counts.failed),
        "open": thousands(live.counts.open),
    }
    if live.seconds_left is None:
        return text
    return f"{text} {_('About %(time)s left.') % {'time': duration(live.seconds_left)}}"
