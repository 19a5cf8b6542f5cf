"""A composed email, read back by the standard library's parser: every part is what the template rendered."""

from __future__ import annotations

import email
import email.policy
import quopri
import re
from email.message import EmailMessage as Parsed
from itertools import chain, zip_longest
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from notifier.channels.base import Envelope
from notifier.channels.email import EmailMessage
from notifier.providers.mime import compose
from notifier.providers.mime.quoted_printable import encode_text, encode_values
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.mail import Mailbox
from notifier.vocabulary.people import Address

SENDER = Mailbox("hello@acme.example", "Acme")
#: what a template can render: no control characters, no half of a surrogate pair
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=300)
LINES = st.lists(
    st.one_of(TEXTS, st.just("."), st.just("..a"), st.just("From x"), st.just("trailing ")), max_size=8
).map("\n".join)


def composed(subject: str = "Hi", sender: Mailbox = SENDER, address: str = "ann@mail.example", **parts: Any) -> bytes:
    envelope = Envelope(new_id(), new_id(), new_id(), Address(address), "k")
    return compose(EmailMessage(envelope, subject, **parts), sender)


def parsed(raw: bytes) -> Parsed:
    message = email.message_from_bytes(raw, policy=email.policy.SMTP)
    assert isinstance(message, Parsed) and not message.defects
    return message


def content(message: Parsed, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n").rstrip("\n")


@given(subject=TEXTS.map(str.strip), text=LINES, html=LINES)
def test_text_and_html_arrive_as_they_were_rendered(subject: str, text: str, html: str) -> None:
    raw = composed(subject, text=text or "x", html=html or "x")
    message = parsed(raw)
    assert " ".join(str(message["Subject"]).split()) == " ".join(subject.split())
    assert content(message, "plain") == (text or "x").rstrip("\n")
    assert content(message, "html") == (html or "x").rstrip("\n")


@given(text=LINES)
@example(".From 0")
def test_every_line_can_travel(text: str) -> None:
    raw = composed("ü" * 200, text=text or "x")
    assert raw.isascii() and raw.endswith(b"\r\n")
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)|\r\n\.|\r\nFrom ", raw)


#: what a value can hold: everything but halves of surrogate pairs
VALUES = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=200),
    st.lists(st.sampled_from([".", "=", " ", "\n", "From ", "ü", "a" * 76, "\t", "😀", "\r\n"]), max_size=8).map(
        "".join
    ),
)


@example([".From 0"], ["..From 1"] * 3)
@example(["", ""], ["\n", "", ""])
@example(["a" * 75 + "\t\n", "a" * 74 + " \n"], ["a" * 75 + " \n", "", ""])
@example(["", ""], ["..From 1", "", ""])
@given(constants=st.lists(VALUES, min_size=1, max_size=4), values=st.lists(VALUES, min_size=3, max_size=3))
def test_a_value_in_place_of_its_placeholder_arrives_between_unchanged_lines(
    constants: list[str], values: list[str]
) -> None:
    assume(not any("PLACEHOLDER" in text or "\r" in text for text in constants + values))
    names = [f"PLACEHOLDER{n}" for n in range(len(constants) - 1)]
    sample = "".join(chain.from_iterable(zip_longest(constants, names, fillvalue="")))
    encoded = encode_text(sample, re.compile(r"(PLACEHOLDER\d)"))
    for name, value in zip(names, encode_values(values), strict=False):
        encoded = encoded.replace(name.encode(), value)
    lines = encoded.split(b"\r\n")
    assert max(map(len, lines)) <= 76 and not any(line.startswith((b".", b"From ")) for line in lines)
    expected = "".join(chain.from_iterable(zip_longest(constants, values[: len(names)], fillvalue="")))
    arrived = quopri.decodestring(encoded).decode().replace("\r\n", "\n")
    assert arrived.rstrip("\n") == expected.rstrip("\n")


@pytest.mark.parametrize("name", ["", "Acme", "Acme, Inc.", 'The "best"', "Grüße & Co", "=?utf-8?q?a?="])
def test_the_senders_name_arrives(name: str) -> None:
    address = parsed(composed(sender=Mailbox("hello@acme.example", name), text="x"))["From"].addresses[0]
    assert (address.display_name, address.addr_spec) == (name, "hello@acme.example")


def test_a_repeat_has_the_same_message_id() -> None:
    envelope = Envelope(new_id(), new_id(), new_id(), Address("ann@mail.example"), "k")
    first, second = (parsed(compose(EmailMessage(envelope, "Hi", text="x"), SENDER)) for _ in range(2))
    assert first["Message-ID"] == second["Message-ID"] == f"<{envelope.delivery_id.hex}@acme.example>"


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        (
            "<html><BODY class=a><p>x</p></BODY></html>",
            r"<html><BODY class=a><div [^>]*>a &lt; b</div><p>x</p></BODY></html>",
        ),
        ("İİİİİİİ<body><p>x</p></body>", r"İİİİİİİ<body><div [^>]*>a &lt; b</div><p>x</p></body>"),
        ("<p>x</p>", r"<div [^>]*>a &lt; b</div><p>x</p>"),
    ],
)
def test_the_preheader_comes_first_in_the_page_and_is_not_seen(html: str, expected: str) -> None:
    page = content(parsed(composed(html=html, preheader="a < b")), "html")
    assert re.fullmatch(expected, page.strip())
    assert "display:none" in page


def test_no_text_begins_a_header_of_its_own() -> None:
    raw = composed("Hi\r\nBcc: spy@z.example", text="x")
    assert b"\nBcc" not in raw and parsed(raw)["Bcc"] is None
