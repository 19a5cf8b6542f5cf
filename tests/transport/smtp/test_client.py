"""The SMTP client against servers that we did not write (aiosmtpd, Postfix's smtp-sink) and the sandbox's."""

from __future__ import annotations

import asyncio
import email
import email.policy
import os
import shutil
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from notifier.local.servers.ports import free_port
from notifier.transport.smtp.client import SmtpClient
from notifier.vocabulary.http import (
    WITHDRAWN,
    Answered,
    Request,
    RequestRows,
    RequestTemplate,
    Response,
    TransportError,
    Withdrawal,
)

BODY = b"From: a@x.example\r\nTo: b@y.example\r\nSubject: hello\r\n\r\nline\r\n.dot\r\n"
LONG = 60.0
SINK = shutil.which("smtp-sink") or shutil.which("smtp-sink", path="/usr/sbin")


class Inbox:
    """An aiosmtpd handler that keeps what it is given."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, str, bytes]] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        self.kept.append((envelope.mail_from or "", envelope.rcpt_tos[0], content))
        return "250 2.0.0 kept"


@pytest.fixture
def inbox() -> Iterator[tuple[Inbox, str]]:
    """aiosmtpd announces no PIPELINING: one command at a time."""
    handler = Inbox()
    controller = Controller(handler, hostname="127.0.0.1", port=free_port(), enable_SMTPUTF8=True)
    controller.start()
    yield handler, f"smtp://127.0.0.1:{controller.port}"
    controller.stop()


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[str]:
    """Postfix's smtp-sink: pipelines, keeps nothing."""
    if SINK is None:
        pytest.skip("smtp-sink (Debian: postfix) is not installed")
    port = free_port()
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    process = subprocess.Popen([SINK, *user, f"127.0.0.1:{port}", "100"], stderr=subprocess.PIPE)
    wait_for_port(port)
    yield f"smtp://127.0.0.1:{port}"
    process.kill()
    process.wait()


def wait_for_port(port: int) -> None:
    until = time.monotonic() + LONG
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("it does not listen")


def template(origin: str, **settings: str) -> RequestTemplate:
    return RequestTemplate("MAIL", origin, "", tuple({"security": "none", **settings}.items()), LONG)


def send(client: SmtpClient, shared: RequestTemplate, recipients: list[str], body: bytes = BODY) -> list[Answered]:
    paths = [f"from@x.example {recipient}".encode() for recipient in recipients]
    batch = client.send_batch(shared, RequestRows([body] * len(paths), paths))
    answers: list[Answered] = []
    while batch.left:
        answers += batch.take(LONG)
    assert sorted(index for index, _ in answers) == list(range(len(recipients)))
    return answers


def test_a_server_that_we_did_not_write_gets_the_message_as_it_is(inbox: tuple[Inbox, str]) -> None:
    handler, origin = inbox
    answers = send(SmtpClient(), template(origin), ["one@y.example", "jürgen@y.example"])
    assert sorted(answers) == [(0, 200), (1, 200)]
    assert sorted(handler.kept) == [
        ("from@x.example", "jürgen@y.example", BODY),
        ("from@x.example", "one@y.example", BODY),
    ]
    assert email.message_from_bytes(handler.kept[0][2], policy=email.policy.SMTP)["Subject"] == "hello"


def test_a_whole_answer_tells_the_servers_words(inbox: tuple[Inbox, str]) -> None:
    _, origin = inbox
    url = f"{origin}/{quote('from@x.example to@y.example')}"
    answers = [
        answer
        for batch in SmtpClient().exchange([Request("MAIL", url, (("security", "none"),), BODY)])
        for answer in batch
    ]
    assert answers == [(0, Response(250, {"stage": "body", "enhanced": "2.0.0"}, b"2.0.0 kept"))]


def test_thousands_leave_over_a_few_connections(sink: str) -> None:
    recipients = [f"r{number}@y.example" for number in range(3_000)]
    answers = send(SmtpClient(), template(sink, connections="3", per_connection="100"), recipients)
    assert Counter(answer for _, answer in answers) == {200: 3_000}


def test_a_server_that_is_not_there_refuses_all_before_anything_began() -> None:
    answers = send(SmtpClient(), template(f"smtp://127.0.0.1:{free_port()}"), ["one@y.example", "two@y.example"])
    assert all(isinstance(answer, TransportError) and not answer.begun for _, answer in answers)


def test_an_exchange_can_be_withdrawn_by_another_thread_while_the_server_is_slow() -> None:
    begun, go_on = threading.Event(), threading.Event()

    class Slow(Inbox):
        async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
            begun.set()
            await asyncio.to_thread(go_on.wait, LONG)
            return await super().handle_DATA(server, session, envelope)

    handler = Slow()
    controller = Controller(handler, hostname="127.0.0.1", port=free_port())
    controller.start()
    headers = (("security", "none"), ("connections", "2"))
    origin = f"smtp://127.0.0.1:{controller.port}"
    requests = [
        Request("MAIL", f"{origin}/{quote(f'from@x.example r{n}@y.example')}", headers, BODY, LONG) for n in range(20)
    ]
    withdrawal, answers = Withdrawal(), dict[int, Response | TransportError]()
    sending = threading.Thread(
        target=lambda: [answers.update(some) for some in SmtpClient().exchange(requests, withdrawal)]
    )
    sending.start()
    assert begun.wait(LONG)
    withdrawal.request()
    go_on.set()
    sending.join(LONG)
    controller.stop()
    sent = [index for index, answer in answers.items() if isinstance(answer, Response)]
    assert len(answers) == 20 and len(sent) == len(handler.kept) <= 2
    assert {answer for index, answer in answers.items() if index not in sent} == {WITHDRAWN}


def test_what_was_withdrawn_is_never_sent(inbox: tuple[Inbox, str]) -> None:
    handler, origin = inbox
    paths = [f"from@x.example r{number}@y.example".encode() for number in range(500)]
    batch = SmtpClient().send_batch(template(origin, connections="1"), RequestRows([BODY] * 500, paths))
    batch.withdraw()
    answers: list[Answered] = []
    while batch.left:
        answers += batch.take(LONG)
    sent = [index for index, answer in answers if answer == 200]
    assert len(sent) == len(handler.kept) < 500
    assert {answer for index, answer in answers if index not in set(sent)} == {TransportError(False, "withdrawn")}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("from@x.example to@y.example>\r\nRCPT TO:<spy@z.example", BODY),
        ("from@x.example", BODY),
        ("from@x.example to@y.example", b"a bare line feed\n.\n"),
        ("from@x.example to@y.example", b"a bare carriage return\r.\r\n"),
    ],
)
def test_what_could_smuggle_a_second_message_is_not_sent(inbox: tuple[Inbox, str], path: str, body: bytes) -> None:
    handler, origin = inbox
    batch = SmtpClient().send_batch(template(origin), RequestRows([body], [path.encode()]))
    [(_, answer)] = batch.take(LONG)
    if isinstance(answer, Response):  # the recipient's address is at fault, for good
        assert (answer.status, answer.headers["stage"]) == (553, "rcpt") and b"cannot be sent: " in answer.body
    else:
        assert isinstance(answer, TransportError) and not answer.begun and answer.detail.startswith("cannot be sent: ")
    assert handler.kept == []
