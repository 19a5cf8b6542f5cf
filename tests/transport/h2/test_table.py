"""The server's decoder reads each request as it was made, however the header table is filled, emptied and shrunk."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.transport.h2.protocol.encoded_rows import EncodedRows, encode_rows, unsendable_rows
from notifier.transport.h2.protocol.request_headers import encode_template
from notifier.vocabulary.http import RequestRows, RequestTemplate
from tests.transport.h2 import peer
from tests.transport.h2.peer import FOREVER, LoopbackPair

ADDED = ("user-agent", "content-length")  #: by the client
OWN = ("apns-id", "x-own")
TEMPLATES = [
    RequestTemplate("POST", "https://server.example", "/a", (("authorization", "Bearer " + "a" * 1200), ("x", "1"))),
    RequestTemplate("POST", "https://server.example", "/b", (("authorization", "Bearer " + "b" * 1200),)),
    RequestTemplate(
        "POST", "https://server.example", "/a", (("authorization", "Bearer " + "c" * 900), ("x", "1"), ("y", "2"))
    ),
    RequestTemplate("PUT", "https://other.example:8443", "/d", (("authorization", "Bearer " + "d" * 3000),)),
    RequestTemplate("DELETE", "https://server.example", "/e", ()),
    RequestTemplate("POST", "https://server.example", "/f", (("authorization", "Bearer f"),), own_headers=OWN),
]


@settings(max_examples=60, deadline=None)
@given(
    bursts=st.lists(st.tuples(st.integers(0, len(TEMPLATES) - 1), st.integers(1, 9), st.booleans()), max_size=25),
    sizes=st.dictionaries(st.integers(0, 25), st.sampled_from([0, 100, 2000, 4096, 65_536]), max_size=3),
)
def test_every_request_is_read_as_it_was_made(bursts: list[tuple[int, int, bool]], sizes: dict[int, int]) -> None:
    pair, expected = LoopbackPair(streams=1000, window=1 << 20), []
    pair.server_sends(peer.window(0, 1 << 30))
    for turn, (which, count, varies) in enumerate(bursts):
        if turn in sizes:
            pair.server_sends(peer.settings(table=sizes[turn]))
        template, start = TEMPLATES[which], pair.client.begun
        paths = [b"/" + b"p" * random.Random(turn + at).randrange(300) for at in range(count)]
        values = [[b"v" * random.Random(turn - at).randrange(300) for at in range(count)] for _ in template.own_headers]
        slots = [(None, start + at, FOREVER) for at in range(count)]
        rows, encoded = (
            RequestRows([b"body"] * count, paths if varies else None, values),
            encode_template(template, varies),
        )
        assert not unsendable_rows(rows)
        pair.client.begin(encoded, slots, encode_rows(encoded, rows))
        pair.server.read(pair.client.data_to_send())
        expected += [rows.request(template, at) for at in range(count)]
    for seen, request in zip(pair.requests, expected, strict=True):
        assert seen.ended and seen.body == b"body"
        assert seen.headers[":method"] == request.method
        assert f"https://{seen.headers[':authority']}{seen.headers[':path']}" == request.url
        own = {name: value for name, value in seen.headers.items() if name[0] != ":" and name not in ADDED}
        assert own == dict(request.headers)


def test_a_repeated_field_costs_one_byte() -> None:
    pair, template = LoopbackPair(), TEMPLATES[0]
    written = []
    for at in range(8):
        pair.client.begin(encode_template(template, False), [(None, at, FOREVER)], EncodedRows([b"body"]))
        written.append(len(data := pair.client.data_to_send()))
        pair.server.read(data)
    assert written[0] > 1200
    assert written[-1] < 60
