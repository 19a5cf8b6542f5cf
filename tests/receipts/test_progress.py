"""How far events move a status: pure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.delivery.receipts.progress import Step, must_wait, next_step
from notifier.vocabulary.receipts import EventKind as K
from notifier.vocabulary.receipts import ReceiptEvent
from notifier.vocabulary.status import FINAL, Reason, Status

S = Status
SOFT, HARD = ReceiptEvent(K.BOUNCED), ReceiptEvent(K.BOUNCED, permanent=True)
SCANNED = ReceiptEvent(K.CLICKED, machine=True)


@pytest.mark.parametrize(
    ("current", "event", "expected"),
    [
        (Step(S.SENT), ReceiptEvent(K.SENT), None),
        (Step(S.SENT), ReceiptEvent(K.DEFERRED), None),
        (Step(S.SENT), ReceiptEvent(K.DELIVERED), Step(S.DELIVERED)),
        (Step(S.SENT), ReceiptEvent(K.CLICKED), Step(S.CLICKED)),
        (Step(S.SENT), ReceiptEvent(K.FAILED), Step(S.FAILED, Reason.UNDELIVERED)),
        (Step(S.SENT), SOFT, Step(S.BOUNCED, Reason.SOFT_BOUNCE)),
        (Step(S.SENT), HARD, Step(S.BOUNCED, Reason.HARD_BOUNCE)),
        (Step(S.SENT), SCANNED, Step(S.DELIVERED)),
        (Step(S.SENT), ReceiptEvent(K.UNSUBSCRIBED), Step(S.DELIVERED)),
        (Step(S.SENT), ReceiptEvent(K.STOP), None),
        (Step(S.DELIVERED), ReceiptEvent(K.DELIVERED), None),
        (Step(S.DELIVERED), ReceiptEvent(K.FAILED), None),
        (Step(S.DELIVERED), SOFT, Step(S.BOUNCED, Reason.SOFT_BOUNCE)),
        (Step(S.DELIVERED), SCANNED, None),
        (Step(S.BOUNCED, Reason.SOFT_BOUNCE), HARD, Step(S.BOUNCED, Reason.HARD_BOUNCE)),
        (Step(S.BOUNCED, Reason.HARD_BOUNCE), SOFT, None),
        (Step(S.BOUNCED, Reason.HARD_BOUNCE), ReceiptEvent(K.DELIVERED), None),
        (Step(S.BOUNCED, Reason.HARD_BOUNCE), ReceiptEvent(K.OPENED), Step(S.OPENED)),
        (Step(S.OPENED), ReceiptEvent(K.DELIVERED), None),
        (Step(S.OPENED), HARD, None),
        (Step(S.CLICKED), ReceiptEvent(K.OPENED), None),
        (Step(S.CLICKED), ReceiptEvent(K.COMPLAINED), Step(S.COMPLAINED)),
        (Step(S.UNKNOWN, Reason.IN_DOUBT), ReceiptEvent(K.SENT), Step(S.SENT)),
        (Step(S.UNKNOWN, Reason.IN_DOUBT), ReceiptEvent(K.DELIVERED), Step(S.DELIVERED)),
        (Step(S.UNKNOWN, Reason.IN_DOUBT), ReceiptEvent(K.FAILED), Step(S.FAILED, Reason.UNDELIVERED)),
        (Step(S.FAILED, Reason.UNDELIVERED), ReceiptEvent(K.DELIVERED), Step(S.DELIVERED)),
        (Step(S.FAILED, Reason.REJECTED), ReceiptEvent(K.DELIVERED), None),
        (Step(S.FAILED, Reason.EXHAUSTED), ReceiptEvent(K.CLICKED), None),
        (Step(S.SUPPRESSED, Reason.CATEGORY_OFF), ReceiptEvent(K.DELIVERED), None),
        (Step(S.CANCELLED, Reason.STOPPED), ReceiptEvent(K.DELIVERED), None),
        (Step(S.EXPIRED, Reason.NOT_AFTER), ReceiptEvent(K.DELIVERED), None),
    ],
)
def test_an_event_moves_a_status_forward_or_not_at_all(
    current: Step, event: ReceiptEvent, expected: Step | None
) -> None:
    assert next_step(current, [event]) == expected


EVENTS = st.lists(
    st.builds(ReceiptEvent, kind=st.sampled_from(list(K)), permanent=st.booleans(), machine=st.booleans()), max_size=8
)
FIRST_STEPS = st.sampled_from([Step(S.SENT), Step(S.UNKNOWN, Reason.IN_DOUBT), Step(S.FAILED, Reason.REJECTED)])


@given(first=FIRST_STEPS, events=EVENTS, random=st.randoms())
def test_any_order_and_repetition_of_the_same_events_ends_in_the_same_step(
    first: Step, events: list[ReceiptEvent], random: object
) -> None:
    together = next_step(first, events) or first
    shuffled = [*events, *events]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    current = first
    for event in shuffled:
        current = next_step(current, [event]) or current
    assert current == together


@pytest.mark.parametrize("status", list(Status))
def test_receipts_wait_for_every_status_that_is_not_final(status: Status) -> None:
    assert must_wait(status) == (status not in FINAL)
