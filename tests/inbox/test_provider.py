"""Storing messages: once, in order, every storable message of a batch; and announcing them to open sockets."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import threading

import pytest
import redis
from django.conf import settings
from django.db import connection, connections
from pytest_django.plugin import DjangoDbBlocker

from inbox.models import Feed, InboxMessage
from inbox.store import announcements
from inbox.store.announcements import topic
from inbox.store.counters import Counters
from notifier.local.servers.ports import free_port
from notifier.providers import provider_class
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.verdicts import Permanent, Sent
from tenants.models import Recipient
from tests.inbox.conftest import announced_through, message, send


def titles(recipient: Recipient) -> list[tuple[int, str]]:
    rows = InboxMessage.objects.filter(recipient_id=recipient.pk).order_by("seq")
    return list(rows.values_list("seq", "title"))


def counters(recipient: Recipient) -> tuple[int, int]:
    feed = Feed.objects.get(recipient_id=recipient.pk)
    return feed.last_seq, feed.unread


def test_the_provider_is_found_by_name_and_needs_no_account() -> None:
    assert provider_class("in_app").builtin


def test_messages_of_a_batch_are_stored_in_order_and_counted_per_inbox(dora: Recipient, emil: Recipient) -> None:
    answers = send(message(dora, "1"), message(emil, "a"), message(dora, "2"), message(dora, "3"))
    assert answers == [Sent(final=True)] * 4
    assert titles(dora) == [(1, "1"), (2, "2"), (3, "3")]
    assert titles(emil) == [(1, "a")]
    assert counters(dora) == (3, 3)


def test_a_repeated_message_gets_the_same_verdict_and_changes_nothing(dora: Recipient) -> None:
    first, second = message(dora, "1"), message(dora, "2")
    send(first)
    assert send(first, second, second) == [Sent(final=True)] * 3
    assert titles(dora) == [(1, "1"), (2, "2")]
    assert counters(dora) == (2, 2)


def test_every_part_of_the_content_is_stored(dora: Recipient) -> None:
    send(message(dora, "Grüße 🎉", body='a "b" \\ c\n{},NULL', link="https://example.com/?a=1&b=2"))
    stored = InboxMessage.objects.get(recipient_id=dora.pk)
    assert (stored.title, stored.body) == ("Grüße 🎉", 'a "b" \\ c\n{},NULL')
    assert (stored.link, stored.category) == ("https://example.com/?a=1&b=2", "news")
    assert stored.tenant_id == dora.tenant_id


def test_data_is_stored_as_an_object(dora: Recipient) -> None:
    send(dataclasses.replace(message(dora), data={"order": "17"}))
    assert InboxMessage.objects.get(recipient_id=dora.pk).data == {"order": "17"}


def test_a_message_that_cannot_be_stored_does_not_fail_its_batch(
    dora: Recipient, emil: Recipient, zoe: Recipient
) -> None:
    gone = message(emil)
    emil.delete()
    foreign = dataclasses.replace(message(dora).envelope, recipient_id=zoe.pk)
    batch = [
        gone,
        message(dora, "fine"),
        message(dora, "x" * 501),
        message(dora, "nul \0"),
        message(dora, "half \ud83d"),
        message(dora, "script", link="javascript:alert(1)"),
        dataclasses.replace(message(dora), envelope=foreign),
    ]
    answers = send(*batch)
    assert [type(a) for a in answers] == [Permanent, Sent, *[Permanent] * 5]
    assert titles(dora) == [(1, "fine")]
    assert not Feed.objects.filter(recipient_id__in=[gone.envelope.recipient_id, zoe.pk]).exists()


def test_an_erased_recipient_gets_no_message(dora: Recipient) -> None:
    Recipient.objects.filter(pk=dora.pk).update(status=Recipient.State.ERASED)
    assert isinstance(send(message(dora))[0], Permanent)


def test_an_empty_batch_stores_nothing(db: None) -> None:
    assert send() == []


@pytest.mark.django_db(transaction=True)
def test_eight_concurrent_workers_leave_no_gap_and_no_duplicate(
    dora: Recipient, emil: Recipient, django_db_blocker: DjangoDbBlocker
) -> None:
    shared = [message(who, str(n)) for n in range(20) for who in (dora, emil)]

    def store(part: int) -> None:
        # every worker sends all of them, each in another order
        send(*shared[part * 5 :], *shared[: part * 5])
        connections.close_all()

    workers = [threading.Thread(target=store, args=(n,)) for n in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for who in (dora, emil):
        assert [seq for seq, _ in titles(who)] == list(range(1, 21))
        assert counters(who) == (20, 20)


def test_a_frozen_redis_fails_nothing_and_is_left_alone_for_a_while(dora: Recipient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as frozen, announced_through(frozen.getsockname()[1]):
        announcements.announce([dora.pk], lambda _: Counters().as_json())
        assert connections_to(frozen) > 0
        announcements.announce([dora.pk], lambda _: Counters().as_json())
        assert connections_to(frozen) == 0


def test_a_dead_redis_fails_nothing(dora: Recipient) -> None:
    with announced_through(free_port()):
        announcements.announce([dora.pk], lambda _: Counters().as_json())


def connections_to(server: socket.socket) -> int:
    """Connections that clients have made since the last call."""
    server.setblocking(False)
    count = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            server.accept()[0].close()
            count += 1
    return count


def test_only_watched_inboxes_are_published_to(dora: Recipient, emil: Recipient) -> None:
    client = redis.Redis.from_url(settings.REDIS_URL)
    watcher = client.pubsub()  # type: ignore[no-untyped-call]
    watcher.psubscribe("inbox:*")  # a pattern is no subscription for NUMSUB
    watcher.get_message(timeout=60)
    direct = client.pubsub()  # type: ignore[no-untyped-call]
    direct.subscribe(topic(dora.pk))
    direct.get_message(timeout=60)
    announcements.announce([dora.pk, emil.pk, new_id()], lambda _: Counters(last_seq=1, unread=1).as_json())
    announcement = watcher.get_message(timeout=60)
    assert announcement is not None and announcement["channel"].decode().endswith(dora.pk.hex)
    assert watcher.get_message(timeout=0.2) is None
    for opened in (watcher, direct, client):
        opened.close()


def test_the_later_of_two_counters_is_known_without_a_clock() -> None:
    stored, then_read = Counters(last_seq=5, unread=3), Counters(last_seq=5, revision=1, unread=0)
    assert stored.merged(then_read) == then_read.merged(stored) == then_read
    then_stored = Counters(last_seq=6, revision=1, unread=1)
    assert then_stored.merged(then_read) == then_read.merged(then_stored) == then_stored


def test_the_tests_do_not_connect_as_a_superuser(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT usesuper FROM pg_user WHERE usename = current_user")
        assert cursor.fetchone() == (False,)
