"""The protocol as a function: what a server may send, and what the client does then."""

from __future__ import annotations

import pytest

from notifier.transport.h2.protocol import frames as f
from notifier.transport.h2.protocol.answers import TOP_UP
from notifier.transport.h2.protocol.connection import DEFAULT_STREAMS, Connection
from notifier.transport.h2.protocol.frames import frame
from notifier.transport.h2.protocol.incoming import BODY_CAP
from notifier.vocabulary.http import RequestTemplate, Response
from tests.transport.h2.peer import LoopbackPair, block, data, headers, reset, settings, trailers, window


def test_a_request_arrives_as_it_was_made() -> None:
    pair = LoopbackPair()
    pair.client_sends(b"hello", b"")
    first, empty = pair.requests
    assert first.body == b"hello" and first.ended and empty.ended
    assert first.headers == {
        ":method": "POST",
        ":scheme": "https",
        ":authority": "server.example",
        ":path": "/send",
        "user-agent": "notifier",
        "authorization": "Bearer x",
        "content-length": "5",
    }
    assert empty.headers["content-length"] == "0"


def test_a_get_has_no_body_and_no_length() -> None:
    pair = LoopbackPair()
    pair.client_sends(b"", template=RequestTemplate("GET", "https://server.example:8443", "/a?b=c", ()))
    (seen,) = pair.requests
    assert seen.ended
    assert "content-length" not in seen.headers
    assert (seen.headers[":path"], seen.headers[":authority"]) == ("/a?b=c", "server.example:8443")


def test_plain_answers_come_out_as_their_status_and_in_any_order() -> None:
    pair = LoopbackPair()
    pair.client_sends(*[b"x"] * 4)
    pair.server_sends(headers(7), headers(3, end=False), headers(5), data(3, b"{}"), headers(1))
    assert list(pair.answers.items()) == [(3, 200), (2, 200), (1, 200), (0, 200)]


def test_a_table_size_update_before_the_status_is_read() -> None:
    pair = LoopbackPair()
    pair.client_sends(b"x")
    pair.server_sends(frame(f.HEADERS, f.END_HEADERS | f.END_STREAM, 1, b"\x20\x88"))
    assert pair.answers == {0: 200}


def test_an_answer_other_than_a_plain_200_comes_out_whole() -> None:
    pair = LoopbackPair()
    pair.client_sends(b"x")
    pair.server_sends(headers(1, 429, ("retry-after", "7"), end=False), data(1, b"slow ", end=False), data(1, b"down"))
    assert pair.answers == {0: Response(429, {"retry-after": "7"}, b"slow down")}


def test_a_whole_answer_has_its_headers_joined_and_its_trailers_left_out() -> None:
    pair = LoopbackPair()
    pair.client_sends(b"x", whole=True)
    ends = frame(f.HEADERS, f.END_HEADERS | f.END_STREAM, 1, trailers(("grpc-status", "0")))
    pair.server_sends(headers(1, 200, ("via", "a"), ("via", "b"), end=False), data(1, b"{}", end=False), ends)
    assert pair.answers == {0: Response(200, {"via": "a, b"}, b"{}")}


def test_interim_answers_are_skipped() -> None:
    pair = LoopbackPair()
    pair.client_sends(b"x", b"y", whole=True)
    pair.server_sends(headers(1, 100, end=False), headers(1, 103, ("link", "x"), end=False), headers(1, 202))
    pair.server_sends(headers(3, 103, end=False), headers(3, 200))
    assert pair.answers == {0: Response(202, {}, b""), 1: Response(200, {}, b"")}


def test_padding_priority_and_continuation_are_unwrapped() -> None:
    pair = LoopbackPair()
    pair.client_sends(b"x", whole=True)
    whole = block(200, ("server", "strange"))
    flags = f.PADDED | f.WITH_PRIORITY
    pair.server_sends(
        frame(f.HEADERS, flags, 1, bytes([3]) + b"\0\0\0\0\x10" + whole[:2] + b"\0\0\0"),
        frame(f.CONTINUATION, 0, 1, whole[2:3]),
        frame(f.CONTINUATION, f.END_HEADERS, 1, whole[3:]),
        frame(f.PRIORITY, 0, 1, b"\0\0\0\0\x10"),
        frame(f.DATA, f.PADDED, 1, bytes([5]) + b"bo" + b"\0" * 5),
        frame(f.DATA, f.PADDED | f.END_STREAM, 1, bytes([0]) + b"dy"),
    )
    assert pair.answers == {0: Response(200, {"server": "strange"}, b"body")}


def test_unknown_frames_and_settings_are_ignored() -> None:
    pair = LoopbackPair()
    pair.client_sends(b"x")
    pair.server_sends(frame(0x10, 0xFF, 1, b"?" * 50), frame(f.SETTINGS, 0, 0, f.SETTING.pack(0x99, 7)), headers(1))
    assert pair.answers == {0: 200}


def test_settings_and_pings_are_acknowledged() -> None:
    pair = LoopbackPair()
    pair.server_sends(frame(f.PING, 0, 0, b"12345678"))
    assert (f.SETTINGS, f.ACK, 0, b"") in pair.server.control
    assert (f.PING, f.ACK, 0, b"12345678") in pair.server.control
    pair.client.ping()
    assert pair.client.pinging
    pair.server_sends(frame(f.PING, f.ACK, 0, b"notifier"))
    assert not pair.client.pinging


# ---- limits ------------------------------------------------------------------------------------------------------


def test_nothing_begins_before_the_settings() -> None:
    assert Connection().room() == 0


@pytest.mark.parametrize(
    "first", [frame(f.PING, 0, 0, b"12345678"), frame(f.SETTINGS, f.ACK, 0), b"HTTP/1.1 400 Bad\r\n"]
)
def test_a_server_that_does_not_begin_with_settings_is_refused(first: bytes) -> None:
    client = Connection()
    client.receive(first)
    assert client.closed


def test_the_number_of_streams_follows_the_server_s_settings_up_and_down() -> None:
    pair = LoopbackPair()
    assert pair.client.room() == DEFAULT_STREAMS
    pair.server_sends(settings(streams=3))
    pair.client_sends(*[b"x"] * 10)
    assert len(pair.requests) == 3
    pair.server_sends(settings(streams=1))
    pair.server_sends(headers(1), headers(3))
    assert pair.client.room() == 0
    pair.server_sends(headers(5))
    assert pair.client.room() == 1
    pair.server_sends(settings(streams=0))
    assert pair.client.room() == 0
    pair.server_sends(settings(streams=1_000_000))
    assert pair.client.room() == 1_000


def test_a_body_waits_for_both_windows() -> None:
    pair = LoopbackPair(window=10)
    pair.client_sends(b"a" * 25)
    (seen,) = pair.requests
    assert seen.body == b"a" * 10
    pair.server_sends(window(1, 10))
    assert seen.body == b"a" * 20
    pair.server_sends(settings(window=5))  # the stream's window is now minus five
    pair.server_sends(window(1, 5))
    assert len(seen.body) == 20
    pair.server_sends(window(1, 100))
    assert seen.body == b"a" * 25 and seen.ended


def test_the_connection_s_window_holds_back_every_body() -> None:
    pair = LoopbackPair(window=1 << 20)
    pair.client_sends(b"a" * 40_000, b"b" * 40_000)
    assert sum(len(seen.body) for seen in pair.requests) == f.INITIAL_WINDOW
    assert pair.client.room() == 0
    pair.server_sends(window(0, 1 << 20))
    assert [seen.body for seen in pair.requests] == [b"a" * 40_000, b"b" * 40_000]
    assert all(seen.ended for seen in pair.requests)


def test_a_window_of_zero_lets_only_headers_out() -> None:
    pair = LoopbackPair(window=0)
    pair.client_sends(b"abc")
    assert pair.requests[0].body == b""
    pair.server_sends(settings(window=2))
    assert pair.requests[0].body == b"ab"
    pair.server_sends(settings(window=100))
    assert pair.requests[0].body == b"abc" and pair.requests[0].ended


def test_an_answer_before_the_body_is_out_ends_the_upload() -> None:
    pair = LoopbackPair(window=1)
    pair.client_sends(b"abc", b"d")
    pair.server_sends(headers(1, 413), headers(3, end=False), data(3, b"ok"))
    assert isinstance(pair.answers[0], Response) and pair.answers[1] == 200
    assert pair.requests[0].reset == f.CANCEL
    pair.server_sends(window(1, 100), window(0, 100))
    assert pair.requests[0].body == b"a"


def test_answers_before_the_bodies_are_out_end_the_uploads_also_when_they_come_together() -> None:
    pair = LoopbackPair(window=1)
    pair.client_sends(b"a", *[b"abc"] * 7)
    pair.server_sends(
        *[headers(stream, end=False) for stream in range(1, 16, 2)], *[data(s, b"ok") for s in range(1, 16, 2)]
    )
    assert pair.answers == dict.fromkeys(range(8), 200)
    assert [seen.reset for seen in pair.requests] == [None, *[f.CANCEL] * 7]


def test_a_reset_after_the_answer_changes_nothing() -> None:
    pair = LoopbackPair()
    pair.client_sends(b"x", b"y")
    pair.server_sends(headers(1), reset(1, f.NO_ERROR), reset(1, f.NO_ERROR))
    assert pair.answers == {0: 200} and not pair.client.closed
    pair.server_sends(frame(f.HEADERS, f.END_STREAM, 3, b""), reset(1, f.NO_ERROR))
    assert pair.client.closed


def test_received_bytes_are_given_back_to_both_windows() -> None:
    pair = LoopbackPair()
    for stream in range(1, 2 * 1_100, 2):
        pair.client_sends(b"x", whole=True)
        pair.server_sends(headers(stream, end=False), data(stream, b"z" * 16_000))
    assert given_back(pair) >= TOP_UP
    pair.client_sends(b"x", whole=True)
    stream = max(pair.server.requests)
    padded = frame(f.DATA, f.PADDED, stream, bytes([255]) + b"z" + b"\0" * 255)
    pair.server_sends(headers(stream, end=False), padded * 2_100)
    assert any(kind == f.WINDOW_UPDATE and at == stream for kind, _, at, _ in pair.server.control)


def test_bytes_of_plain_answers_are_given_back_too() -> None:
    pair = LoopbackPair(streams=1000)
    for turn in range(4):
        pair.client_sends(*[b"x"] * 300)
        streams = range(600 * turn + 1, 600 * turn + 600, 2)
        pair.server_sends(*[headers(stream, end=False) for stream in streams])
        pair.server_sends(*[data(stream, b"z" * 16_000) for stream in streams])
    assert set(pair.answers.values()) == {200}
    assert given_back(pair) >= TOP_UP


def given_back(pair: LoopbackPair) -> int:
    """By how much the connection's window was opened again, after the greeting."""
    updates = [more for kind, _, stream, more in pair.server.control if kind == f.WINDOW_UPDATE and not stream]
    return sum(f.UINT32.unpack(more)[0] for more in updates[1:])


def test_a_body_without_end_is_cut_at_the_cap() -> None:
    pair = LoopbackPair()
    pair.client_sends(b"x")
    pair.server_sends(headers(1, 500, end=False), *[data(1, b"z" * 16_000, end=False)] * (BODY_CAP // 16_000 + 1))
    answer = pair.answers[0]
    assert isinstance(answer, Response) and len(answer.body) == BODY_CAP
    assert pair.requests[0].reset == f.CANCEL
    pair.server_sends(data(1, b"z" * 100, end=False))
    assert not pair.client.closed


def test_bodies_larger_than_a_frame_are_cut_as_the_server_wants() -> None:
    pair = LoopbackPair(window=1 << 20, frame=20_000)
    pair.client_sends(b"a" * 50_000)
    assert pair.requests[0].body == b"a" * 50_000
