"""The states of a campaign and the allowed moves. A move is one conditional UPDATE: when several callers try, one makes
it."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from typing import Any

from django.db.models import Q

from campaigns.models import Campaign

State = Campaign.State

#: every allowed move; no other code changes `state`
MOVES: dict[State, frozenset[State]] = {
    State.DRAFT: frozenset({State.ARMING}),
    State.ARMING: frozenset({State.ARMED, State.DRAFT}),
    State.ARMED: frozenset({State.ARMING, State.DRAFT, State.LAUNCHING, State.RUNNING, State.CANCELLED}),
    State.LAUNCHING: frozenset({State.ARMED, State.RUNNING, State.CANCELLED}),
    State.RUNNING: frozenset({State.PAUSED, State.FINISHED, State.CANCELLED, State.FAILED}),
    State.PAUSED: frozenset({State.RUNNING, State.CANCELLED}),
    # a retry of what failed
    State.FINISHED: frozenset({State.RUNNING}),
    State.CANCELLED: frozenset(),
    State.FAILED: frozenset(),
}
#: nothing of the campaign leaves any more
ENDED = frozenset({State.FINISHED, State.CANCELLED, State.FAILED})
#: the content may not be edited any more; the launch of a launching campaign can be taken back first
LAUNCHED = frozenset({State.LAUNCHING, State.RUNNING, State.PAUSED}) | ENDED


def move(
    campaign_id: uuid.UUID, to: State, *, allowed_from: Collection[State], where: Q | None = None, **columns: Any
) -> bool:
    """Move the campaign, and set `columns`, if its state is one of `allowed_from` and `where` holds. True for the one
    caller that moved it. Raises ValueError for a move that MOVES does not have."""
    for state in allowed_from:
        if to not in MOVES[state]:
            raise ValueError(f"{state} -> {to} is no move of a campaign")
    rows = Campaign.objects.filter(where or Q(), pk=campaign_id, state__in=allowed_from)
    return rows.update(state=to, **columns) == 1
