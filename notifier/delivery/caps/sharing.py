"""Who gets the places of windows. Pure: the rows are locked by `places`."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from notifier.delivery.planning.cap_rules import CapWindow


class PlaceKey(NamedTuple):
    """One recipient's window of one cap."""

    cap_id: uuid.UUID
    recipient_id: uuid.UUID
    start: datetime


@dataclass(frozen=True)
class PlaceRequest:
    """A message that is about to leave. `holder`: its notification or campaign, which takes one place in a window
    however many messages it has for the recipient."""

    holder: uuid.UUID
    recipient_id: uuid.UUID
    windows: tuple[CapWindow, ...]

    def places(self) -> list[tuple[PlaceKey, int]]:
        """The place that the message needs in each window, and how many places the window has."""
        return [(PlaceKey(w.cap.id, self.recipient_id, w.window.start), w.cap.most) for w in self.windows]


@dataclass
class Shares:
    """`full[i]`: the windows without a place for request i; empty: it holds a place in each of its windows.
    `changed`: the windows that have new holders."""

    full: list[tuple[CapWindow, ...]] = field(default_factory=list)
    changed: set[PlaceKey] = field(default_factory=set)


def share(holders: dict[PlaceKey, list[uuid.UUID]], requests: Sequence[PlaceRequest]) -> Shares:
    """Give places in the order of the requests: a place in each of the request's windows, or in none. Adds the new
    holders to `holders`; a holder takes no second place in a window."""
    shares = Shares()
    for request in requests:
        needed = request.places()
        full = tuple(
            window
            for window, (key, most) in zip(request.windows, needed, strict=True)
            if request.holder not in holders[key] and len(holders[key]) >= most
        )
        shares.full.append(full)
        if full:
            continue
        for key, _ in needed:
            if request.holder not in holders[key]:
                holders[key].append(request.holder)
                shares.changed.add(key)
    return shares
