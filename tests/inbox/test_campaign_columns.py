"""Messages of a campaign are stored by columns: as single messages are, once, in order, without a gap."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
import redis
from django.conf import settings
from pytest_django.plugin import DjangoDbBlocker

from inbox.models import Feed, InboxMessage, State
from inbox.provider import InApp
from inbox.store import changes, insert_columns
from inbox.store.announcements import topic
from inbox.store.insert import store
from inbox.store.insert_columns import store_columns
from notifier.providers.base import Config
from notifier.vocabulary.columns import MessageColumns, PartTexts
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.verdicts import Permanent, Verdict, Withdrawn
from tenants.models import Recipient
from tests.campaigns.workers import in_parallel
from tests.inbox.conftest import message


def columns(*to: Recipient, **parts: PartTexts) -> MessageColumns:
    """A message to each recipient, with new delivery ids."""
    category = str(parts.pop("category", "news"))
    texts = {"title": "Hello", "body": "World", **{name.replace("__", "."): value for name, value in parts.items()}}
    ids, recipients = [new_id().hex for _ in to], [recipient.pk.hex for recipient in to]
    return MessageColumns(to[0].tenant_id, category, ids, recipients, texts)


def send(batch: MessageColumns, until: float = math.inf) -> Mapping[int, Verdict]:
    return InApp(Config()).send_columns(batch, until)


def stored(recipient: Recipient) -> list[tuple[int, str]]:
    rows = InboxMessage.objects.filter(recipient_id=recipient.pk).order_by("seq")
    return list(rows.values_list("seq", "title"))


def counters(recipient: Recipient) -> tuple[int, int, int, dict[str, Any]]:
    feed = Feed.objects.get(recipient_id=recipient.pk)
    return feed.last_seq, feed.unread, feed.unseen, feed.by_category


def test_each_message_is_stored_with_its_own_and_its_shared_texts(dora: Recipient, emil: Recipient) -> None:
    assert send(columns(dora, emil, title=["Hi Dora", "Hi\tEmil\\"], link="/orders", data__n=["1", "2"])) == {}
    assert send(columns(dora, category="", title="Again", data__n="3")) == {}
    assert stored(dora) == [(1, "Hi Dora"), (2, "Again")] and stored(emil) == [(1, "Hi\tEmil\\")]
    rows = InboxMessage.objects.filter(recipient_id=dora.pk).order_by("seq")
    shown = [(row.body, row.link, row.data, row.category, row.tenant_id) for row in rows]
    assert shown == [
        ("World", "/orders", {"n": "1"}, "news", dora.tenant_id),
        ("World", "", {"n": "3"}, "", dora.tenant_id),
    ]
    assert counters(dora) == (2, 2, 2, {"news": [1, 1], "": [1, 1]})


def test_the_counters_are_those_of_single_messages(dora: Recipient, emil: Recipient) -> None:
    for category in ("news", "offers", "news"):
        send(columns(dora, category=category))
        store([message(emil, category=category)])
    assert counters(dora) == counters(emil) == (3, 3, 3, {"news": [2, 2], "offers": [1, 1]})


def test_a_repeat_among_new_messages_stores_nothing_twice(dora: Recipient, emil: Recipient) -> None:
    first = columns(dora)
    assert send(first) == {}
    both = columns(dora, emil, title=["again", "new"])
    repeated = MessageColumns(both.tenant_id, both.category, [*first.ids, both.ids[1]], both.recipients, both.parts)
    assert send(repeated) == send(repeated) == {}
    assert stored(dora) == [(1, "Hello")] and stored(emil) == [(1, "new")]
    assert counters(dora) == counters(emil) == (1, 1, 1, {"news": [1, 1]})


def test_two_messages_to_one_inbox_in_a_batch_are_both_stored(dora: Recipient) -> None:
    assert send(columns(dora, dora, title=["one", "two"])) == {}
    assert stored(dora) == [(1, "one"), (2, "two")]


def test_messages_that_cannot_be_stored_do_not_fail_their_batch(dora: Recipient, emil: Recipient) -> None:
    cases: dict[str, str] = {
        "title": "x" * 501,
        "body": "nul \0",
        "data__n": "half \ud83d",
        "link": "java\tscript:alert(1)",
    }
    for n, (part, text) in enumerate(cases.items(), 1):
        verdicts = send(columns(emil, dora, **{part: [text, "/fine"]}))
        assert list(verdicts) == [0] and isinstance(verdicts[0], Permanent)
        assert len(stored(dora)) == n
    assert not stored(emil)


def test_a_text_of_all_messages_that_cannot_be_stored_refuses_all(dora: Recipient, emil: Recipient) -> None:
    assert set(send(columns(dora, emil, title="nul \0"))) == {0, 1}
    bare = columns(dora)
    assert set(send(MessageColumns(bare.tenant_id, "", bare.ids, bare.recipients, {"body": "no title"}))) == {0}
    assert not InboxMessage.objects.exists() and not Feed.objects.exists()


def test_recipients_who_are_gone_erased_or_of_another_tenant_get_nothing(
    dora: Recipient, emil: Recipient, zoe: Recipient
) -> None:
    gone = Recipient.objects.create(tenant=dora.tenant, external_id="gone")
    batch = columns(gone, dora, zoe, emil)
    gone.delete()
    Recipient.objects.filter(pk=emil.pk).update(status=Recipient.State.ERASED)
    assert {i: type(verdict) for i, verdict in send(batch).items()} == dict.fromkeys((0, 2, 3), Permanent)
    assert stored(dora) == [(1, "Hello")]
    assert set(Feed.objects.values_list("recipient_id", flat=True)) == {dora.pk}


def test_long_texts_are_stored_in_several_statements(dora: Recipient, emil: Recipient) -> None:
    long = "x" * (insert_columns.MOST_CHARACTERS // 2 + 1)
    batch = columns(emil, dora, body=[long, long])
    Recipient.objects.filter(pk=dora.pk).update(status=Recipient.State.ERASED)
    assert list(send(batch)) == [1]
    assert InboxMessage.objects.get(recipient_id=emil.pk).body == long


def test_nothing_is_stored_by_a_check_that_is_too_old(dora: Recipient, emil: Recipient) -> None:
    long = "x" * (insert_columns.MOST_CHARACTERS // 2 + 1)
    batch = columns(emil, dora, body=[long, long], title=["fine", "x" * 501])
    verdicts = send(batch, until=time.monotonic() - 1)
    assert {i: type(verdict) for i, verdict in verdicts.items()} == {0: Withdrawn, 1: Permanent}
    both = columns(emil, dora, body=[long, long])
    assert set(send(both, until=time.monotonic() - 1).values()) == {Withdrawn()}
    assert not InboxMessage.objects.exists() and not Feed.objects.exists()


def test_an_open_inbox_hears_of_the_message_of_a_campaign(transactional_db: None, dora: Recipient) -> None:
    client = redis.Redis.from_url(settings.REDIS_URL)
    watcher = client.pubsub()  # type: ignore[no-untyped-call]
    watcher.subscribe(topic(dora.pk))
    watcher.get_message(timeout=60)
    send(columns(dora, title="Hi"))
    announced = watcher.get_message(timeout=60)
    assert announced is not None and b"Hi" in announced["data"] and b"last_seq" in announced["data"]
    watcher.close()
    client.close()


@pytest.mark.django_db(transaction=True)
def test_workers_beside_single_messages_and_readers_leave_no_gap_no_repeat_and_no_deadlock(
    dora: Recipient, django_db_blocker: DjangoDbBlocker
) -> None:
    """Calls the store without the provider, which would repeat what a deadlock has rolled back."""
    people = [Recipient.objects.create(tenant=dora.tenant, external_id=f"p{n}") for n in range(40)]
    batches = [columns(*(people if n % 2 else reversed(people)), title=f"campaign {n}") for n in range(4)]
    singles = [message(person, f"single {n}") for n in range(4) for person in people]
    in_parallel(
        # each batch is stored by two workers, in another order
        lambda: [store_columns(batches[n]) for n in (0, 1, 2, 3)],
        lambda: [store_columns(batches[n]) for n in (3, 2, 1, 0)],
        lambda: [store(singles[at : at + 10]) for at in range(0, len(singles), 10)],
        lambda: [changes.read_up_to(person.pk, 10**6, now=datetime.now(UTC)) for person in people],
    )
    expected = sorted(f"{kind} {n}" for kind in ("campaign", "single") for n in range(4))
    for person in people:
        messages = stored(person)
        assert sorted(title for _, title in messages) == expected
        assert [seq for seq, _ in messages] == list(range(1, 9))
        unread = InboxMessage.objects.filter(recipient_id=person.pk, state=State.UNREAD).count()
        assert counters(person)[:2] == (8, unread)
