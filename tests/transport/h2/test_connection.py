"""The protocol as a function: what a server may say, and what the client makes of it."""

from __future__ import annotations

import pytest

from notifier.transport.h2 import frames as f
from notifier.transport.h2.connection import LAST_STREAM, STREAMS_UNSAID, TOP_UP, Connection
from notifier.transport.h2.frames import frame
from notifier.transport.h2.incoming import BODY_CAP
from notifier.vocabulary.http import RequestTemplate, Response, TransportError
from tests.transport.h2.peer import Talk, block, data, goaway, headers, reset, settings, trailers, window


def test_a_request_is_what_was_asked_for() -> None:
    talk = Talk()
    talk.asks(b"hello", b"")
    first, empty = talk.requests
    assert first.body == b"hello" and first.ended and empty.ended
    assert first.headers == {
        ":method": "POST",
        ":scheme": "https",
        ":authority": "far.example",
        ":path": "/send",
        "user-agent": "notifier",
        "authorization": "Bearer x",
        "content-length": "5",
    }
    assert empty.headers["content-length"] == "0"


def test_a_get_has_no_body_and_no_length() -> None:
    talk = Talk()
    talk.asks(b"", head=RequestTemplate("GET", "https://far.example:8443", "/a?b=c", ()))
    (seen,) = talk.requests
    assert seen.ended
    assert "content-length" not in seen.headers
    assert (seen.headers[":path"], seen.headers[":authority"]) == ("/a?b=c", "far.example:8443")


def test_plain_answers_are_told_by_status_alone_and_in_any_order() -> None:
    talk = Talk()
    talk.asks(*[b"x"] * 4)
    talk.says(headers(7), headers(3, end=False), headers(5), data(3, b"{}"), headers(1))
    assert list(talk.answers.items()) == [(3, 200), (2, 200), (1, 200), (0, 200)]


def test_a_table_size_update_before_the_status_is_read() -> None:
    talk = Talk()
    talk.asks(b"x")
    talk.says(frame(f.HEADERS, f.END_HEADERS | f.END_STREAM, 1, b"\x20\x88"))
    assert talk.answers == {0: 200}


def test_whatever_is_unusual_comes_whole() -> None:
    talk = Talk()
    talk.asks(b"x")
    talk.says(headers(1, 429, ("retry-after", "7"), end=False), data(1, b"slow ", end=False), data(1, b"down"))
    assert talk.answers == {0: Response(429, {"retry-after": "7"}, b"slow down")}


def test_a_whole_answer_has_its_headers_joined_and_its_trailers_left_out() -> None:
    talk = Talk()
    talk.asks(b"x", whole=True)
    ends = frame(f.HEADERS, f.END_HEADERS | f.END_STREAM, 1, trailers(("grpc-status", "0")))
    talk.says(headers(1, 200, ("via", "a"), ("via", "b"), end=False), data(1, b"{}", end=False), ends)
    assert talk.answers == {0: Response(200, {"via": "a, b"}, b"{}")}


def test_interim_answers_are_passed_over() -> None:
    talk = Talk()
    talk.asks(b"x", b"y", whole=True)
    talk.says(headers(1, 100, end=False), headers(1, 103, ("link", "x"), end=False), headers(1, 202))
    talk.says(headers(3, 103, end=False), headers(3, 200))
    assert talk.answers == {0: Response(202, {}, b""), 1: Response(200, {}, b"")}


def test_padding_priority_and_continuation_are_unwrapped() -> None:
    talk = Talk()
    talk.asks(b"x", whole=True)
    whole = block(200, ("server", "strange"))
    flags = f.PADDED | f.WITH_PRIORITY
    talk.says(
        frame(f.HEADERS, flags, 1, bytes([3]) + b"\0\0\0\0\x10" + whole[:2] + b"\0\0\0"),
        frame(f.CONTINUATION, 0, 1, whole[2:3]),
        frame(f.CONTINUATION, f.END_HEADERS, 1, whole[3:]),
        frame(f.PRIORITY, 0, 1, b"\0\0\0\0\x10"),
        frame(f.DATA, f.PADDED, 1, bytes([5]) + b"bo" + b"\0" * 5),
        frame(f.DATA, f.PADDED | f.END_STREAM, 1, bytes([0]) + b"dy"),
    )
    assert talk.answers == {0: Response(200, {"server": "strange"}, b"body")}


def test_unknown_frames_and_settings_are_ignored() -> None:
    talk = Talk()
    talk.asks(b"x")
    talk.says(frame(0x10, 0xFF, 1, b"?" * 50), frame(f.SETTINGS, 0, 0, f.SETTING.pack(0x99, 7)), headers(1))
    assert talk.answers == {0: 200}


def test_settings_and_pings_are_acknowledged() -> None:
    talk = Talk()
    talk.says(frame(f.PING, 0, 0, b"12345678"))
    assert (f.SETTINGS, f.ACK, 0, b"") in talk.server.control
    assert (f.PING, f.ACK, 0, b"12345678") in talk.server.control
    talk.client.ping()
    assert talk.client.pinging
    talk.says(frame(f.PING, f.ACK, 0, b"notifier"))
    assert not talk.client.pinging


# ---- limits ------------------------------------------------------------------------------------------------------


def test_nothing_begins_before_the_settings() -> None:
    assert Connection().room() == 0


@pytest.mark.parametrize(
    "first", [frame(f.PING, 0, 0, b"12345678"), frame(f.SETTINGS, f.ACK, 0), b"HTTP/1.1 400 Bad\r\n"]
)
def test_a_server_that_does_not_begin_with_settings_is_none(first: bytes) -> None:
    client = Connection()
    client.receive(first)
    assert client.closed


def test_the_number_of_streams_follows_the_servers_word_up_and_down() -> None:
    talk = Talk()
    assert talk.client.room() == STREAMS_UNSAID
    talk.says(settings(streams=3))
    talk.asks(*[b"x"] * 10)
    assert len(talk.requests) == 3
    talk.says(settings(streams=1))
    talk.says(headers(1), headers(3))
    assert talk.client.room() == 0
    talk.says(headers(5))
    assert talk.client.room() == 1
    talk.says(settings(streams=0))
    assert talk.client.room() == 0
    talk.says(settings(streams=1_000_000))
    assert talk.client.room() == 1_000


def test_a_body_waits_for_both_windows() -> None:
    talk = Talk(window=10)
    talk.asks(b"a" * 25)
    (seen,) = talk.requests
    assert seen.body == b"a" * 10
    talk.says(window(1, 10))
    assert seen.body == b"a" * 20
    talk.says(settings(window=5))  # the stream's window is now minus five
    talk.says(window(1, 5))
    assert len(seen.body) == 20
    talk.says(window(1, 100))
    assert seen.body == b"a" * 25 and seen.ended


def test_the_connections_window_holds_back_everybody() -> None:
    talk = Talk(window=1 << 20)
    talk.asks(b"a" * 40_000, b"b" * 40_000)
    assert sum(len(seen.body) for seen in talk.requests) == f.WINDOW
    assert talk.client.room() == 0
    talk.says(window(0, 1 << 20))
    assert [seen.body for seen in talk.requests] == [b"a" * 40_000, b"b" * 40_000]
    assert all(seen.ended for seen in talk.requests)


def test_a_window_of_nothing_lets_only_headers_out() -> None:
    talk = Talk(window=0)
    talk.asks(b"abc")
    assert talk.requests[0].body == b""
    talk.says(settings(window=2))
    assert talk.requests[0].body == b"ab"
    talk.says(settings(window=100))
    assert talk.requests[0].body == b"abc" and talk.requests[0].ended


def test_an_answer_before_the_body_is_out_ends_the_upload() -> None:
    talk = Talk(window=1)
    talk.asks(b"abc", b"d")
    talk.says(headers(1, 413), headers(3, end=False), data(3, b"ok"))
    assert isinstance(talk.answers[0], Response) and talk.answers[1] == 200
    assert talk.requests[0].reset == f.CANCEL
    talk.says(window(1, 100), window(0, 100))
    assert talk.requests[0].body == b"a"


def test_answers_before_the_bodies_are_out_end_the_uploads_also_when_they_come_together() -> None:
    talk = Talk(window=1)
    talk.asks(b"a", *[b"abc"] * 7)
    talk.says(*[headers(stream, end=False) for stream in range(1, 16, 2)], *[data(s, b"ok") for s in range(1, 16, 2)])
    assert talk.answers == dict.fromkeys(range(8), 200)
    assert [seen.reset for seen in talk.requests] == [None, *[f.CANCEL] * 7]


def test_a_reset_after_the_answer_changes_nothing() -> None:
    talk = Talk()
    talk.asks(b"x", b"y")
    talk.says(headers(1), reset(1, f.NO_ERROR), reset(1, f.NO_ERROR))
    assert talk.answers == {0: 200} and not talk.client.closed
    talk.says(frame(f.HEADERS, f.END_STREAM, 3, b""), reset(1, f.NO_ERROR))
    assert talk.client.closed


def test_received_bytes_are_given_back_to_both_windows() -> None:
    talk = Talk()
    for stream in range(1, 2 * 1_100, 2):
        talk.asks(b"x", whole=True)
        talk.says(headers(stream, end=False), data(stream, b"z" * 16_000))
    assert given_back(talk) >= TOP_UP
    talk.asks(b"x", whole=True)
    stream = max(talk.server.requests)
    padded = frame(f.DATA, f.PADDED, stream, bytes([255]) + b"z" + b"\0" * 255)
    talk.says(headers(stream, end=False), padded * 2_100)
    assert any(kind == f.WINDOW_UPDATE and at == stream for kind, _, at, _ in talk.server.control)


def test_bytes_of_plain_answers_are_given_back_too() -> None:
    talk = Talk(streams=1000)
    for turn in range(4):
        talk.asks(*[b"x"] * 300)
        streams = range(600 * turn + 1, 600 * turn + 600, 2)
        talk.says(*[headers(stream, end=False) for stream in streams])
        talk.says(*[data(stream, b"z" * 16_000) for stream in streams])
    assert set(talk.answers.values()) == {200}
    assert given_back(talk) >= TOP_UP


def given_back(talk: Talk) -> int:
    """By how much the connection's window was opened again, after the greeting."""
    updates = [more for kind, _, stream, more in talk.server.control if kind == f.WINDOW_UPDATE and not stream]
    return sum(f.LONG.unpack(more)[0] for more in updates[1:])


def test_a_body_without_end_is_cut_at_the_cap() -> None:
    talk = Talk()
    talk.asks(b"x")
    talk.says(headers(1, 500, end=False), *[data(1, b"z" * 16_000, end=False)] * 5)
    answer = talk.answers[0]
    assert isinstance(answer, Response) and len(answer.body) == BODY_CAP
    assert talk.requests[0].reset == f.CANCEL
    talk.says(data(1, b"z" * 100, end=False))
    assert not talk.client.closed


def test_bodies_larger_than_a_frame_are_cut_as_the_server_wants() -> None:
    talk = Talk(window=1 << 20, frame=20_000)
    talk.asks(b"a" * 50_000)
    assert talk.requests[0].body == b"a" * 50_000


# ---- ends --------------------------------------------------------------------------------------------------------


def test_a_refused_stream_was_not_processed_and_a_reset_one_may_have_been() -> None:
    talk = Talk()
    talk.asks(*[b"x"] * 3)
    talk.says(reset(1, f.REFUSED_STREAM), reset(3, f.CANCEL), headers(5, end=False), reset(5, f.REFUSED_STREAM))
    assert {i: a.begun for i, a in talk.answers.items() if isinstance(a, TransportError)} == {
        0: False,
        1: True,
        2: True,
    }


def test_goaway_tells_which_streams_were_not_processed() -> None:
    talk = Talk()
    talk.asks(*[b"x"] * 4)
    talk.says(goaway(3))
    assert talk.client.room() == 0
    assert {i: a.begun for i, a in talk.answers.items() if isinstance(a, TransportError)} == {2: False, 3: False}
    talk.says(headers(1), headers(5))
    assert talk.answers[0] == 200
    talk.take(talk.client.lost("gone"))
    assert isinstance(talk.answers[1], TransportError) and talk.answers[1].begun


@pytest.mark.parametrize("under_way", [1, 2, 5])
def test_what_a_lost_connection_says_of_its_requests(under_way: int) -> None:
    """Of one alone it may be the reason; of several, nobody knows which."""
    talk = Talk()
    talk.asks(*[b"x"] * (under_way + 1))
    talk.says(headers(1))
    talk.take(talk.client.lost("gone"))
    assert talk.answers == {0: 200} | {
        n: TransportError(True, "gone", disconnected=under_way > 1) for n in range(1, under_way + 1)
    }


def test_a_stream_that_gets_no_answer_says_nothing_of_its_neighbours() -> None:
    talk = Talk()
    talk.asks(*[b"x"] * 3)
    talk.says(headers(1), reset(3, f.INTERNAL_ERROR), headers(5))
    assert talk.answers == {0: 200, 1: TransportError(True, "stream reset: INTERNAL_ERROR"), 2: 200}


def test_a_goaway_for_everything_later_may_be_followed_by_a_smaller_one() -> None:
    talk = Talk()
    talk.asks(b"x", b"y")
    talk.says(goaway(f.LARGEST))
    assert not talk.answers
    talk.says(goaway(1))
    assert talk.answers == {1: TransportError(False, "connection ended before it: NO_ERROR")}


def test_a_passed_deadline_gives_up_the_stream_and_frees_its_place() -> None:
    talk = Talk(streams=2)
    talk.asks(b"x", deadline=10.0)
    talk.asks(b"y", deadline=20.0)
    talk.take(talk.client.expire(10.0))
    assert list(talk.answers) == [0] and talk.requests[0].reset == f.CANCEL
    assert talk.client.room() == 1
    talk.says(headers(1), headers(3))
    assert talk.answers[1] == 200
    assert not talk.client.closed


def test_ids_end_long_before_they_must() -> None:
    talk = Talk(first=LAST_STREAM - 3)
    talk.asks(*[b"x"] * 5)
    assert len(talk.requests) == 2
    assert talk.client.draining


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
    "a frame too large": frame(f.DATA, 0, 1, b"x" * (f.FRAME + 1)),
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
    "window too large": window(0, f.LARGEST),
    "window of a stream that was not opened": window(9, 1),
    "window of a strange length": frame(f.WINDOW_UPDATE, 0, 0, b"123"),
    "priority of a strange length": frame(f.PRIORITY, 0, 1, b"123"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_protocol_ends_the_connection_and_leaves_everything_in_doubt(fault: str) -> None:
    talk = Talk()
    talk.asks(b"x", b"y")
    talk.says(FAULTS[fault])
    assert talk.client.closed
    assert {i: isinstance(a, TransportError) and a.begun for i, a in talk.answers.items()} == {0: True, 1: True}
    assert any(kind == f.GOAWAY for kind, *_ in talk.server.control)
    talk.says(headers(1))
    assert len(talk.answers) == 2
