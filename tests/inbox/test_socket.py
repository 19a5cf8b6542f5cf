"""The socket, with a real web process, a real channel layer and the database role `web`."""

from __future__ import annotations

import contextlib
import json
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta

import pytest
import redis
from django.conf import settings
from django.db import connections
from django.utils import timezone
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from inbox.store import announcements
from inbox.store.changes import act, read_up_to
from inbox.store.snoozes import wake_due
from inbox.tokens import mint
from tenants.models import Recipient, Tenant
from tests.inbox.conftest import message, send
from tests.inbox.web import Socket, Web

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _without_a_pause() -> Iterator[None]:
    announcements.reset()
    yield
    announcements.reset()


def test_missed_messages_come_first_and_then_new_ones(web: Web, dora: Recipient) -> None:
    send(*[message(dora, str(n)) for n in range(1, 251)])
    with Socket(web, mint(dora)[0], after_seq=5) as inbox:
        ready = inbox.receive("ready")
        assert (ready["last_seq"], ready["unread"]) == (250, 250)
        assert inbox.seqs(up_to=250) == list(range(6, 251))
        send(message(dora, "now", body="Body", link="https://example.com/x"))
        frame = inbox.receive("messages")
        assert [(m["seq"], m["title"], m["link"]) for m in frame["messages"]] == [(251, "now", "https://example.com/x")]
        assert (frame["last_seq"], frame["unread"]) == (251, 251)


def test_without_after_seq_only_new_messages_come(web: Web, dora: Recipient) -> None:
    send(message(dora, "old"))
    with Socket(web, mint(dora)[0]) as inbox:
        inbox.receive("ready")
        send(message(dora, "new"))
        assert inbox.seqs(up_to=2) == [2]


def test_the_token_may_come_as_a_subprotocol(web: Web, dora: Recipient) -> None:
    send(message(dora))
    uri = f"ws://127.0.0.1:{web.port}/v1/inbox/live"
    protocols = ["notifier.inbox", mint(dora)[0]]
    with connect(uri, subprotocols=protocols) as socket:  # type: ignore[arg-type]
        assert socket.subprotocol == "notifier.inbox"
        socket.send('{"type": "hello", "after_seq": 0}')
        assert json.loads(socket.recv(timeout=30))["type"] == "ready"


def test_no_message_is_lost_or_repeated_while_messages_are_stored_during_the_hello(web: Web, dora: Recipient) -> None:
    def store() -> None:
        for n in range(60):
            send(*[message(dora, f"{n}.{part}") for part in range(5)])
        connections.close_all()

    token = mint(dora)[0]
    storing = threading.Thread(target=store)
    storing.start()
    with Socket(web, token, after_seq=0) as early, Socket(web, token, after_seq=0) as twin:
        assert early.seqs(up_to=300) == list(range(1, 301))
        assert twin.seqs(up_to=300) == list(range(1, 301))
    storing.join()


def test_a_lost_announcement_is_noticed_at_the_next_one(web: Web, dora: Recipient) -> None:
    with Socket(web, mint(dora)[0], after_seq=0) as inbox:
        inbox.receive("heartbeat")  # the early check is over
        announcements.pause(float("inf"))
        send(message(dora, "not announced"))
        announcements.reset()
        send(message(dora, "announced"))
        assert inbox.seqs(up_to=2) == [1, 2]


def test_a_lost_announcement_is_noticed_at_a_heartbeat(web: Web, dora: Recipient) -> None:
    with Socket(web, mint(dora)[0], after_seq=0) as inbox:
        inbox.receive("heartbeat")
        announcements.pause(float("inf"))
        send(message(dora, "not announced"))
        assert inbox.seqs(up_to=1) == [1]


def test_a_socket_whose_connection_to_redis_broke_subscribes_again(web: Web, dora: Recipient) -> None:
    with Socket(web, mint(dora)[0], after_seq=0) as inbox:
        inbox.receive("heartbeat")
        client = redis.Redis.from_url(settings.REDIS_URL)
        topic = announcements.topic(dora.pk)
        client.client_kill_filter(_type="pubsub")
        while not client.pubsub_numsub(topic)[0][1]:
            time.sleep(0.05)
        send(message(dora, "after"))
        assert inbox.seqs(up_to=1) == [1]
        client.close()


def test_a_read_mark_of_one_tab_is_shown_in_another(web: Web, dora: Recipient) -> None:
    send(message(dora, "1"), message(dora, "2"))
    token = mint(dora)[0]
    with Socket(web, token) as one, Socket(web, token) as other:
        one.receive("ready")
        other.receive("ready")
        one.send(type="read", up_to_seq=1)
        frame = other.receive("unread")
        assert (frame["unread"], frame["read"]) == (1, {"up_to_seq": 1})
        read_up_to(dora.pk, 2, now=timezone.now())
        while one.receive("unread")["unread"]:
            pass
        assert other.receive("unread")["read"] == {"up_to_seq": 2}


def test_a_large_message_is_sent_too(web: Web, dora: Recipient) -> None:
    with Socket(web, mint(dora)[0], after_seq=0) as inbox:
        inbox.receive("ready")
        send(message(dora, "large", body="x" * 100_000))
        assert len(inbox.receive("messages")["messages"][0]["body"]) == 100_000


def test_other_recipients_get_no_message(web: Web, dora: Recipient, emil: Recipient, zoe: Recipient) -> None:
    with Socket(web, mint(emil)[0], after_seq=0) as emils, Socket(web, mint(zoe)[0], after_seq=0) as zoes:
        emils.receive("ready")
        zoes.receive("ready")
        send(message(dora, "for Dora"))
        send(message(emil, "for Emil"), message(zoe, "for Zoe"))
        assert emils.receive("messages")["messages"][0]["title"] == "for Emil"
        assert zoes.receive("messages")["messages"][0]["title"] == "for Zoe"


def test_the_socket_closes_when_the_token_expires(web: Web, dora: Recipient) -> None:
    with Socket(web, mint(dora, ttl_seconds=3)[0]) as inbox:
        inbox.receive("ready")
        assert inbox.close_code() == 4410


def test_the_socket_of_an_erased_recipient_closes_at_the_next_check(web: Web, dora: Recipient) -> None:
    with Socket(web, mint(dora)[0]) as inbox:
        inbox.receive("ready")
        Recipient.objects.filter(pk=dora.pk).update(status=Recipient.State.ERASED)
        assert inbox.close_code(seconds=60) == 4401


def test_a_bad_token_is_refused(web: Web, dora: Recipient) -> None:
    forged = mint(dora)[0][:-4] + "AAAA"
    with Socket(web, forged) as inbox:
        assert inbox.close_code() == 4401


def test_a_socket_without_a_hello_in_time_is_closed(web: Web) -> None:
    with Socket(web) as silent:
        assert silent.close_code() == 4408


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("no json", 4400),
        ("[]", 4400),
        ("{}", 4400),
        ('{"type": "ping"}', 4400),
        ('{"type": "read", "up_to_seq": 1}', 4400),
        ('{"type": "hello"}', 4401),
        ('{"type": "hello", "token": 7}', 4401),
        ('{"type": "hello", "token": "x", "after_seq": -1}', 4400),
        ('{"type": "hello", "token": "x", "after_seq": "1"}', 4400),
        ('{"type": "hello", "token": "x", "after_seq": 9223372036854775808}', 4400),
        (b"\x00", 4400),
        ('{"type": "' + "x" * 20_000 + '"}', 1009),
        ("\ud7ff" * 8_000, 1009),
    ],
)
def test_hostile_first_frames_close_the_socket(web: Web, frame: str | bytes, code: int) -> None:
    with Socket(web) as hostile:
        hostile.connection.send(frame)
        assert hostile.close_code() == code


@pytest.mark.parametrize("up_to", [-1, "1", 1.5, None, 2**63, True])
def test_a_malformed_read_mark_closes_the_socket(web: Web, dora: Recipient, up_to: object) -> None:
    with Socket(web, mint(dora)[0]) as inbox:
        inbox.receive("ready")
        inbox.send(type="read", up_to_seq=up_to)
        assert inbox.close_code() == 4400


def test_too_many_frames_close_the_socket(web: Web, dora: Recipient) -> None:
    with Socket(web, mint(dora)[0]) as inbox:
        inbox.receive("ready")
        with contextlib.suppress(ConnectionClosed):
            for _ in range(200):
                inbox.send(type="ping")
        assert inbox.close_code() == 4429


def test_pings_are_answered(web: Web, dora: Recipient) -> None:
    with Socket(web, mint(dora)[0]) as inbox:
        inbox.receive("ready")
        inbox.send(type="ping")
        assert inbox.receive("pong")


def test_an_inbox_has_a_limit_of_sockets(web: Web, dora: Recipient) -> None:
    token = mint(dora)[0]
    sockets = [Socket(web, token) for _ in range(20)]
    for inbox in sockets:
        inbox.receive("ready")
    with Socket(web, token) as one_more:
        assert one_more.close_code() == 4429
    for inbox in sockets:
        inbox.close()


def test_a_token_of_an_inactive_tenant_is_refused(web: Web, dora: Recipient) -> None:
    token = mint(dora)[0]
    Tenant.objects.filter(pk=dora.tenant_id).update(active=False)
    with Socket(web, token) as inbox:
        assert inbox.close_code() == 4401


def test_a_sequence_number_beyond_the_newest_is_taken_as_the_newest(web: Web, dora: Recipient) -> None:
    with Socket(web, mint(dora)[0], after_seq=10**9) as inbox:
        assert inbox.receive("ready")["last_seq"] == 0
        send(message(dora, str(uuid.uuid4())))
        assert inbox.seqs(up_to=1) == [1]


# -- requests and changes ----------------------------------------------------------------------------------------------


def test_a_change_over_one_socket_is_shown_on_another_and_after_a_reconnect(web: Web, dora: Recipient) -> None:
    first, second = message(dora, "1"), message(dora, "2")
    send(first, second)
    token = mint(dora)[0]
    with Socket(web, token) as one, Socket(web, token) as other:
        resume = one.receive("ready")["after_revision"]
        other.receive("ready")
        one.send(type="change", id=str(first.envelope.delivery_id), do="archive")
        for inbox in (one, other):
            frame = inbox.receive("changes")
            assert [(m["seq"], m["state"]) for m in frame["changes"]] == [(1, "archived")]
            assert (frame["unread"], frame["after_revision"]) == (1, resume + 1)
        one.send(type="seen", up_to_seq=2)
        assert other.receive("unread")["unseen"] == 0
    act(dora.pk, second.envelope.delivery_id, "delete", now=timezone.now())
    with Socket(web, token, after_seq=2, after_revision=resume) as again:
        frame = again.receive("changes")
        assert [(m["seq"], m["state"], m["title"]) for m in frame["changes"]] == [
            (1, "archived", "1"),
            (2, "deleted", ""),
        ]
        assert (frame["unread"], frame["unseen"]) == (0, 0)


def test_a_client_that_missed_too_many_changes_is_told_to_list_anew(web: Web, dora: Recipient) -> None:
    send(*[message(dora, str(n)) for n in range(150)])
    read_up_to(dora.pk, 150, now=timezone.now())
    with Socket(web, mint(dora)[0], after_seq=150, after_revision=0) as inbox:
        frame = inbox.receive("changes", "reload")
        assert (frame["type"], frame["unread"], frame["after_revision"]) == ("reload", 0, 1)


def test_a_change_whose_announcement_was_lost_is_noticed(web: Web, dora: Recipient) -> None:
    sent = message(dora, "1")
    send(sent)
    with Socket(web, mint(dora)[0]) as inbox:
        inbox.receive("heartbeat")
        announcements.pause(float("inf"))
        act(dora.pk, sent.envelope.delivery_id, "archive", now=timezone.now())
        announcements.reset()
        assert inbox.receive("changes")["changes"][0]["state"] == "archived"


def test_a_snoozed_message_comes_back_as_the_newest(web: Web, dora: Recipient) -> None:
    sent = message(dora, "1")
    send(sent, message(dora, "2"))
    now = timezone.now()
    with Socket(web, mint(dora)[0], after_seq=2) as inbox:
        inbox.receive("ready")
        until = (now + timedelta(minutes=5)).isoformat()
        inbox.send(type="change", id=str(sent.envelope.delivery_id), do="snooze", until=until)
        assert inbox.receive("changes")["unread"] == 1
        assert wake_due(now + timedelta(minutes=4)) == 0
        assert wake_due(now + timedelta(minutes=6)) == 1
        frame = inbox.receive("messages")
        assert [(m["seq"], m["title"], m["state"]) for m in frame["messages"]] == [(3, "1", "unread")]
        assert (frame["unread"], frame["unseen"]) == (2, 2)


def test_a_list_and_an_error_are_answered_with_the_clients_number(web: Web, dora: Recipient, emil: Recipient) -> None:
    sent = message(dora, "A parcel")
    send(sent, message(dora, "2"))
    with Socket(web, mint(dora)[0]) as inbox, Socket(web, mint(emil)[0]) as strangers:
        inbox.receive("ready")
        strangers.receive("ready")
        inbox.send(type="list", request=7, q="PARCEL", state="unread")
        frame = inbox.receive("list")
        assert (frame["request"], [m["seq"] for m in frame["messages"]], frame["more"]) == (7, [1], False)
        for request, field in (
            ({"type": "list", "state": "open"}, "state"),
            ({"type": "list", "q": "x" * 201}, "q"),
            ({"type": "list", "q": 5}, "q"),
            ({"type": "list", "nope": 5}, "nope"),
            ({"type": "list", "category": "nope"}, "category"),
            ({"type": "change", "id": "x", "do": "read"}, "id"),
            ({"type": "change", "id": str(uuid.uuid4()), "do": "read"}, "id"),
            ({"type": "change", "id": str(sent.envelope.delivery_id), "do": ["read"]}, "do"),
            ({"type": "change", "id": str(sent.envelope.delivery_id), "do": "read", "until": None}, "until"),
            ({"type": "change", "id": str(sent.envelope.delivery_id), "do": "snooze"}, "until"),
            ({"type": "change", "id": {"a": 1}, "do": "snooze"}, "id"),
        ):
            inbox.send(request="r", **request)
            answer = inbox.receive("error")
            assert (answer["request"], answer["field"]) == ("r", field)
        strangers.send(type="change", id=str(sent.envelope.delivery_id), do="delete")
        assert strangers.receive("error")["code"] == "not_found"


@pytest.mark.parametrize("frame", [{"type": "list", "request": {}}, {"type": "seen"}, {"type": "drop"}, {"type": 5}])
def test_a_frame_that_is_no_request_closes_the_socket(web: Web, dora: Recipient, frame: dict[str, object]) -> None:
    with Socket(web, mint(dora)[0]) as inbox:
        inbox.receive("ready")
        inbox.send(**frame)
        assert inbox.close_code() == 4400
