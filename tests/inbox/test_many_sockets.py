"""Many sockets of one process: checked together, each by its own tenant's secret and with its own counters; and what
clients do when their process is killed."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

import pytest
from django.db import connections

from inbox.store import announcements
from inbox.tokens import PURPOSE, mint, signing_secret
from notifier.encryption import seal
from tenants.models import Recipient, Tenant
from tests.fixtures import People
from tests.inbox.conftest import message, send
from tests.inbox.web import Socket, Web

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _without_a_pause() -> Iterator[None]:
    announcements.reset()
    yield
    announcements.reset()


def rotate_secret(tenant: Tenant) -> None:
    Tenant.objects.filter(pk=tenant.pk).update(inbox_secret=seal(tenant.pk, PURPOSE, b"n" * 32))


def test_a_rotated_secret_closes_the_tenants_sockets_within_a_heartbeat(
    web: Web, dora: Recipient, zoe: Recipient
) -> None:
    with Socket(web, mint(dora)[0]) as doras, Socket(web, mint(zoe)[0]) as zoes:
        doras.receive("ready")
        zoes.receive("ready")
        rotate_secret(dora.tenant)
        assert doras.close_code() == 4401
        assert zoes.receive("heartbeat")


def test_a_secret_that_is_only_encrypted_anew_closes_no_socket(web: Web, dora: Recipient) -> None:
    with Socket(web, mint(dora)[0]) as inbox:
        inbox.receive("ready")
        tenant = Tenant.objects.get(pk=dora.tenant_id)
        Tenant.objects.filter(pk=tenant.pk).update(inbox_secret=seal(tenant.pk, PURPOSE, signing_secret(tenant.pk)))
        inbox.receive("heartbeat")
        assert inbox.receive("heartbeat")


def test_an_inactive_tenant_loses_its_sockets_within_a_heartbeat(web: Web, dora: Recipient, zoe: Recipient) -> None:
    with Socket(web, mint(dora)[0]) as doras, Socket(web, mint(zoe)[0]) as zoes:
        doras.receive("ready")
        zoes.receive("ready")
        Tenant.objects.filter(pk=dora.tenant_id).update(active=False)
        assert doras.close_code() == 4401
        assert zoes.receive("heartbeat")


def test_sockets_of_two_tenants_that_are_checked_together_get_their_own_counters(web: Web, people: People) -> None:
    recipients = [
        Recipient.objects.create(tenant=tenant, external_id=f"many-{n}")
        for n in range(6)
        for tenant in (people.acme, people.globex)
    ]
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(Socket(web, mint(recipient)[0], after_seq=0)) for recipient in recipients]
        for inbox in sockets:
            inbox.receive("ready")
        announcements.pause(float("inf"))  # only the check finds the messages
        for n, recipient in enumerate(recipients):
            send(*[message(recipient, f"{recipient.tenant.slug} {recipient.external_id}") for _ in range(n + 1)])
        for n, (inbox, recipient) in enumerate(zip(sockets, recipients, strict=True)):
            frame = inbox.receive("messages")
            titles = {m["title"] for m in frame["messages"]}
            assert titles == {f"{recipient.tenant.slug} {recipient.external_id}"}
            assert (frame["last_seq"], frame["unread"]) == (n + 1, n + 1)


def test_a_token_opens_no_inbox_of_another_tenant_that_says_hello_at_the_same_time(
    web: Web, dora: Recipient, zoe: Recipient
) -> None:
    """The hellos share a transaction, whose scope shows both tenants."""
    tokens = [mint(dora)[0], mint(zoe)[0]] * 5
    forged = [token[:-4] + "AAAA" for token in tokens]
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(Socket(web)) for _ in range(20)]
        for inbox, token in zip(sockets, tokens + forged, strict=True):
            inbox.send(type="hello", token=token, after_seq=0)
        assert [inbox.close_code() for inbox in sockets[10:]] == [4401] * 10
        send(message(dora, "for Dora"), message(zoe, "for Zoe"))
        titles = [inbox.receive("messages")["messages"][0]["title"] for inbox in sockets[:10]]
        assert titles == ["for Dora", "for Zoe"] * 5


def test_a_tenants_broken_secret_fails_no_hello_of_another_tenant(web: Web, dora: Recipient, zoe: Recipient) -> None:
    """The hellos share a transaction."""
    tokens = [mint(dora)[0], mint(zoe)[0]] * 10
    Tenant.objects.filter(pk=zoe.tenant_id).update(inbox_secret=b"no key opens this secret" * 3)
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(Socket(web)) for _ in tokens]
        for inbox, token in zip(sockets, tokens, strict=True):
            inbox.send(type="hello", token=token)
        for doras, zoes in zip(sockets[::2], sockets[1::2], strict=True):
            assert doras.receive("ready")
            assert zoes.close_code() == 1011


def test_a_client_that_reads_nothing_holds_no_other_socket_up_and_misses_nothing(
    web: Web, dora: Recipient, emil: Recipient
) -> None:
    """6 MB do not fit into the buffers of a connection, nor into what waits for a slow socket."""
    with Socket(web, mint(dora)[0], after_seq=0) as slow, Socket(web, mint(emil)[0], after_seq=0) as quick:
        quick.receive("ready")
        for _ in range(20):
            send(*[message(dora, "large", body="x" * 30_000) for _ in range(10)])
        send(message(emil, "small"))
        assert quick.receive("messages")["messages"][0]["title"] == "small"
        assert slow.seqs(up_to=200) == list(range(1, 201))


def test_the_server_tells_over_which_time_its_clients_spread_their_reconnects(web: Web, dora: Recipient) -> None:
    with Socket(web, mint(dora)[0]) as inbox:
        assert inbox.receive("ready")["reconnect_within"] >= 1
        assert inbox.receive("heartbeat")["reconnect_within"] >= 1


def test_clients_of_a_killed_process_resume_without_a_gap_and_without_a_double(dora: Recipient) -> None:
    web = Web()
    storing = threading.Event()

    def store() -> None:
        while not storing.is_set():
            send(message(dora, "one"), message(dora, "two"))
            time.sleep(0.01)
        connections.close_all()

    thread = threading.Thread(target=store)
    thread.start()
    seqs: list[int] = []
    try:
        for _ in range(3):
            with Socket(web, mint(dora)[0], after_seq=seqs[-1] if seqs else 0) as inbox:
                seqs += inbox.seqs(up_to=len(seqs) + 20)
                web.process.kill()
                web.process.wait()
            web.start()
    finally:
        storing.set()
        thread.join()
        web.stop()
    assert seqs == list(range(1, len(seqs) + 1))
