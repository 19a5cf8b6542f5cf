"""A shard's record: what is packed is what is read, and its counts are those of its messages."""

from __future__ import annotations

import uuid
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.models import Campaign, Shard, ShardPayload
from campaigns.shard import outcomes
from campaigns.shard.outcomes import REQUEUED, UNANSWERED, OutcomeNote, ShardOutcomes, sent_delays
from notifier.vocabulary.status import FINAL, Reason, Status
from tests.campaigns.fake_client import Post, claimed, post, shard_of

__all__ = ["post"]

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
NOTES = st.builds(
    OutcomeNote,
    st.sampled_from(["", *map(str, Reason)]),
    TEXTS,
    TEXTS,
    st.none() | st.integers(-(10**6), 10**9),
    st.booleans(),
)
STATUSES = st.sampled_from([UNANSWERED, REQUEUED, *map(int, FINAL)])
STEPS = st.lists(st.tuples(STATUSES, st.integers(0, 2**32 - 1), NOTES), max_size=30)


def played(steps: list[tuple[int, int, OutcomeNote]], size: int) -> ShardOutcomes:
    made = ShardOutcomes(size, begun=len(steps))
    for i, (status, delay, note) in enumerate(steps):
        if status == Status.SENT and note == OutcomeNote():
            made.mark_sent([i], delay)
        elif status != UNANSWERED:
            made.mark_ended(i, Status(status), delay, OutcomeNote() if status == REQUEUED else note)
    return made


def stored(kept: ShardOutcomes) -> ShardOutcomes:
    packed = kept.packed_codes(), kept.packed_delays(), kept.packed_notes()
    return ShardOutcomes.unpack(kept.size, kept.begun, *packed)


@given(STEPS, st.integers(0, 20))
@settings(deadline=None)
def test_what_is_packed_is_what_is_read(steps: list[tuple[int, int, OutcomeNote]], rest: int) -> None:
    kept = played(steps, len(steps) + rest)
    assert stored(kept) == kept
    assert stored(stored(kept)) == kept


@given(STEPS, st.integers(0, 20), st.booleans(), st.booleans())
@settings(deadline=None)
def test_each_message_is_tallied_once_but_for_those_that_were_handed(
    steps: list[tuple[int, int, OutcomeNote]], rest: int, ended: bool, stopped: bool
) -> None:
    kept = played(steps, len(steps) + rest)
    tally = kept.tally(ended=ended, stopped=stopped)
    assert sum(tally.values()) == kept.size - kept.requeued
    assert min(tally.values(), default=1) > 0
    by_status: Counter[int] = Counter()
    for (status, _), count in tally.items():
        by_status[status] += count
    assert by_status[Status.SENT] + by_status[Status.DELIVERED] == kept.sent
    doubt = len(kept.unanswered()) + sum(status == Status.UNKNOWN for status, _, _ in steps)
    assert by_status[Status.SENDING] + by_status[Status.UNKNOWN] == doubt
    assert kept.begun == kept.sent + kept.failed + kept.requeued + doubt
    assert kept.dead == sum(note.address_is_dead for note in kept.notes.values())
    assert (by_status[Status.ARMED] == 0) == (rest == 0 or ended or stopped)


@given(STEPS, st.integers(0, 30), st.one_of(st.none(), st.integers(0, 10**6)))
@settings(deadline=None)
def test_delays_are_of_what_was_taken(
    steps: list[tuple[int, int, OutcomeNote]], known: int, lasted: int | None
) -> None:
    kept = played(steps, len(steps))
    delays = kept.packed_delays()[: known * 4]
    found = list(sent_delays(kept.packed_codes(), delays, lasted))
    assert len(found) == (kept.sent if lasted is not None or known >= len(steps) else sum(
        status in (Status.SENT, Status.DELIVERED) for status, _, _ in steps[:known]
    ))  # fmt: skip


def test_a_pause_of_months_overflows_nothing(monkeypatch: pytest.MonkeyPatch, post: Post) -> None:
    post.people(1)
    campaign = post.running()
    Shard.objects.filter(campaign=campaign).update(began_at="2026-01-01T00:00Z")
    mine = claimed(campaign)
    mine.outcomes.mark_sent([0], mine.delay())
    assert mine.outcomes.sent == 1


# ---- written -----------------------------------------------------------------------------------------------------


@pytest.fixture
def campaign(post: Post) -> Campaign:
    post.people(10)
    return post.running()


def kept_of(campaign: Campaign) -> tuple[Any, ...]:
    payload = ShardPayload.objects.get(shard__campaign=campaign)
    shard = shard_of(campaign)
    return shard.begun, shard.sent, bytes(payload.outcomes), shard.state, shard.fence


@pytest.mark.django_db(transaction=True)
def test_a_stale_fence_writes_nothing(campaign: Campaign) -> None:
    mine = claimed(campaign)
    before = kept_of(campaign)
    mine.outcomes.mark_sent([0], 5)
    assert outcomes.write_outcomes(mine.outcomes, mine.id, mine.fence - 1, 5) == outcomes.WriteResult(
        claimed=False, running=False
    )
    assert not outcomes.release_shard(mine.outcomes, mine.id, mine.fence - 1, Shard.State.DONE, ended=True)
    assert kept_of(campaign) == before
    assert mine.outcomes.begun == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("state", ["paused", "cancelled", "finished"])
def test_outcomes_are_written_and_nothing_begins_unless_it_runs(campaign: Campaign, state: str) -> None:
    mine = claimed(campaign)
    assert outcomes.write_outcomes(mine.outcomes, mine.id, mine.fence, 4).running
    Campaign.objects.filter(pk=campaign.pk).update(state=state)
    mine.outcomes.mark_sent([0, 1], 5)
    assert outcomes.write_outcomes(mine.outcomes, mine.id, mine.fence, 8) == outcomes.WriteResult(
        claimed=True, running=False
    )
    assert kept_of(campaign) == (4, 2, bytes([40, 40, 0, 0]), Shard.State.RUNNING, 1)
    assert mine.outcomes.begun == 4


@pytest.mark.django_db(transaction=True)
def test_nobody_writes_what_was_let_go(campaign: Campaign) -> None:
    mine = claimed(campaign)
    assert outcomes.release_shard(mine.outcomes, mine.id, mine.fence, Shard.State.ARMED, ended=False)
    assert not outcomes.write_outcomes(mine.outcomes, mine.id, mine.fence, 5).claimed
    assert shard_of(campaign).ended_at is None and shard_of(campaign).lease_until is None
    assert uuid.UUID(str(mine.id)) == mine.id
