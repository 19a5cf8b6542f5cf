"""A shard's outcomes: unpacking gives what was packed, and the counts are those of the messages."""

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
    outcomes = ShardOutcomes(size, begun=len(steps))
    for i, (status, delay, note) in enumerate(steps):
        if status == Status.SENT and note == OutcomeNote():
            outcomes.mark_sent([i], delay)
        elif status != UNANSWERED:
            outcomes.mark_ended(i, Status(status), delay, OutcomeNote() if status == REQUEUED else note)
    return outcomes


def stored(shard_outcomes: ShardOutcomes) -> ShardOutcomes:
    packed = shard_outcomes.packed_codes(), shard_outcomes.packed_delays(), shard_outcomes.packed_notes()
    return ShardOutcomes.unpack(shard_outcomes.size, shard_outcomes.begun, *packed)


@given(STEPS, st.integers(0, 20))
@settings(deadline=None)
def test_unpacking_gives_what_was_packed(steps: list[tuple[int, int, OutcomeNote]], not_begun: int) -> None:
    shard_outcomes = played(steps, len(steps) + not_begun)
    assert stored(shard_outcomes) == shard_outcomes
    assert stored(stored(shard_outcomes)) == shard_outcomes


@given(STEPS, st.integers(0, 20), st.booleans(), st.booleans())
@settings(deadline=None)
def test_each_message_is_tallied_once_except_the_requeued_ones(
    steps: list[tuple[int, int, OutcomeNote]], not_begun: int, ended: bool, stopped: bool
) -> None:
    shard_outcomes = played(steps, len(steps) + not_begun)
    tally = shard_outcomes.tally(ended=ended, stopped=stopped)
    assert sum(tally.values()) == shard_outcomes.size - shard_outcomes.requeued
    assert min(tally.values(), default=1) > 0
    by_status: Counter[int] = Counter()
    for (status, _), count in tally.items():
        by_status[status] += count
    assert by_status[Status.SENT] + by_status[Status.DELIVERED] == shard_outcomes.sent
    doubt = len(shard_outcomes.unanswered()) + sum(status == Status.UNKNOWN for status, _, _ in steps)
    assert by_status[Status.SENDING] + by_status[Status.UNKNOWN] == doubt
    assert shard_outcomes.begun == shard_outcomes.sent + shard_outcomes.failed + shard_outcomes.requeued + doubt
    assert shard_outcomes.dead == sum(note.address_is_dead for note in shard_outcomes.notes.values())
    assert (by_status[Status.ARMED] == 0) == (not_begun == 0 or ended or stopped)


@given(STEPS, st.integers(0, 30), st.one_of(st.none(), st.integers(0, 10**6)))
@settings(deadline=None)
def test_delays_are_those_of_the_sent_messages(
    steps: list[tuple[int, int, OutcomeNote]], known: int, lasted: int | None
) -> None:
    shard_outcomes = played(steps, len(steps))
    delays = shard_outcomes.packed_delays()[: known * 4]
    delays_of_sent = list(sent_delays(shard_outcomes.packed_codes(), delays, lasted))
    assert len(delays_of_sent) == (shard_outcomes.sent if lasted is not None or known >= len(steps) else sum(
        status in (Status.SENT, Status.DELIVERED) for status, _, _ in steps[:known]
    ))  # fmt: skip


def test_a_pause_of_months_overflows_no_delay(post: Post) -> None:
    post.people(1)
    campaign = post.running()
    Shard.objects.filter(campaign=campaign).update(began_at="2026-01-01T00:00Z")
    shard = claimed(campaign)
    shard.outcomes.mark_sent([0], shard.delay())
    assert shard.outcomes.sent == 1


# ---- written -----------------------------------------------------------------------------------------------------


@pytest.fixture
def campaign(post: Post) -> Campaign:
    post.people(10)
    return post.running()


def stored_state(campaign: Campaign) -> tuple[Any, ...]:
    payload = ShardPayload.objects.get(shard__campaign=campaign)
    shard = shard_of(campaign)
    return shard.begun, shard.sent, bytes(payload.outcomes), shard.state, shard.fence


@pytest.mark.django_db(transaction=True)
def test_a_stale_fence_writes_nothing(campaign: Campaign) -> None:
    shard = claimed(campaign)
    before = stored_state(campaign)
    shard.outcomes.mark_sent([0], 5)
    assert outcomes.write_outcomes(shard.outcomes, shard.id, shard.fence - 1, 5) == outcomes.WriteResult(
        claimed=False, running=False
    )
    assert not outcomes.release_shard(shard.outcomes, shard.id, shard.fence - 1, Shard.State.DONE, ended=True)
    assert stored_state(campaign) == before
    assert shard.outcomes.begun == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("state", ["paused", "cancelled", "finished"])
def test_outcomes_are_written_and_nothing_begins_unless_the_campaign_runs(campaign: Campaign, state: str) -> None:
    shard = claimed(campaign)
    assert outcomes.write_outcomes(shard.outcomes, shard.id, shard.fence, 4).running
    Campaign.objects.filter(pk=campaign.pk).update(state=state)
    shard.outcomes.mark_sent([0, 1], 5)
    assert outcomes.write_outcomes(shard.outcomes, shard.id, shard.fence, 8) == outcomes.WriteResult(
        claimed=True, running=False
    )
    assert stored_state(campaign) == (4, 2, bytes([40, 40, 0, 0]), Shard.State.RUNNING, 1)
    assert shard.outcomes.begun == 4


@pytest.mark.django_db(transaction=True)
def test_a_released_shard_cannot_be_written(campaign: Campaign) -> None:
    shard = claimed(campaign)
    assert outcomes.release_shard(shard.outcomes, shard.id, shard.fence, Shard.State.ARMED, ended=False)
    assert not outcomes.write_outcomes(shard.outcomes, shard.id, shard.fence, 5).claimed
    assert shard_of(campaign).ended_at is None and shard_of(campaign).lease_until is None
    assert uuid.UUID(str(shard.id)) == shard.id
