"""Whatever bytes arrive, in whatever pieces: no crash, no hang, and no answer for a wrong request."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.transport.h2.protocol import frames as f
from notifier.transport.h2.protocol.answers import Finished
from notifier.transport.h2.protocol.connection import Connection
from notifier.transport.h2.protocol.encoded_rows import EncodedRows
from notifier.transport.h2.protocol.frames import frame
from notifier.transport.h2.protocol.incoming import Reply
from notifier.transport.h2.protocol.request_headers import encode_template
from notifier.vocabulary.http import Response, TransportError
from tests.transport.h2 import peer

REQUESTS = 6
KINDS = ["equal", "later", "longer", "status", "empty", "ends", "crossed", "twice", "open", "unended", "reset"]

Expected = dict[int, tuple[int, bytes]]


@st.composite
def answers(draw: st.DrawFn) -> tuple[bytes, Expected]:
    """A valid stream of a server's bytes that answers all requests, and what each must come to."""
    pieces: list[list[bytes]] = []
    expected: Expected = {}
    for index in range(REQUESTS):
        status = draw(st.sampled_from([200, 200, 200, 204, 404, 429, 503]))
        body = draw(st.binary(max_size=40))
        pieces.append(draw(an_answer(2 * index + 1, status, body)))
        expected[index] = (status, body)
    noise = st.sampled_from(
        [
            frame(f.PING, 0, 0, b"12345678"),
            frame(0x42, 0, 3, b"unknown"),
            frame(f.PRIORITY, 0, 5, b"\0\0\0\0\1"),
            peer.settings(window=70_000),
            peer.window(0, 5),
        ]
    )
    out = [peer.settings(streams=100)]
    while any(pieces):
        nonempty = [piece for piece in pieces if piece]
        out.append(draw(st.sampled_from(nonempty)).pop(0))
        if draw(st.booleans()):
            out.append(draw(noise))
    return b"".join(out), expected


@st.composite
def an_answer(draw: st.DrawFn, stream: int, status: int, body: bytes) -> list[bytes]:
    """Its frames; those of one header block stay together."""
    out = []
    if draw(st.booleans()):
        out.append(peer.headers(stream, 103, ("link", "x"), end=False))
    extra = draw(st.sampled_from([(), (("server", "some"),), (("a", "b" * 30), ("via", "x"))]))
    whole, plain_end = peer.block(status, *extra), not body and draw(st.booleans())
    flags = f.END_STREAM if plain_end else 0
    cut = draw(st.integers(0, len(whole)))
    if draw(st.booleans()):
        rest = frame(f.CONTINUATION, f.END_HEADERS, stream, whole[cut:])
        out.append(frame(f.HEADERS, flags, stream, whole[:cut]) + rest)
    else:
        out.append(frame(f.HEADERS, flags | f.END_HEADERS, stream, whole))
    if plain_end:
        return out
    cut = draw(st.integers(0, len(body)))
    if draw(st.booleans()):
        out.append(frame(f.DATA, f.PADDED, stream, b"\x02" + body[:cut] + b"\0\0"))
        body = body[cut:]
    if draw(st.booleans()):
        return [*out, frame(f.DATA, 0, stream, body), frame(f.HEADERS, 5, stream, peer.trailers(("t", "v")))]
    return [*out, frame(f.DATA, f.END_STREAM, stream, body)]


def with_requests(whole: bool) -> Connection:
    """A connection that has written its requests; the server's SETTINGS are yet to come."""
    client = Connection()
    client.ready, client.limit = True, 100
    slots = [(None, index, 1e12) for index in range(REQUESTS)]
    entries = [Reply(slot, True) if whole and index % 2 else slot for index, slot in enumerate(slots)]
    client.begin(encode_template(peer.TEMPLATE, False), entries, EncodedRows([b"body"] * REQUESTS))
    client.data_to_send()
    return client


def feed(client: Connection, raw: bytes, cuts: list[int]) -> list[Finished]:
    received: list[Finished] = []
    edges = [0, *sorted(cut % (len(raw) + 1) for cut in cuts), len(raw)]
    for start, stop in itertools.pairwise(edges):
        received += client.receive(raw[start:stop])
        client.data_to_send()
    return received


@settings(max_examples=60, deadline=None)
@given(stream=answers(), cuts=st.lists(st.integers(0, 5000), max_size=30), whole=st.booleans())
def test_a_valid_stream_means_the_same_in_any_pieces(
    stream: tuple[bytes, Expected], cuts: list[int], whole: bool
) -> None:
    raw, expected = stream
    client = with_requests(whole)
    got = {slot[1]: answer for slot, answer in feed(client, raw, cuts)}
    assert not client.closed
    assert len(got) == REQUESTS
    for index, answer in got.items():
        status, body = expected[index]
        if status == 200 and not (whole and index % 2):
            assert answer == 200
        else:
            assert isinstance(answer, Response)
            assert (answer.status, answer.body) == (status, body)


@settings(max_examples=25, deadline=None)
@given(stream=answers())
def test_a_valid_stream_means_the_same_byte_by_byte(stream: tuple[bytes, Expected]) -> None:
    raw, _ = stream
    at_once, singly = feed(with_requests(True), raw, []), feed(with_requests(True), raw, list(range(len(raw))))
    assert at_once == singly


@settings(max_examples=100, deadline=None)
@given(raw=st.binary(max_size=2000), cuts=st.lists(st.integers(0, 2000), max_size=5))
def test_garbage_crashes_nothing(raw: bytes, cuts: list[int]) -> None:
    check_accounts(raw, cuts)


@settings(max_examples=100, deadline=None)
@given(
    stream=answers(),
    edits=st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 2), st.binary(min_size=1, max_size=9)), max_size=6),
    cuts=st.lists(st.integers(0, 5000), max_size=5),
)
def test_a_damaged_stream_crashes_nothing(
    stream: tuple[bytes, Expected], edits: list[tuple[int, int, bytes]], cuts: list[int]
) -> None:
    raw = stream[0]
    for where, how, inserted in edits:
        at = where % (len(raw) + 1)
        skip = (0, len(inserted), 5)[how]  # insert, overwrite, or replace five bytes
        raw = raw[:at] + inserted + raw[at + skip :]
    check_accounts(raw, cuts)


def check_accounts(raw: bytes, cuts: list[int]) -> None:
    """Each request comes out once, and an answered one had its HEADERS."""
    client = with_requests(True)
    received = feed(client, raw, cuts)
    answered = {slot[1] for slot, answer in received if not isinstance(answer, TransportError)}
    assert answered <= {(stream - 1) // 2 for kind, stream in frames_of(raw) if kind == f.HEADERS}
    unprocessed = {slot[1] for slot, answer in received if isinstance(answer, TransportError) and not answer.begun}
    if unprocessed:
        assert {f.RST_STREAM, f.GOAWAY} & {kind for kind, _ in frames_of(raw)}
    received += client.lost("over")
    assert sorted(slot[1] for slot, _ in received) == list(range(REQUESTS))


def frames_of(raw: bytes) -> list[tuple[int, int]]:
    """Kind and stream of all frames in the bytes, valid or not."""
    out = []
    while len(raw) >= 9:
        size = int.from_bytes(raw[:3], "big")
        out.append((raw[3], int.from_bytes(raw[5:9], "big") & f.MAX_UINT31))
        raw = raw[9 + size :]
    return out


@pytest.mark.parametrize("sorted_", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_one_frame_that_differs_among_equal_ones_is_read_correctly(kind: str, sorted_: bool) -> None:
    for whole in (False, True):
        for index in range(REQUESTS):
            kinds = ["equal"] * REQUESTS
            kinds[index] = kind
            check_together(plain_answers(range(REQUESTS), kinds, sorted_), whole)


@settings(max_examples=150, deadline=None)
@given(
    order=st.permutations(range(REQUESTS)),
    kinds=st.lists(st.sampled_from(KINDS), min_size=REQUESTS, max_size=2 * REQUESTS),
    edits=st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 255)), max_size=2),
    sorted_=st.booleans(),
    whole=st.booleans(),
)
def test_equal_frames_mean_the_same_together_and_byte_by_byte(
    order: list[int], kinds: list[str], edits: list[tuple[int, int]], sorted_: bool, whole: bool
) -> None:
    raw = bytearray(plain_answers([*order, *order], kinds, sorted_))
    for where, what in edits:
        raw[where % len(raw)] ^= what
    check_together(bytes(raw), whole)


def check_together(raw: bytes, whole: bool) -> None:
    """Equal frames that arrive together are read by a faster way, which must stop at a frame that differs."""
    together, singly = with_requests(whole), with_requests(whole)
    assert feed(together, raw, []) == feed(singly, raw, list(range(len(raw))))
    assert (together.closed, together.in_flight) == (singly.closed, singly.in_flight)


def plain_answers(order: Sequence[int], kinds: Sequence[str], sorted_: bool) -> bytes:
    """`sorted_`: all HEADERS first, as nghttpd, Node and Caddy write them."""
    answers = [a_plain_answer(2 * index + 1, kind) for index, kind in zip(order, kinds, strict=False)]
    frames = [part for answer in answers for part in answer]
    if sorted_:
        frames = [first for first, _ in answers] + [rest for _, rest in answers]
    return b"".join([peer.settings(streams=100), *frames])


def a_plain_answer(stream: int, kind: str) -> tuple[bytes, bytes]:
    """HEADERS, and what follows."""
    status = {"status": 429, "empty": 204}.get(kind, 200)
    first = peer.headers(stream, status, ("date", "later" if kind == "later" else "sooner"), end=kind == "ends")
    rest = peer.data(stream ^ 2 if kind == "crossed" else stream, b"{'longer': 1}" if kind == "longer" else b"{}")
    if kind == "ends":
        return first, b""
    if kind == "open":  # END_HEADERS is missing
        return first[:4] + bytes([first[4] & ~f.END_HEADERS]) + first[5:], rest
    if kind == "unended":
        return first, peer.data(stream, b"{}", end=False)
    if kind == "reset":
        return first, rest + peer.reset(stream, f.NO_ERROR)
    return first * (1 + (kind == "twice")), rest
