"""The moves of a campaign. A move is one conditional UPDATE, so that of any number of callers exactly one makes it."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from typing import Any

from campaigns.models import Campaign

State = Campaign.State

#: every allowed move; nothing else ever happens to `state`
MOVES: dict[State, frozenset[State]] = {
    State.DRAFT: frozenset({State.ARMING}),
    State.ARMING: frozenset({State.ARMED, State.DRAFT}),
    State.ARMED: frozenset({State.ARMING, State.DRAFT, State.RUNNING, State.CANCELLED}),
    State.RUNNING: frozenset({State.PAUSED, State.FINISHED, State.CANCELLED, State.FAILED}),
    State.PAUSED: frozenset({State.RUNNING, State.CANCELLED}),
    State.FINISHED: frozenset(),
    State.CANCELLED: frozenset(),
    State.FAILED: frozenset(),
}
#: nothing about the campaign may be edited any more
LAUNCHED = frozenset({State.RUNNING, State.PAUSED, State.FINISHED, State.CANCELLED, State.FAILED})


def move(campaign_id: uuid.UUID, to: State, *, allowed_from: Collection[State], **columns: Any) -> bool:
    """Move if the campaign is in one of `allowed_from`, setting `columns` with it; True for the one who moved it."""
    for state in allowed_from:
        if to not in MOVES[state]:
            raise ValueError(f"{state} -> {to} is no move of a campaign")
    return Campaign.objects.filter(pk=campaign_id, state__in=allowed_from).update(state=to, **columns) == 1
