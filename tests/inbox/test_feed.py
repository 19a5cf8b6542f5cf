"""Reading and marking as read: exact with eight concurrent markers, idempotent, and shown in the history."""

from __future__ import annotations

import threading
import uuid

import pytest
from django.db import connections
from django.utils import timezone

from inbox.models import Feed, InboxMessage
from inbox.store import changes, feed
from inbox.store.counters import Counters
from notifier.errors import NotFound
from notifier.models import DeliveryEvent
from notifier.vocabulary.ids import new_id
from tenants.models import Recipient
from tests.inbox.conftest import message, send


def mark_read(recipient: Recipient, message_id: uuid.UUID) -> Counters:
    return changes.act(recipient.pk, message_id, "read", now=timezone.now()).counters


def mark_read_up_to(recipient: Recipient, seq: int) -> Counters:
    return changes.read_up_to(recipient.pk, seq, now=timezone.now()).counters


def ids(recipient: Recipient) -> list[uuid.UUID]:
    rows = InboxMessage.objects.filter(recipient_id=recipient.pk).order_by("seq")
    return list(rows.values_list("pk", flat=True))


def test_pages_go_backwards_and_forwards_without_overlap(dora: Recipient) -> None:
    send(*[message(dora, str(n)) for n in range(1, 8)])
    newest = feed.newest(dora.pk, feed.Query(limit=3))
    assert ([m.seq for m in newest.messages], newest.next_seq) == ([7, 6, 5], 5)
    assert [m.seq for m in feed.newest(dora.pk, feed.Query(before_seq=5, limit=3)).messages] == [4, 3, 2]
    assert [m.seq for m in feed.since(dora.pk, 4, limit=2)] == [5, 6]


def test_marking_a_message_lowers_the_count_once_and_is_shown_in_the_history(dora: Recipient) -> None:
    first, second = message(dora), message(dora)
    send(first, second)
    for _ in range(3):
        after = mark_read(dora, first.envelope.delivery_id)
        assert after == Counters(last_seq=2, revision=1, unread=1, unseen=1, by_category={"news": (1, 1)})
    assert [m.id for m in feed.newest(dora.pk, feed.Query(state="unread")).messages] == [second.envelope.delivery_id]
    history = DeliveryEvent.objects.filter(delivery_id=first.envelope.delivery_id)
    assert [event.what for event in history] == ["read"]


def test_marking_up_to_a_number_leaves_newer_messages_unread(dora: Recipient) -> None:
    send(*[message(dora) for _ in range(5)])
    after = Counters(last_seq=5, revision=1, unread=2, unseen=2, by_category={"news": (2, 2)})
    assert mark_read_up_to(dora, 3) == after
    assert mark_read_up_to(dora, 3) == after
    assert feed.counters(dora.pk) == after


def test_a_message_of_another_recipient_is_not_found(dora: Recipient, emil: Recipient) -> None:
    send(message(dora))
    for unknown in (*ids(dora), new_id()):
        with pytest.raises(NotFound):
            mark_read(emil, unknown)
    assert feed.counters(dora.pk).unread == 1


def test_an_empty_inbox_can_be_read(dora: Recipient) -> None:
    assert feed.newest(dora.pk, feed.Query()) == feed.Page([], None)
    assert mark_read_up_to(dora, 10) == feed.counters(dora.pk) == Counters()


@pytest.mark.django_db(transaction=True)
def test_the_count_is_exact_while_eight_threads_mark_and_store(dora: Recipient) -> None:
    send(*[message(dora) for _ in range(40)])
    all_ids = ids(dora)

    def mark(part: int) -> None:
        for n, message_id in enumerate(all_ids[part * 2 :] + all_ids[: part * 2]):
            mark_read(dora, message_id)
            if n % 10 == part:
                mark_read_up_to(dora, n)
            if n % 20 == part:
                send(message(dora))
        connections.close_all()

    markers = [threading.Thread(target=mark, args=(n,)) for n in range(8)]
    for marker in markers:
        marker.start()
    for marker in markers:
        marker.join()
    row = Feed.objects.get(recipient_id=dora.pk)
    unread = InboxMessage.objects.filter(recipient_id=dora.pk, read_at__isnull=True).count()
    assert (row.last_seq, row.unread) == (56, unread)
    read = InboxMessage.objects.filter(recipient_id=dora.pk, read_at__isnull=False).count()
    assert DeliveryEvent.objects.filter(what="read", tenant_id=dora.tenant_id).count() == read
