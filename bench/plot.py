"""results/latest.png: throughput over time, and cost over size."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def draw(figures: Mapping[str, Any], path: Path) -> bool:
    """False without matplotlib, which only the bench's own packages install."""
    path.unlink(missing_ok=True)
    try:
        import matplotlib
    except ImportError:
        return False
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(13, 5))
    for name, sink in figures["sinks"].items():
        _throughput(left, name, sink)
        _cost(right, name, sink)
    for kind, run in ((figures["email"] or {}).get("campaigns") or {}).items():
        _throughput(left, f"email, {kind}", {"e2e": {str(run["ledger_sent"]): run}, "ceiling_per_s": None})
    left.set(title="Throughput of the largest campaign", xlabel="seconds since GO", ylabel="messages/s")
    right.set(title="CPU per message, database and broker included", xlabel="recipients", ylabel="µs", xscale="log")
    for axes in (left, right):
        axes.set_ylim(0, axes.get_ylim()[1] * 1.1)
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
    return True


def _throughput(axes: Any, name: str, sink: Mapping[str, Any]) -> None:
    if not sink["e2e"]:
        return
    size = max(sink["e2e"], key=int)
    curve = sink["e2e"][size]["curve"]
    (line,) = axes.step(
        [at for at, _ in curve], [rate for _, rate in curve], where="post", label=f"{name}, {int(size):,}"
    )
    if sink["ceiling_per_s"]:
        axes.axhline(sink["ceiling_per_s"], color=line.get_color(), linestyle=":", label=f"{name}: ceiling (h2load)")


def _cost(axes: Any, name: str, sink: Mapping[str, Any]) -> None:
    runs = sorted((int(size), run["cpu_us_per_message"]) for size, run in sink["e2e"].items())
    if runs:
        axes.plot([size for size, _ in runs], [cost for _, cost in runs], marker="o", label=name)
