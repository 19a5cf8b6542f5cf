"""The moves of a campaign. A move is one conditional UPDATE, so that of any number of callers exactly one makes it."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from typing import Any

from django.db.models import Q

from campaigns.models import Campaign

State = Campaign.State

#: every allowed move; nothing else ever happens to `state`
MOVES: dict[State, frozenset[State]] = {
    State.DRAFT: frozenset({State.ARMING}),
    State.ARMING: frozenset({State.ARMED, State.DRAFT}),
    State.ARMED: frozenset({State.ARMING, State.DRAFT, State.LAUNCHING, State.RUNNING, State.CANCELLED}),
    State.LAUNCHING: frozenset({State.ARMED, State.RUNNING, State.CANCELLED}),
    State.RUNNING: frozenset({State.PAUSED, State.FINISHED, State.CANCELLED, State.FAILED}),
    State.PAUSED: frozenset({State.RUNNING, State.CANCELLED}),
    State.FINISHED: frozenset(),
    State.CANCELLED: frozenset(),
    State.FAILED: frozenset(),
}
#: it does not leave any more, whatever anybody presses
ENDED = frozenset({State.FINISHED, State.CANCELLED, State.FAILED})
#: nothing about the campaign's content may be edited any more; one that is launching can be taken back first
LAUNCHED = frozenset({State.LAUNCHING, State.RUNNING, State.PAUSED}) | ENDED


def move(
    campaign_id: uuid.UUID, to: State, *, allowed_from: Collection[State], where: Q | None = None, **columns: Any
) -> bool:
    """Move if the campaign is in one of `allowed_from` and `where` holds, setting `columns` with it; True for the one
    who moved it."""
    for state in allowed_from:
        if to not in MOVES[state]:
            raise ValueError(f"{state} -> {to} is no move of a campaign")
    rows = Campaign.objects.filter(where or Q(), pk=campaign_id, state__in=allowed_from)
    return rows.update(state=to, **columns) == 1
