"""The conversation as a function: every message gets its own answer, once, however replies arrive."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.transport.smtp.connection import Connection, Mail, Security
from notifier.transport.smtp.login import Login
from notifier.vocabulary.http import Response, TransportError
from tests.transport.smtp.model import FAULTS, OFFERS, Server

BODY = b"Subject: hello\r\n\r\n.a dot\r\n..two\r\n\r\n.\r\nthe end\r\n"
Answers = dict[Any, Response | TransportError]


def mail(slot: int, fate: str = "ok", body: bytes = BODY) -> Mail:
    sender = "sender@x.example" if fate == "sender" else "from@x.example"
    return Mail(slot, sender, f"{fate}+{slot}@y.example", body, timeout=1_000.0)


def talk(connection: Connection, server: Server, mails: list[Mail], dice: random.Random | None = None) -> Answers:
    """Until nothing is said any more. `dice`: bytes arrive in pieces of random sizes."""
    dice = dice or random.Random(0)
    answers: Answers = {}
    waiting, incoming = list(mails), server.greeting()
    while incoming or (connection.room > 0 and waiting):
        piece = dice.randint(1, max(1, len(incoming)))
        for mail, answer in connection.receive(incoming[:piece]):
            assert mail.slot not in answers
            answers[mail.slot] = answer
        incoming = incoming[piece:]
        while waiting and connection.room > 0:
            connection.begin([waiting.pop(0)])
        incoming += server.receive(connection.data_to_send())
    if server.closed or connection.closed:
        for mail, answer in connection.lost("closed"):
            assert mail.slot not in answers
            answers[mail.slot] = answer
    return answers


@given(
    fates=st.lists(st.sampled_from(["ok", "ok", "ok", *FAULTS]), max_size=12),
    pipelining=st.booleans(), careless=st.booleans(), seed=st.integers(0, 2**32),
)  # fmt: skip
@settings(deadline=None, max_examples=300)
def test_each_message_gets_its_own_answer(fates: list[str], pipelining: bool, careless: bool, seed: int) -> None:
    server = Server(OFFERS if pipelining else OFFERS[1:], careless)
    connection = Connection("us.example", Security.NONE)
    mails = [mail(slot, fate) for slot, fate in enumerate(fates)]
    answers = talk(connection, server, mails, random.Random(seed))
    going_down = fates.index("closing") if "closing" in fates else len(fates)
    for slot, fate in enumerate(fates[:going_down]):
        answer = answers[slot]
        assert isinstance(answer, Response)
        expected = FAULTS[fate][1][:3] if fate in FAULTS else b"250"
        assert answer.status == int(expected)
    if "closing" in fates:
        answer = answers[going_down]
        assert isinstance(answer, TransportError) and answer.begun  # the server may have taken it
        later = [answers[slot] for slot in range(going_down + 1, len(fates)) if slot in answers]
        assert not any(isinstance(answer, TransportError) and answer.begun for answer in later)
    taken = [recipient for _, recipient, _ in server.taken]
    assert taken == [m.recipient for m, fate in zip(mails[:going_down], fates, strict=False) if fate not in FAULTS]
    assert all(text == BODY for _, _, text in server.taken)


def test_the_end_of_a_message_and_the_next_envelope_travel_together() -> None:
    server, connection = Server(), Connection("us.example", Security.NONE)
    connection.receive(server.greeting())
    connection.receive(server.receive(connection.data_to_send()))
    connection.begin([mail(1), mail(2)])
    connection.receive(server.receive(connection.data_to_send()))
    written = connection.data_to_send()
    assert b"the end\r\n.\r\nMAIL FROM:<from@x.example>" in written
    assert written.endswith(b"DATA\r\n")
    assert connection.room == 0


@pytest.mark.parametrize(
    ("offers", "body", "recipient", "parameters"),
    [
        (("PIPELINING",), b"a\r\n", "a@y.example", b""),
        (("SIZE 100",), b"a\r\n", "a@y.example", b" SIZE=3"),
        (("8BITMIME",), "ü\r\n".encode(), "a@y.example", b" BODY=8BITMIME"),
        (("8BITMIME",), b"a\r\n", "a@y.example", b""),
        (("SMTPUTF8",), b"a\r\n", "jürgen@y.example", b" SMTPUTF8"),
    ],
)
def test_only_what_the_server_offers_is_asked_for(
    offers: tuple[str, ...], body: bytes, recipient: str, parameters: bytes
) -> None:
    server, connection = Server(offers), Connection("us.example", Security.NONE)
    connection.receive(server.greeting())
    connection.receive(server.receive(connection.data_to_send()))
    connection.begin([Mail(1, "s@x.example", recipient, body, 1.0)])
    assert connection.data_to_send().split(b"\r\n")[0] == b"MAIL FROM:<s@x.example>" + parameters


@pytest.mark.parametrize(("begun", "lost_after"), [(False, "envelope"), (True, "body")])
def test_only_a_message_whose_end_was_written_is_in_doubt(begun: bool, lost_after: str) -> None:
    server, connection = Server(), Connection("us.example", Security.NONE)
    connection.receive(server.greeting())
    connection.receive(server.receive(connection.data_to_send()))
    connection.begin([mail(1), mail(2)])
    if lost_after == "body":
        connection.receive(server.receive(connection.data_to_send()))
        assert connection.data_to_send()
    answers = {mail.slot: answer for mail, answer in connection.lost("the line was cut")}
    assert [answers[slot].begun for slot in (1, 2) if isinstance(answers[slot], TransportError)] == [begun, False]  # type: ignore[union-attr]


def test_starttls_comes_before_everything_else_and_says_hello_again() -> None:
    server, connection = Server(), Connection("us.example", Security.STARTTLS, Login("u", "p"))
    connection.receive(server.greeting())
    connection.receive(server.receive(connection.data_to_send()))
    assert connection.data_to_send() == b"STARTTLS\r\n"
    connection.receive(b"220 go ahead\r\n")
    assert connection.wants_tls and not connection.ready
    connection.secured()
    assert connection.data_to_send() == b"EHLO us.example\r\n"


def test_a_server_without_starttls_gets_neither_password_nor_message() -> None:
    connection = Connection("us.example", Security.STARTTLS, Login("u", "p"))
    connection.receive(b"220 hi\r\n")
    connection.data_to_send()
    connection.receive(b"250-x\r\n250 AUTH PLAIN\r\n")
    assert connection.closed and connection.data_to_send() == b""
    # the account's settings are wrong, or a third party removes the offer: no later attempt mends it
    assert connection.refusal == Response(554, {"stage": "starttls"}, b"the server offers no STARTTLS")


@pytest.mark.parametrize(("answer", "ready"), [(b"250 old.example\r\n", True), (b"501 no\r\n", False)])
def test_a_server_that_refuses_ehlo_is_asked_with_helo(answer: bytes, ready: bool) -> None:
    connection = Connection("us.example", Security.NONE)
    connection.receive(b"220 old.example\r\n")
    assert connection.data_to_send() == b"EHLO us.example\r\n"
    connection.receive(b"502 5.5.2 what?\r\n")
    assert connection.data_to_send() == b"HELO us.example\r\n"
    connection.receive(answer)
    assert (connection.ready, connection.extensions, connection.closed) == (ready, {}, not ready)


def test_a_withdrawn_message_whose_envelope_was_sent_gets_no_body() -> None:
    connection = Connection("us.example", Security.NONE)
    connection.receive(b"220 x\r\n")
    connection.receive(b"250-x\r\n250 PIPELINING\r\n")
    mails = [mail(slot) for slot in (1, 2, 3)]
    connection.begin(mails[:2])
    connection.receive(b"250 ok\r\n250 ok\r\n354 go on\r\n")
    assert b"ok+2@y.example" in connection.data_to_send()  # with the body of the first
    connection.begin(mails[2:])
    assert connection.withdraw(lambda slot: slot in (2, 3)) == [mails[2]]
    kept = Response(250, {"stage": "body", "enhanced": ""}, b"kept")
    assert connection.receive(b"250 kept\r\n") == [(mails[0], kept)]
    assert connection.receive(b"250 ok\r\n250 ok\r\n354 go on\r\n") == []
    assert connection.closed and connection.data_to_send() == b""
    assert connection.lost("closed") == [(mails[1], TransportError(False, "closed"))]


@pytest.mark.parametrize(
    ("offered", "login", "said"),
    [
        ("PLAIN LOGIN", Login("u", "p"), [b"AUTH PLAIN AHUAcA=="]),
        ("LOGIN", Login("u", "p"), [b"AUTH LOGIN", b"dQ==", b"cA=="]),
        ("XOAUTH2", Login("u", token="t"), [b"AUTH XOAUTH2 dXNlcj11AWF1dGg9QmVhcmVyIHQBAQ=="]),
    ],
)
def test_the_login_uses_what_the_server_offers(offered: str, login: Login, said: list[bytes]) -> None:
    connection = Connection("us.example", Security.TLS, login)
    connection.receive(b"220 hi\r\n")
    connection.data_to_send()
    connection.receive(f"250-x\r\n250 AUTH {offered}\r\n".encode())
    for line in said:
        assert connection.data_to_send() == line + b"\r\n"
        connection.receive(b"334 \r\n" if line is not said[-1] else b"235 2.7.0 welcome\r\n")
    assert connection.ready


def test_a_refused_login_refuses_every_message() -> None:
    connection = Connection("us.example", Security.TLS, Login("u", "wrong"))
    connection.receive(b"220 hi\r\n250-x\r\n250 AUTH PLAIN\r\n")
    connection.receive(b"535 5.7.8 bad credentials\r\n")
    assert isinstance(connection.refusal, Response)
    assert (connection.refusal.status, connection.refusal.headers["stage"]) == (535, "auth")


@given(noise=st.binary(max_size=300))
def test_noise_ends_the_connection_and_never_raises(noise: bytes) -> None:
    connection = Connection("us.example", Security.NONE)
    connection.receive(b"220 hi\r\n250 x\r\n")
    connection.begin([mail(1)])
    answers = connection.receive(noise) + connection.lost("gone")
    assert [mail.slot for mail, _ in answers] == [1]
