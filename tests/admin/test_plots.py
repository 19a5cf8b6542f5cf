"""Plots of the admin: round ticks, numbers as people read them, SVG that the content policy shows."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest
from django.utils import timezone
from django.utils.safestring import SafeString

from tenants.admin.plots import Axis, Kind, PlotText, Series, Step, bar_plot, funnel_plot, line_plot, scale, sparkline
from tenants.admin.plots.funnel import percent

TEXT = PlotText("sent", "Sent <b>a second</b>", 'Grows "fast" & far')
RATE = [Series("push", [(0, 0), (1, 40_000), (2, 58_000)]), Series("email <i>", [(0, 5), (2, 9)])]
TWO = [Series.of_values("x", [1, 0]), Series.of_values("y", [2, 3])]
MANY = Series.of_values("x", range(16))


def seconds(at: str) -> float:
    return datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("low", "high", "kind", "ticks"),
    [
        (0, 58_000, Kind.COUNT, [0, 20_000, 40_000]),
        (0, 3, Kind.COUNT, [0, 1, 2, 3]),
        (0, 0.3, Kind.COUNT, [0]),
        (0, 0.13, Kind.SHARE, [0, 0.05, 0.1]),
        (0, 95, Kind.SECONDS, [0, 30, 60, 90]),
        (0, 3600, Kind.SECONDS, [0, 900, 1800, 2700, 3600]),
        (0, 8 * 86400, Kind.SECONDS, [0, 172800, 345600, 518400, 691200]),
        (7, 7, Kind.COUNT, [7]),
    ],
)
def test_ticks_are_round(low: float, high: float, kind: Kind, ticks: list[float]) -> None:
    assert scale.ticks(low, high, Axis(kind=kind)) == pytest.approx(ticks)


@pytest.mark.parametrize(
    ("highest", "kind", "top"),
    [(58_001, Kind.COUNT, 60_000), (60_000, Kind.COUNT, 60_000), (0, Kind.COUNT, 1), (1, Kind.COUNT, 1),
     (0.145, Kind.SHARE, 0.15), (70, Kind.SECONDS, 90)],
)  # fmt: skip
def test_no_value_is_above_the_axis(highest: float, kind: Kind, top: float) -> None:
    assert scale.top_of(highest, Axis(kind=kind)) == pytest.approx(top)


def test_days_begin_at_midnight_of_the_viewer_also_when_clocks_change() -> None:
    with timezone.override("Europe/Berlin"):
        ticks = scale.ticks(seconds("2026-03-27T12:00"), seconds("2026-03-31T12:00"), Axis(kind=Kind.TIME))
        assert ticks == [seconds(f"2026-03-{day}T{hour}:00") for day, hour in ((27, 23), (28, 23), (29, 22), (30, 22))]
        assert [scale.tick_text(tick, Axis(kind=Kind.TIME), ticks) for tick in ticks] == [
            "28 Mar", "29 Mar", "30 Mar", "31 Mar",
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (1234567, Kind.COUNT, "1,234,567"), (2.5, Kind.COUNT, "2.5"), (0.5, Kind.SECONDS, "0.5 s"),
        (90, Kind.SECONDS, "1 min 30 s"), (7200, Kind.SECONDS, "2 h"), (172800, Kind.SECONDS, "2 d"),
        (850, Kind.MILLISECONDS, "850 ms"), (8577, Kind.MILLISECONDS, "8.58 s"), (0.123, Kind.SHARE, "12.3 %"),
    ],
)  # fmt: skip
def test_figures_are_shown_in_full(value: float, kind: Kind, text: str) -> None:
    assert scale.figure(value, Axis(kind=kind)) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (950, "950"), (12_500, "12.5k"), (4_000_000, "4M"), (1.2e9, "1.2G")]
)
def test_ticks_are_short(value: float, text: str) -> None:
    assert scale.compact(value) == text


@pytest.mark.parametrize(
    ("count", "whole", "text"),
    [(1, 4, "25.0 %"), (1, 1_000_000, "< 0.1 %"), (999_999, 1_000_000, "> 99.9 %"), (0, 9, "0.0 %"), (9, 9, "100.0 %"),
     (0, 0, "–")],
)  # fmt: skip
def test_a_share_does_not_round_to_none_or_all(count: int, whole: int, text: str) -> None:
    assert percent(count, whole) == text


PLOTS: dict[str, Callable[[], SafeString]] = {
    "lines": lambda: line_plot(RATE, TEXT, x=Axis("since GO", Kind.SECONDS), y=Axis("a second"), area=True),
    "steps": lambda: line_plot(RATE[:1], TEXT, x=Axis("", Kind.TIME), y=Axis(), stepped=True),
    "one point": lambda: line_plot([Series("a", [(3, 0)])], TEXT, x=Axis(), y=Axis()),
    "bars": lambda: bar_plot(["<u>", "b"], TWO, TEXT, y=Axis()),
    "stack": lambda: bar_plot(list("abcdefghijklmnop"), [MANY], TEXT, y=Axis(), stacked=True),
    "funnel": lambda: funnel_plot([("a", [Step("sent", 10), Step("opened", 3), Step("clicked", None)])], TEXT),
    "funnels": lambda: funnel_plot([("<a>", [Step("sent", 10)]), ("b", [Step("sent", 0)])], TEXT),
    "spark": lambda: sparkline([0, 0, 5], 'Sent "daily"'),
}  # fmt: skip


@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_is_well_formed_and_has_neither_style_nor_script(name: str) -> None:
    markup = PLOTS[name]()
    tree = ElementTree.fromstring(re.sub(r" (hidden|data-[a-z-]+)(?=[ >])", "", markup))
    for element in tree.iter():
        assert element.tag not in ("script", "style", "b", "i", "u", "a")
        assert not {name for name in element.attrib if name == "style" or name.startswith("on")}
    svg = next(element for element in tree.iter("svg"))
    assert svg.get("role") == "img"
    assert svg.get("aria-label") or {e.get("id") for e in svg.iter()} >= set(svg.attrib["aria-labelledby"].split())


@pytest.mark.parametrize("name", [name for name in PLOTS if name != "spark"])
def test_no_mark_is_outside_of_the_picture(name: str) -> None:
    markup = PLOTS[name]()
    wide, high = map(float, re.search(r'viewBox="0 0 (\S+) (\S+)"', markup).groups())  # type: ignore[union-attr]
    for x, y in re.findall(r'<(?:rect|text) x="([^"]+)" y="([^"]+)"', markup):
        assert 0 <= float(x) <= wide
        assert 0 <= float(y) <= high


def test_the_table_has_the_figures_of_the_plot() -> None:
    markup = line_plot(RATE, TEXT, x=Axis("since GO", Kind.SECONDS), y=Axis("a second"))
    rows = re.findall(r'<tr><th scope="row">(.*?)</th><td>(.*?)</td><td>(.*?)</td></tr>', markup)
    assert rows == [("0 s", "0", "5"), ("1 s", "40,000", "–"), ("2 s", "58,000", "9")]
    markup = funnel_plot([("a", [Step("sent", 10), Step("opened", 3), Step("clicked", None)])], TEXT)
    rows = re.findall(r'<tr><th scope="row">(.*?)</th><td>(.*?)</td></tr>', markup)
    assert rows == [("sent", "10"), ("opened", "3 (30.0 %)"), ("clicked", "not reported")]


def test_a_plot_without_data_says_so() -> None:
    for markup in (line_plot([], TEXT, x=Axis(), y=Axis()), bar_plot([], [], TEXT, y=Axis()), funnel_plot([], TEXT)):
        assert "There is nothing to show yet." in markup
        assert "<svg" not in markup
