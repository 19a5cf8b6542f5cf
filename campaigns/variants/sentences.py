"""What the figures of an A/B test show, in plain sentences. Pure, but for the language that is active."""

from __future__ import annotations

from django.utils.translation import gettext as _

from campaigns.models import Metric
from campaigns.variants.statistics import Comparison, Difference, leader_of


def describe(metric: str, comparison: Comparison) -> str:
    """One sentence for each pair with the variant that leads; the differences that are shown first."""
    lowest = metric == Metric.UNSUBSCRIBED
    leader = leader_of(comparison, lowest=lowest)
    pairs = [each for each in comparison.differences if leader in (each.better, each.other)]
    shown = [_shown(metric, each) for each in pairs if each.is_shown]
    return " ".join([*shown, *(_not_shown(metric, each) for each in pairs if not each.is_shown)])


def _shown(metric: str, difference: Difference) -> str:
    names = {"better": difference.better, "other": difference.other, "interval": interval_text(difference)}
    if metric == Metric.UNSUBSCRIBED:
        text = _("%(better)s makes more people unsubscribe than %(other)s: %(interval)s percentage points.")
    elif metric == Metric.CLICKED:
        text = _("%(better)s is clicked better than %(other)s: %(interval)s percentage points.")
    else:
        text = _("%(better)s opens better than %(other)s: %(interval)s percentage points.")
    return text % names


def metric_name(metric: str) -> str:
    return {Metric.OPENED: _("Opened"), Metric.CLICKED: _("Clicked"), Metric.UNSUBSCRIBED: _("Unsubscribed")}[
        Metric(metric)
    ]


def _not_shown(metric: str, difference: Difference) -> str:
    first, second = sorted((difference.better, difference.other))
    names = {"metric": metric_name(metric), "first": first, "second": second, "interval": interval_text(difference)}
    return (
        _(
            "%(metric)s, %(first)s and %(second)s: no difference that this number of people could show (%(interval)s "
            "percentage points)."
        )
        % names
    )


def interval_text(difference: Difference) -> str:
    """Such as: +2.1 to +4.0."""
    interval = {"low": points(difference.interval.low), "high": points(difference.interval.high)}
    return _("%(low)s to %(high)s") % interval


def points(share: float) -> str:
    """Percentage points with a sign, and a real minus."""
    text = f"{share * 100:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "−")


def peeking() -> str:
    return _(
        "These intervals hold for one look, at a time that was fixed before. A person who looks often and chooses at "
        "the first difference is misled more often than one time in twenty."
    )
