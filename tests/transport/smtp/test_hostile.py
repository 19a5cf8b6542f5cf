"""The SMTP client against servers that refuse, close, drip or say what is not due: each message is answered once, soon,
and truthfully, and no server is stormed with connections."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from notifier.transport.smtp.client import SmtpClient
from notifier.vocabulary.http import Answered, RequestRows, Response, TransportError
from tests.transport.smtp.test_client import BODY, LONG, template

Script = Callable[["Conversation"], None]
RECIPIENTS = [f"r{number}@y.example" for number in range(12)]
SOON = 8.0  #: seconds; far less than the 60 that a message may take


class Conversation:
    """One connection of a client, as the script of a test reads and writes it."""

    def __init__(self, connection: socket.socket, number: int) -> None:
        self.number = number
        self._connection, self._file = connection, connection.makefile("rb")

    def say(self, *lines: str) -> None:
        self._connection.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def drip(self, line: str) -> None:
        for character in f"{line}\r\n":
            self._connection.sendall(character.encode())
            time.sleep(0.001)

    def hear(self) -> str:
        line = self._file.readline()
        if not line:
            raise ConnectionError
        return line.decode().strip()

    def greet(self, *offers: str) -> None:
        self.say("220 scripted ESMTP")
        self.hear()
        self.say(*(f"250-{line}" for line in ("scripted", *offers)), "250 OK")

    def take_messages(self, reply: str = "250 2.0.0 taken", say: Callable[[str], None] | None = None) -> None:
        """Answer every command as a good server would, one at a time."""
        say = say or self.say
        while True:
            match self.hear().split()[0]:
                case "DATA":
                    say("354 go on")
                    while self.hear() != ".":
                        pass
                    say(reply)
                case "QUIT":
                    say("221 bye")
                    return
                case _:
                    say("250 ok")


class Scripted:
    """A server that holds each connection's conversation by a script."""

    def __init__(self, script: Script) -> None:
        self.connections = 0
        self._script = script
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.origin = f"smtp://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._talk, args=(connection, self.connections), daemon=True).start()

    def _talk(self, connection: socket.socket, number: int) -> None:
        with connection:
            try:
                self._script(Conversation(connection, number))
            except OSError:
                return

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def serve() -> Iterator[Callable[[Script], Scripted]]:
    servers: list[Scripted] = []

    def start(script: Script) -> Scripted:
        servers.append(Scripted(script))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def send_soon(
    server: Scripted,
    recipients: list[str] = RECIPIENTS,
    timeout: float = LONG,
    body: bytes = BODY,
    **settings: str,
) -> list[Answered]:
    """The answers in the order of the messages."""
    paths = [f"from@x.example {recipient}".encode() for recipient in recipients]
    batch = SmtpClient().send_batch(
        replace(template(server.origin, **settings), timeout=timeout), RequestRows([body] * len(paths), paths)
    )
    answers: list[Answered] = []
    until = time.monotonic() + SOON
    while batch.left:
        assert time.monotonic() < until, f"{batch.left} messages are not answered"
        answers += batch.take(1)
    assert sorted(index for index, _ in answers) == list(range(len(recipients)))
    return sorted(answers, key=lambda answer: answer[0])


@pytest.mark.parametrize("drips", [False, True])
@pytest.mark.parametrize("offers", [(), ("PIPELINING",)])
@pytest.mark.parametrize("per_connection", [1, 2, 3])
def test_a_connection_that_carried_its_share_answers_all_that_it_was_given(
    serve: Callable[[Script], Scripted], offers: tuple[str, ...], per_connection: int, drips: bool
) -> None:
    carried: list[int] = []

    def script(talk: Conversation) -> None:
        talk.greet(*offers)
        counts = [0]

        def say(line: str) -> None:
            counts[0] += line.startswith("354")
            (talk.drip if drips else talk.say)(line)

        try:
            talk.take_messages(say=say)
        finally:
            carried.append(counts[0])

    answers = send_soon(serve(script), connections="2", per_connection=str(per_connection))
    assert [answer for _, answer in answers] == [200] * len(RECIPIENTS)
    assert max(carried) <= per_connection


def test_a_refused_greeting_is_told_to_every_message_and_not_asked_for_again_and_again(
    serve: Callable[[Script], Scripted],
) -> None:
    server = serve(lambda talk: talk.say("554 5.7.1 your address is listed"))
    answers = send_soon(server)
    assert {answer.status for _, answer in answers if isinstance(answer, Response)} == {554}
    assert len(answers) == len(RECIPIENTS) and server.connections <= 4


def test_a_server_that_closes_at_once_is_not_stormed(serve: Callable[[Script], Scripted]) -> None:
    server = serve(lambda talk: None)
    answers = send_soon(server)
    assert all(isinstance(answer, TransportError) and not answer.begun for _, answer in answers)
    assert server.connections <= 4


def test_connections_that_the_server_has_no_room_for_are_not_tried_again_and_again(
    serve: Callable[[Script], Scripted],
) -> None:
    def script(talk: Conversation) -> None:
        if talk.number > 1:
            talk.say("421 4.7.0 too many connections from your address")
            return
        talk.greet()
        talk.take_messages(say=talk.drip)

    server = serve(script)
    answers = send_soon(server)
    assert [answer for _, answer in answers] == [200] * len(RECIPIENTS)
    assert server.connections <= 8


@pytest.mark.parametrize("reply", ["220 ready", "220 ready\r\n250 injected", "220 ready\r\n421 injected"])
def test_a_server_that_goes_away_at_starttls_gives_its_connection_back(
    serve: Callable[[Script], Scripted], reply: str
) -> None:
    def script(talk: Conversation) -> None:
        talk.greet("STARTTLS")
        assert talk.hear() == "STARTTLS"
        talk.say(reply)

    server = serve(script)
    for _ in range(2):
        answers = send_soon(server, security="starttls", connections="2")
        assert all(isinstance(answer, TransportError) and not answer.begun for _, answer in answers)
        time.sleep(1.1)


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA", "."])
@pytest.mark.parametrize("offers", [(), ("PIPELINING",)])
def test_421_ends_a_connection_that_the_server_leaves_open(
    serve: Callable[[Script], Scripted], offers: tuple[str, ...], stage: str
) -> None:
    def script(talk: Conversation) -> None:
        talk.greet(*offers)
        if talk.number > 1:
            talk.take_messages()
            return
        while True:
            verb = talk.hear().split()[0]
            if verb == stage:
                break
            talk.say("354 go on" if verb == "DATA" else "250 ok")
            if verb == "DATA":
                while talk.hear() != ".":
                    pass
                break
        talk.say("421 4.3.2 going down")
        time.sleep(LONG)

    (_, first), *others = send_soon(serve(script), connections="1")
    if stage == ".":
        assert isinstance(first, TransportError) and first.begun
    else:
        assert isinstance(first, Response) and first.status == 421
    assert [answer for _, answer in others] == [200] * len(others)


def test_a_message_whose_text_was_never_asked_for_was_not_sent(serve: Callable[[Script], Scripted]) -> None:
    def script(talk: Conversation) -> None:
        talk.greet("PIPELINING")
        talk.hear()
        talk.say("250 ok", "250 ok", "250 ok")  # to MAIL, RCPT and DATA, as if a reply were one too many
        time.sleep(1)

    [(_, answer)] = send_soon(serve(script), ["one@y.example"])
    assert isinstance(answer, TransportError)


def test_a_reply_before_the_text_was_written_takes_nothing(serve: Callable[[Script], Scripted]) -> None:
    def script(talk: Conversation) -> None:
        talk.greet("PIPELINING")
        talk.hear()
        talk.say("250 ok", "250 ok", "354 go on", "250 taken")
        time.sleep(1)

    [(_, answer)] = send_soon(serve(script), ["one@y.example"])
    assert isinstance(answer, TransportError)


def test_an_answer_before_noise_counts(serve: Callable[[Script], Scripted]) -> None:
    def script(talk: Conversation) -> None:
        talk.greet()
        for reply in ("250 ok", "250 ok", "354 go on"):
            talk.hear()
            talk.say(reply)
        while talk.hear() != ".":
            pass
        talk.say("250 taken", "noise")

    [(_, answer)] = send_soon(serve(script), ["one@y.example"])
    assert answer == 200


@pytest.mark.parametrize(("sender", "recipient", "stage"), [("a", "jürgen", "rcpt"), ("müller", "b", "mail")])
def test_an_address_outside_of_ascii_is_refused_where_the_server_offers_no_smtputf8(
    serve: Callable[[Script], Scripted], sender: str, recipient: str, stage: str
) -> None:
    heard: list[str] = []

    def script(talk: Conversation) -> None:
        talk.greet("PIPELINING")
        heard.append(talk.hear())

    paths = [f"{sender}@x.example {recipient}@y.example".encode()]
    batch = SmtpClient().send_batch(template(serve(script).origin), RequestRows([BODY], paths))
    [(_, answer)] = batch.take(SOON)
    assert isinstance(answer, Response) and answer.status == 553
    assert (answer.headers["stage"], answer.headers["enhanced"]) == (stage, "5.6.7")
    assert heard == []


@pytest.mark.parametrize("offers", [(), ("PIPELINING",)])
def test_messages_that_wait_behind_others_of_a_slow_server_are_not_given_up(
    serve: Callable[[Script], Scripted], offers: tuple[str, ...]
) -> None:
    def script(talk: Conversation) -> None:
        def say_slowly(line: str) -> None:
            time.sleep(0.3 * line.startswith("250 2.0.0"))
            talk.say(line)

        talk.greet(*offers)
        talk.take_messages(say=say_slowly)

    answers = send_soon(serve(script), timeout=2.0, connections="1")  # 12 messages take 3.6 s
    assert [answer for _, answer in answers] == [200] * len(RECIPIENTS)


@pytest.mark.parametrize("offers", [(), ("PIPELINING",)])
def test_a_large_message_has_the_time_that_a_slow_network_takes(
    serve: Callable[[Script], Scripted], offers: tuple[str, ...]
) -> None:
    def script(talk: Conversation) -> None:
        def say_slowly(line: str) -> None:
            talk.say(line)
            if line.startswith("354"):
                time.sleep(1.5)  # nothing of the body is read meanwhile

        talk.greet(*offers)
        talk.take_messages(say=say_slowly)

    body = b"Subject: Hi\r\n\r\n" + (b"x" * 70 + b"\r\n") * 60_000
    answers = send_soon(serve(script), RECIPIENTS[:2], body=body, timeout=1.0, connections="1")
    assert [answer for _, answer in answers] == [200, 200]


@pytest.mark.parametrize("drips", [False, True])
def test_a_server_that_never_answers_a_message_costs_one_timeout(
    serve: Callable[[Script], Scripted], drips: bool
) -> None:
    def script(talk: Conversation) -> None:
        talk.greet("PIPELINING")
        talk.hear()
        while drips:
            talk.say("250-more")
            time.sleep(0.05)
        time.sleep(LONG)

    answers = send_soon(serve(script), timeout=1.0, connections="1")
    assert all(isinstance(answer, TransportError) and not answer.begun for _, answer in answers)


def test_a_server_that_ends_every_connection_at_the_first_message_is_not_stormed(
    serve: Callable[[Script], Scripted],
) -> None:
    def script(talk: Conversation) -> None:
        talk.greet("PIPELINING")
        talk.hear()
        talk.say("421 4.7.0 come back later")

    server = serve(script)
    answers = send_soon(server, timeout=2.0, connections="2")
    assert not any(answer == 200 or getattr(answer, "begun", False) for _, answer in answers)
    assert server.connections <= 8
