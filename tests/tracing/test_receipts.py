"""What a provider reports later is a span in the trace of its message."""

from __future__ import annotations

import pytest

from notifier.delivery.receipts.reading import read_receipts
from notifier.tracing.context import TRACEPARENT, TraceContext
from notifier.tracing.switch import Span
from notifier.vocabulary.status import Status
from tests.fixtures import People
from tests.receipts.deliveries import a_delivery, status_of
from tests.receipts.reporter import an_account, report

pytestmark = pytest.mark.django_db


def test_a_receipt_is_in_the_trace_of_its_message(people: People, kept: list[Span]) -> None:
    account = an_account(people.acme)
    header = TraceContext(7, 8).header
    traced = a_delivery(account, Status.SENT, content={"subject": "CANARY", TRACEPARENT: header})
    untraced = a_delivery(account, Status.SENT, content={"subject": "CANARY"})
    report(account, *({"kind": "delivered", "delivery_id": str(d.pk)} for d in (traced, untraced)))
    read_receipts()
    assert [status_of(d) for d in (traced, untraced)] == ["delivered", "delivered"]
    (span,) = [span for span in kept if span.name == "receipt"]
    assert (span.context.trace_id, span.parent_id) == (7, 8)
    assert dict(span.attributes) == {"account.id": str(account.pk), "events": 2}


def test_a_receipt_of_no_traced_message_is_no_span(people: People, kept: list[Span]) -> None:
    account = an_account(people.acme)
    delivery = a_delivery(account, Status.SENT, content={"subject": "CANARY"})
    report(account, {"kind": "delivered", "delivery_id": str(delivery.pk)})
    read_receipts()
    assert [span.name for span in kept if span.name == "receipt"] == []
