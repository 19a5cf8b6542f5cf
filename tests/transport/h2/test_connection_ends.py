"""The protocol as a function: what becomes of requests when a stream or the connection ends."""

from __future__ import annotations

import pytest

from notifier.transport.h2.protocol import frames as f
from notifier.transport.h2.protocol.connection import LAST_STREAM
from notifier.transport.h2.protocol.frames import frame
from notifier.vocabulary.http import TransportError
from tests.transport.h2.peer import LoopbackPair, block, data, goaway, headers, reset, settings, trailers, window


def test_a_refused_stream_was_not_processed_and_a_reset_one_may_have_been() -> None:
    pair = LoopbackPair()
    pair.client_sends(*[b"x"] * 3)
    pair.server_sends(reset(1, f.REFUSED_STREAM), reset(3, f.CANCEL), headers(5, end=False), reset(5, f.REFUSED_STREAM))
    assert {i: a.begun for i, a in pair.answers.items() if isinstance(a, TransportError)} == {
        0: False,
        1: True,
        2: True,
    }


def test_goaway_says_which_streams_were_not_processed() -> None:
    pair = LoopbackPair()
    pair.client_sends(*[b"x"] * 4)
    pair.server_sends(goaway(3))
    assert pair.client.room() == 0
    assert {i: a.begun for i, a in pair.answers.items() if isinstance(a, TransportError)} == {2: False, 3: False}
    pair.server_sends(headers(1), headers(5))
    assert pair.answers[0] == 200
    pair.take(pair.client.lost("gone"))
    assert isinstance(pair.answers[1], TransportError) and pair.answers[1].begun


@pytest.mark.parametrize("in_flight", [1, 2, 5])
def test_a_lost_connection_leaves_its_requests_in_doubt(in_flight: int) -> None:
    """A request alone on the connection may be why it ended; among several, the reason is unknown."""
    pair = LoopbackPair()
    pair.client_sends(*[b"x"] * (in_flight + 1))
    pair.server_sends(headers(1))
    pair.take(pair.client.lost("gone"))
    assert pair.answers == {0: 200} | {
        n: TransportError(True, "gone", disconnected=in_flight > 1) for n in range(1, in_flight + 1)
    }


def test_a_reset_stream_says_nothing_about_its_neighbours() -> None:
    pair = LoopbackPair()
    pair.client_sends(*[b"x"] * 3)
    pair.server_sends(headers(1), reset(3, f.INTERNAL_ERROR), headers(5))
    assert pair.answers == {0: 200, 1: TransportError(True, "stream reset: INTERNAL_ERROR"), 2: 200}


def test_a_goaway_for_everything_later_may_be_followed_by_a_smaller_one() -> None:
    pair = LoopbackPair()
    pair.client_sends(b"x", b"y")
    pair.server_sends(goaway(f.MAX_UINT31))
    assert not pair.answers
    pair.server_sends(goaway(1))
    assert pair.answers == {1: TransportError(False, "connection ended before it: NO_ERROR", disconnected=True)}


def test_a_passed_deadline_gives_up_the_stream_and_makes_room() -> None:
    pair = LoopbackPair(streams=2)
    pair.client_sends(b"x", deadline=10.0)
    pair.client_sends(b"y", deadline=20.0)
    pair.take(pair.client.expire(10.0))
    assert list(pair.answers) == [0] and pair.requests[0].reset == f.CANCEL
    assert pair.client.room() == 1
    pair.server_sends(headers(1), headers(3))
    assert pair.answers[1] == 200
    assert not pair.client.closed


def test_a_connection_takes_no_new_request_long_before_stream_ids_run_out() -> None:
    pair = LoopbackPair(first=LAST_STREAM - 3)
    pair.client_sends(*[b"x"] * 5)
    assert len(pair.requests) == 2
    assert pair.client.draining


FAULTS = {
    "push": frame(f.PUSH_PROMISE, f.END_HEADERS, 1, b"\0\0\0\2" + block()),
    "headers on a stream that was not opened": headers(9),
    "headers on an even stream": headers(2),
    "headers on stream zero": headers(0),
    "data before headers": data(1, b"x"),
    "data on stream zero": data(0, b"x"),
    "headers twice": headers(1, end=False) + headers(1, end=False),
    "interim that ends": headers(1, 103),
    "switching protocols": headers(1, 101, end=False),
    "no status": frame(f.HEADERS, 5, 1, trailers(("a", "b"))),
    "status twice": frame(f.HEADERS, 5, 1, block(204, (":status", "200"))),
    "status of letters": frame(f.HEADERS, 5, 1, block("2x0")),
    "upper-case header": frame(f.HEADERS, 5, 1, block(204, ("Server", "x"))),
    "a request's pseudo-header": frame(f.HEADERS, 5, 1, block(204, (":path", "/"))),
    "a dynamic entry": frame(f.HEADERS, 5, 1, b"\xbe"),
    "a table larger than none": frame(f.HEADERS, 5, 1, b"\x3f\xe1\x1f\x88"),
    "a truncated block": frame(f.HEADERS, 5, 1, b"\x08\x7f"),
    "a bomb of headers": frame(f.HEADERS, 5, 1, block(204, *[("a", "b" * 1000)] * 100)),
    "continuation without headers": frame(f.CONTINUATION, f.END_HEADERS, 1, block()),
    "continuation interrupted": frame(f.HEADERS, 0, 1, block()[:1]) + frame(f.PING, 0, 0, b"12345678"),
    "continuation interrupted by a plain answer": frame(f.HEADERS, 0, 1, b"") + headers(3),
    "continuation of another": frame(f.HEADERS, 0, 1, block()) + frame(f.CONTINUATION, 4, 3, b""),
    "continuation for ever": frame(f.HEADERS, 0, 1, b"") + frame(f.CONTINUATION, 0, 1, b"") * 100,
    "padding longer than the frame": headers(1, end=False) + frame(f.DATA, f.PADDED, 1, b"\x09abc"),
    "a frame too large": frame(f.DATA, 0, 1, b"x" * (f.MAX_FRAME + 1)),
    "a frame too large, announced": b"\xff\xff\xff" + bytes(6),
    "settings on a stream": frame(f.SETTINGS, 0, 1, b""),
    "settings of a strange length": frame(f.SETTINGS, 0, 0, b"12345"),
    "an acknowledgement with content": frame(f.SETTINGS, f.ACK, 0, b"123456"),
    "server push enabled": settings(push=1),
    "initial window too large": settings(window=1 << 31),
    "frame size too small": settings(frame=100),
    "ping of a strange length": frame(f.PING, 0, 0, b"1234"),
    "ping on a stream": frame(f.PING, 0, 1, b"12345678"),
    "reset of a strange length": frame(f.RST_STREAM, 0, 1, b"123"),
    "reset of a stream that was not opened": reset(9, 0),
    "goaway on a stream": frame(f.GOAWAY, 0, 1, bytes(8)),
    "goaway too short": frame(f.GOAWAY, 0, 0, bytes(4)),
    "window by nothing": window(0, 0),
    "window too large": window(0, f.MAX_UINT31),
    "window of a stream that was not opened": window(9, 1),
    "window of a strange length": frame(f.WINDOW_UPDATE, 0, 0, b"123"),
    "priority of a strange length": frame(f.PRIORITY, 0, 1, b"123"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_protocol_ends_the_connection_and_leaves_everything_in_doubt(fault: str) -> None:
    pair = LoopbackPair()
    pair.client_sends(b"x", b"y")
    pair.server_sends(FAULTS[fault])
    assert pair.client.closed
    assert {i: isinstance(a, TransportError) and a.begun for i, a in pair.answers.items()} == {0: True, 1: True}
    assert any(kind == f.GOAWAY for kind, *_ in pair.server.control)
    pair.server_sends(headers(1))
    assert len(pair.answers) == 2
