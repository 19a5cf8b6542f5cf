"""Redis stops and comes back: messages are stored, and open sockets get them without being opened again."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from inbox.store import announcements
from inbox.tokens import mint
from notifier.local.servers import binaries
from notifier.local.servers.ports import free_port
from notifier.vocabulary.verdicts import Sent
from tenants.models import Recipient
from tests.inbox.conftest import announced_through, message, send
from tests.inbox.web import Socket, Web

pytestmark = pytest.mark.django_db(transaction=True)


class Valkey:
    """A server of this test, which may kill it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.client = redis.Redis(port=self.port)
        self.start()

    def start(self) -> None:
        argv = [str(binaries.valkey_server()), "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self.process = subprocess.Popen(argv, cwd=self.folder, stdout=subprocess.DEVNULL)
        while not self.answers():
            time.sleep(0.05)

    def answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.RedisError:
            return False

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def wait_for_watchers(self, recipient: Recipient, count: int) -> None:
        topic = announcements.topic(recipient.pk)
        while self.client.pubsub_channels(topic) != [topic.encode()][:count]:
            time.sleep(0.05)


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    server = Valkey(tmp_path)
    with announced_through(server.port):
        yield server
    server.kill()


def test_open_and_new_sockets_survive_a_restart_of_redis(dora: Recipient, valkey: Valkey) -> None:
    web = Web(f"redis://127.0.0.1:{valkey.port}/0")
    token = mint(dora)[0]
    with contextlib.closing(web), Socket(web, token, after_seq=0) as early:
        early.receive("heartbeat")
        valkey.kill()
        assert send(message(dora, "1")) == [Sent(final=True)]
        assert early.seqs(up_to=1) == [1]  # found by a heartbeat
        with Socket(web, token, after_seq=0) as late:
            assert late.seqs(up_to=1) == [1]
            assert send(message(dora, "2")) == [Sent(final=True)]
            assert late.seqs(up_to=2) == early.seqs(up_to=2) == [2]
            valkey.start()
            announcements.reset()  # the pause is over
            valkey.wait_for_watchers(dora, 1)
            send(message(dora, "3"))
            assert late.seqs(up_to=3) == early.seqs(up_to=3) == [3]
