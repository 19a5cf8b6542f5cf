"""The counters of an inbox equal a count of its messages, after any acts, in any number of threads at once."""

from __future__ import annotations

import random
import threading
import uuid
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inbox.models import Feed, InboxMessage, State
from inbox.store import changes, feed
from inbox.store.changes import ACTS
from inbox.store.counters import Counters
from inbox.store.snoozes import wake_due
from notifier.errors import NotFound
from tenants.models import Recipient
from tests.inbox.conftest import message, send

CATEGORIES = ("news", "orders", "")
SNOOZE = timedelta(hours=1)


def counted(recipient: Recipient) -> Counters:
    """The counters as the messages themselves have them."""
    row = Feed.objects.get(recipient_id=recipient.pk)
    unread = InboxMessage.objects.filter(recipient_id=recipient.pk, state=State.UNREAD)
    of = Counter(unread.values_list("category", flat=True))
    unseen = Counter(unread.filter(seq__gt=row.seen_seq).values_list("category", flat=True))
    by_category = {name: (count, unseen[name]) for name, count in of.items()}
    return Counters(row.last_seq, row.revision, row.seen_seq, of.total(), unseen.total(), by_category)


#: what one step does, which message it is about, and which category
steps = st.lists(
    st.tuples(
        st.sampled_from([*ACTS, "store", "store", "read all", "read category", "see all", "see some", "wake"]),
        st.integers(0, 30),
        st.sampled_from(CATEGORIES),
    ),
    max_size=25,
)


def step(recipient: Recipient, name: str, number: int, category: str) -> None:
    now = timezone.now()
    ids = list(InboxMessage.objects.filter(recipient_id=recipient.pk).order_by("pk").values_list("pk", flat=True))
    last_seq = feed.counters(recipient.pk).last_seq
    if name == "store":
        send(message(recipient, category=category), message(recipient, category="news"))
    elif name == "read all":
        changes.read_up_to(recipient.pk, number, now=now)
    elif name == "read category":
        changes.read_up_to(recipient.pk, number, now=now, category=category)
    elif name == "see all":
        changes.see_up_to(recipient.pk, last_seq)
    elif name == "see some":
        changes.see_up_to(recipient.pk, number)
    elif name == "wake":
        wake_due(now + SNOOZE * 2)
    elif ids:
        act(recipient, ids[number % len(ids)], name)


def act(recipient: Recipient, message_id: uuid.UUID, name: str) -> None:
    now = timezone.now()
    until = now + SNOOZE if name == "snooze" else None
    try:
        changes.act(recipient.pk, message_id, name, now=now, until=until)
    except NotFound:
        assert InboxMessage.objects.get(pk=message_id).state == State.DELETED


@given(plan=steps)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.django_db
def test_the_counters_never_drift(dora: Recipient, plan: list[tuple[str, int, str]]) -> None:
    with transaction.atomic():
        send(message(dora))
        before = feed.counters(dora.pk)
        for name, number, category in plan:
            step(dora, name, number, category)
            after = feed.counters(dora.pk)
            assert after == counted(dora)
            assert after.merged(before) == after
            before = after
        transaction.set_rollback(True)


@pytest.mark.django_db(transaction=True)
def test_the_counters_are_exact_while_eight_threads_do_what_they_like(dora: Recipient) -> None:
    send(*[message(dora, category=CATEGORIES[n % 3]) for n in range(20)])
    names = [*ACTS, "store", "read all", "read category", "see all", "see some", "wake"]
    failures: list[BaseException] = []

    def work(seed: int) -> None:
        chance = random.Random(seed)
        try:
            for _ in range(40):
                step(dora, chance.choice(names), chance.randrange(60), chance.choice(CATEGORIES))
        except BaseException as error:
            failures.append(error)
        connections.close_all()

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert feed.counters(dora.pk) == counted(dora)
    seqs = list(InboxMessage.objects.filter(recipient_id=dora.pk).values_list("seq", flat=True))
    assert len(seqs) == len(set(seqs))


_MANY = """
INSERT INTO inbox_inboxmessage (id, tenant_id, recipient_id, seq, category, title, body, link, data, created_at)
SELECT (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint), 12, '0') || '70008000'
        || lpad(to_hex(n), 12, '0'))::uuid, %s, %s, n, 'news', 'A title', '', '', '{}', now()
FROM generate_series(2, 12000) n
"""


@pytest.mark.django_db
def test_one_request_marks_a_bounded_number_of_messages_as_read(dora: Recipient) -> None:
    send(message(dora))
    with connection.cursor() as cursor:
        cursor.execute(_MANY, [dora.tenant_id, dora.pk])
    counts = {"unread": 12_000, "unseen": 12_000, "by_category": {"news": [12_000, 12_000]}}
    Feed.objects.filter(recipient_id=dora.pk).update(last_seq=12_000, **counts)
    first = changes.read_up_to(dora.pk, 12_000, now=timezone.now(), category="news")
    assert (first.counters.unread, first.change) == (2_000, {})
    assert first.counters == counted(dora)
    second = changes.read_up_to(dora.pk, 12_000, now=timezone.now())
    assert (second.counters.unread, second.change) == (0, {"read": {"up_to_seq": 12_000}})
    assert second.counters == counted(dora)
