"""From counted cells to what a report shows: the funnel, breakdowns by a dimension, curves over time. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from notifier.providers import provider_class
from notifier.vocabulary.status import TAKEN, Status

#: the steps of the funnel, each of which includes the ones after it but the last: who opts out may do so unopened
STEPS = ("sent", "delivered", "opened", "clicked", "unsubscribed")
_REACHED = {
    "sent": frozenset(map(int, TAKEN)),
    "delivered": frozenset({int(Status.DELIVERED), int(Status.OPENED), int(Status.CLICKED), int(Status.COMPLAINED)}),
    "opened": frozenset({int(Status.OPENED), int(Status.CLICKED)}),
    "clicked": frozenset({int(Status.CLICKED)}),
}
#: the dimensions of breakdowns
CHANNEL, LOCALE, PLATFORM, PROVIDER = "channel", "locale", "platform", "provider"
DIMENSIONS = (CHANNEL, LOCALE, PLATFORM, PROVIDER)
#: intervals of the curves at most, and the lengths that an interval may have
_MOST_INTERVALS = 240
_WIDTHS = (60, 300, 900, 3600, 3 * 3600, 6 * 3600, 86400, 7 * 86400)


class Cell(NamedTuple):
    """Messages with the same properties. `account`: the id of the provider account, None for messages without one."""

    channel: str
    platform: str
    account: str | None
    locale: str
    status: int
    reason: str
    messages: int
    unsubscribed: int


class Interval(NamedTuple):
    """How many messages of a channel reached a step in interval `number` since GO."""

    channel: str
    step: str
    number: int
    messages: int


@dataclass(frozen=True)
class Account:
    """The name and the provider of an account, for reports that name it after it was deleted, too."""

    name: str
    provider: str


@dataclass
class Funnel:
    """How many messages reached each step, and what else became of them."""

    sent: int = 0
    delivered: int = 0
    opened: int = 0
    clicked: int = 0
    unsubscribed: int = 0
    bounced: int = 0
    complained: int = 0
    failed: int = 0
    #: the provider reports no step after `sent` (FCM and APNs report no deliveries)
    is_reported: bool = False

    def add(self, cell: Cell) -> None:
        for step, statuses in _REACHED.items():
            if cell.status in statuses:
                setattr(self, step, getattr(self, step) + cell.messages)
        self.unsubscribed += cell.unsubscribed
        self.bounced += cell.messages if cell.status == Status.BOUNCED else 0
        self.complained += cell.messages if cell.status == Status.COMPLAINED else 0
        self.failed += cell.messages if cell.status in (Status.FAILED, Status.EXPIRED, Status.UNKNOWN) else 0
        self.is_reported |= cell.status in TAKEN and cell.status != Status.SENT

    def count_of(self, step: str) -> int | None:
        """None of a step that nobody reports, which is not the same as 0."""
        count = int(getattr(self, step))
        return count if self.is_reported or step in ("sent", "unsubscribed") or count else None


def funnel_of(cells: Iterable[Cell]) -> Funnel:
    funnel = Funnel()
    for cell in cells:
        funnel.add(cell)
    return funnel


def breakdown(cells: Iterable[Cell], dimension: str, accounts: Mapping[str, Account]) -> dict[str, Funnel]:
    """Value of the dimension -> funnel; the most messages first."""
    value_of = _value_finder(dimension, accounts)
    funnels: dict[str, Funnel] = {}
    for cell in cells:
        if cell.status in _REACHED["sent"] or cell.status in (Status.FAILED, Status.EXPIRED, Status.UNKNOWN):
            funnels.setdefault(value_of(cell), Funnel()).add(cell)
    return dict(sorted(funnels.items(), key=lambda item: (-item[1].sent, item[0])))


def _value_finder(dimension: str, accounts: Mapping[str, Account]) -> Callable[[Cell], str]:
    if dimension == LOCALE:
        return lambda cell: cell.locale
    if dimension == PROVIDER:
        return lambda cell: _account_text(accounts.get(cell.account or ""))
    if dimension == PLATFORM:
        platforms = {pk: provider_class(account.provider).platform for pk, account in accounts.items()}
        return lambda cell: cell.platform or platforms.get(cell.account or "", "") or cell.channel
    return lambda cell: cell.channel


def _account_text(account: Account | None) -> str:
    return "" if account is None else f"{account.name} ({account.provider})"


def by_status(cells: Iterable[Cell]) -> dict[str, dict[str, dict[str, int]]]:
    """channel -> status -> reason -> messages, as campaigns.report.results counts them."""
    channels: dict[str, dict[str, dict[str, int]]] = {}
    for cell in cells:
        reasons = channels.setdefault(cell.channel, {}).setdefault(Status(cell.status).label, {})
        reasons[cell.reason] = reasons.get(cell.reason, 0) + cell.messages
    return channels


def interval_width(seconds: float) -> int:
    """Seconds of one interval, so that there are few enough."""
    return next((width for width in _WIDTHS if seconds <= width * _MOST_INTERVALS), _WIDTHS[-1])


def curve(intervals: Sequence[Interval], step: str, width: int, channel: str = "") -> list[tuple[float, int]]:
    """(seconds since GO, messages that had reached the step by then), from 0 on; of one channel, or of all."""
    counts: Counter[int] = Counter()
    for interval in intervals:
        if interval.step == step and (not channel or interval.channel == channel):
            counts[interval.number] += interval.messages
    points, total = [(0.0, 0)], 0
    for number in sorted(counts):
        if points[-1][0] < number * width:
            points.append((float(number * width), total))
        total += counts[number]
        points.append((float((number + 1) * width), total))
    return points if counts else []
