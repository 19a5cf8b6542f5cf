"""What the server's decoder reads is what was asked, however the header table is filled, emptied and shrunk."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.transport.h2.request_headers import encoded
from notifier.vocabulary.http import RequestTemplate
from tests.transport.h2 import peer
from tests.transport.h2.peer import FOREVER, Talk

HEADS = [
    RequestTemplate("POST", "https://far.example", "/a", (("authorization", "Bearer " + "a" * 1200), ("x", "1"))),
    RequestTemplate("POST", "https://far.example", "/b", (("authorization", "Bearer " + "b" * 1200),)),
    RequestTemplate(
        "POST", "https://far.example", "/a", (("authorization", "Bearer " + "c" * 900), ("x", "1"), ("y", "2"))
    ),
    RequestTemplate("PUT", "https://other.example:8443", "/d", (("authorization", "Bearer " + "d" * 3000),)),
    RequestTemplate("DELETE", "https://far.example", "/e", ()),
]


@settings(max_examples=60, deadline=None)
@given(
    bursts=st.lists(st.tuples(st.integers(0, len(HEADS) - 1), st.integers(1, 9), st.booleans()), max_size=25),
    sizes=st.dictionaries(st.integers(0, 25), st.sampled_from([0, 100, 2000, 4096, 65_536]), max_size=3),
)
def test_every_request_is_read_as_it_was_asked(bursts: list[tuple[int, int, bool]], sizes: dict[int, int]) -> None:
    talk, expected = Talk(streams=1000, window=1 << 20), []
    talk.says(peer.window(0, 1 << 30))
    for turn, (which, count, varies) in enumerate(bursts):
        if turn in sizes:
            talk.says(peer.settings(table=sizes[turn]))
        head, start = HEADS[which], talk.client.begun
        paths = [b"/" + b"p" * random.Random(turn + at).randrange(300) for at in range(count)]
        slots = [(None, start + at, FOREVER) for at in range(count)]
        talk.client.begin(encoded(head, varies), slots, paths if varies else None, [b"body"] * count)
        talk.server.read(talk.client.written())
        expected += [(head, path.decode() if varies else head.path) for path in paths]
    for seen, (head, path) in zip(talk.requests, expected, strict=True):
        assert seen.ended and seen.body == b"body"
        assert seen.headers[":method"] == head.method and seen.headers[":path"] == path
        assert {name: value for name, value in seen.headers.items() if name in dict(head.headers)} == dict(head.headers)


def test_what_is_repeated_costs_a_byte_a_field() -> None:
    talk, head = Talk(), HEADS[0]
    written = []
    for at in range(8):
        talk.client.begin(encoded(head, False), [(None, at, FOREVER)], None, [b"body"])
        written.append(len(data := talk.client.written()))
        talk.server.read(data)
    assert written[0] > 1200
    assert written[-1] < 60
