"""What reports of mail servers mean, in the shapes in which servers write them; and that no bytes break the reader."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.mail_reports.report import LARGEST, read_report
from notifier.mail_reports.return_path import LONGEST_LOCAL_PART, address_for, delivery_in
from notifier.vocabulary.receipts import EventKind
from tests.mail_reports import samples

KEY, OLD_KEY, FOREIGN_KEY = b"k" * 32, b"o" * 32, b"f" * 32
DELIVERY = uuid.UUID("01936f2a-7c3d-7e1f-8a2b-1234567890ab")
RETURN_PATH = address_for("bounces@example.com", DELIVERY, KEY)
OUR_ID = f"{DELIVERY.hex}@example.com"
SAMPLES = {name: text for name, text in vars(samples).items() if name.isupper()}


def filled(sample: str, to: str = RETURN_PATH, message_id: str = OUR_ID) -> bytes:
    return sample.replace("{to}", to).replace("{id}", message_id).encode()


@pytest.mark.parametrize(
    ("sample", "kind", "permanent", "detail"),
    [
        (samples.POSTFIX, EventKind.BOUNCED, True, "550 5.1.1 Recipient address rejected: User unknown"),
        (
            samples.EXCHANGE,
            EventKind.BOUNCED,
            True,
            "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by",
        ),
        (samples.GMAIL, EventKind.BOUNCED, True, "550-5.1.1 The email account that you tried to reach does not exist."),
        (samples.MAILBOX_FULL, EventKind.BOUNCED, False, "452 4.2.2 The mailbox of is full"),
        (
            samples.DELAYED,
            EventKind.DEFERRED,
            False,
            "4.4.1 connect to mx.mail.example[192.0.2.7]:25: Connection timed",
        ),
        (samples.DELIVERED, EventKind.DELIVERED, False, "2.0.0 connect to"),
        (samples.CARELESS, EventKind.BOUNCED, False, "5.7.1"),
        (samples.EXIM, EventKind.BOUNCED, True, "host mx.mail.example [192.0.2.7] SMTP error"),
        (samples.QMAIL, EventKind.BOUNCED, True, "Sorry, no mailbox here by that name. (#5.1.1)"),
        (samples.ARF, EventKind.COMPLAINED, False, "feedback report: abuse"),
        (samples.OPT_OUT, EventKind.UNSUBSCRIBED, False, "feedback report: opt-out"),
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_report_says_what_became_of_which_message(
    sample: str, kind: EventKind, permanent: bool, detail: str, line_end: str
) -> None:
    event = read_report(filled(sample).replace(b"\n", line_end.encode()), [KEY])
    assert event is not None
    assert (event.kind, event.permanent, event.delivery_id) == (kind, permanent, DELIVERY)
    assert event.detail.startswith(detail)
    assert "@" not in event.detail and event.address == ""


@pytest.mark.parametrize("sample", [samples.NOT_SPAM, samples.OUT_OF_OFFICE, samples.BOUNCE_WITHIN, "", "\n\n", "x"])
def test_other_messages_say_nothing(sample: str) -> None:
    assert read_report(filled(sample), [KEY]) is None


@pytest.mark.parametrize(
    ("diagnostic", "permanent"),
    [
        ("smtp; 550 5.1.1 gone", True),
        ("smtp; 550 user unknown", True),
        ("smtp; 550 5.2.1 mailbox disabled", True),
        ("smtp; 550 sender address unknown", False),
        ("smtp; 554 5.7.1 spam", False),
        ("smtp; 552 5.2.2 over quota", False),
        ("smtp; 550 5.4.4 host not found", False),
        ("", False),
    ],
)
def test_only_a_missing_mailbox_is_for_good(diagnostic: str, permanent: bool) -> None:
    text = samples.CARELESS.replace(
        "Status: 5.7.1 (delivery not authorized)", f"Action: failed\nStatus: 5.0.0\nDiagnostic-Code: {diagnostic}"
    )
    event = read_report(filled(text), [KEY])
    assert event is not None and (event.kind, event.permanent) == (EventKind.BOUNCED, permanent)


def test_the_message_id_names_the_message_where_the_return_path_is_lost() -> None:
    event = read_report(filled(samples.POSTFIX, to="bounces@example.com"), [KEY])
    assert event is not None and event.delivery_id == DELIVERY
    own = filled(
        samples.CARELESS.replace("To: ", f"Message-ID: <{DELIVERY.hex}@other.example>\nTo: "), to="b@e.example"
    )
    assert read_report(own, [KEY]) is None  # a report's own id has 32 digits by chance


def test_a_return_path_is_valid_with_the_accounts_keys_only() -> None:
    assert delivery_in(filled(samples.POSTFIX), [OLD_KEY, KEY]) == DELIVERY
    assert delivery_in(filled(samples.POSTFIX).upper(), [KEY]) == DELIVERY
    assert delivery_in(filled(samples.POSTFIX), [FOREIGN_KEY]) is None
    assert delivery_in(filled(samples.POSTFIX, to=f"bounces+{DELIVERY.hex}01234567@example.com"), [KEY]) is None
    assert len(address_for("b" * LONGEST_LOCAL_PART + "@example.com", DELIVERY, KEY).partition("@")[0]) == 64


def test_a_report_that_is_read_twice_is_one_event() -> None:
    piped = b"X-Piped: yes\n" + filled(samples.POSTFIX)
    first, second = read_report(filled(samples.POSTFIX), [KEY]), read_report(piped, [KEY])
    assert first is not None and second is not None and first.event_id == second.event_id != ""


def test_of_several_recipients_a_failure_counts_most() -> None:
    alias = samples.MAILBOX_FULL.replace(
        "\n--x--", "\nFinal-Recipient: rfc822; b@m.example\nAction: failed\nStatus: 5.1.1\n\n--x--"
    )
    event = read_report(filled(alias), [KEY])
    assert event is not None and (event.kind, event.permanent) == (EventKind.BOUNCED, False)


@pytest.mark.parametrize(
    "nested",
    [
        b"Content-Type: message/rfc822\n\n" * 20_000,
        b"\r" + b"Content-Type: message/rfc822\r\r" * 8_000,  # a lone CR ends a line, too
        b"".join(b'Content-Type: multipart/mixed; boundary="%d"\n\n--%d\n' % (n, n) for n in range(20_000)),
        b"Content-Type: multipart/digest; boundary=x\n\n" + b"--x\n\n" * 50_000,
        b"Received: " + b"x\n " * 100_000,
        b"+" * LARGEST,
        b"<" * LARGEST,
        b"Subject: =?utf-8?b?" + b"?=" * 100_000,
        b"Content-Type: text/plain; charset=\xff\xfe\nX-Failed-Recipients: a\n\n\xff\x00" + b"  a@b\n" * 20_000,
    ],
)
def test_a_report_that_is_made_to_hurt_is_read_quickly(nested: bytes) -> None:
    assert read_report(filled(samples.POSTFIX).partition(b"\n")[0] + b"\n" + nested, [KEY]) is None
    read_report(filled(samples.ARF) + nested, [KEY])


_PIECES = st.sampled_from(
    [line + "\n" for sample in SAMPLES.values() for line in sample.splitlines()]
    + ["\n", "\r\n", "\x00", "Content-Type: ", "boundary=x", "--x", "Status: 5.", "Date: ", "=?utf-8?q?", "\ud7ff", "é"]
)


@given(st.lists(st.one_of(_PIECES, st.text(max_size=30)), max_size=60), st.binary(max_size=60))
@settings(deadline=None, max_examples=400)
def test_no_bytes_break_the_reader(pieces: list[str], noise: bytes) -> None:
    text = filled("".join(pieces))
    for raw in (text, noise + text, text[: len(text) // 2] + noise + text[len(text) // 2 :], noise):
        read_report(raw, [KEY])


@given(st.sampled_from(sorted(SAMPLES)), st.integers(0, 4_000), st.integers(0, 4_000), st.binary(max_size=8))
@settings(deadline=None, max_examples=400)
def test_no_damage_to_a_report_breaks_the_reader(name: str, start: int, length: int, noise: bytes) -> None:
    raw = filled(SAMPLES[name])
    event = read_report(raw[:start] + noise + raw[start + length :], [KEY])
    assert event is None or event.delivery_id is not None
