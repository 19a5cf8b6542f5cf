"""The shipped in-memory client: it keeps the contract of HttpClient, and counts what began."""

from __future__ import annotations

import pytest

from notifier.transport import http_client, use_client
from notifier.transport.in_memory import NO_ANSWER, InMemoryClient
from notifier.vocabulary.http import (
    WITHDRAWN,
    HttpClient,
    Request,
    RequestRows,
    RequestTemplate,
    Response,
    TokenRefused,
    TokenRequest,
    TransportError,
)
from notifier.vocabulary.verdicts import InDoubt, Sent
from tests.providers.people import a_push, sandboxed

TEMPLATE = RequestTemplate("POST", "https://server.example", "/send", (("authorization", "Bearer x"),))
TOKEN = TokenRequest("account-1", Request("POST", "https://server.example/token", (), b""))


def request(path: str = "/", body: bytes = b"") -> Request:
    return Request("POST", "https://server.example" + path, (), body)


def by_body(request: Request) -> int | TransportError | None:
    """The body is the status; `lost` is in doubt and `silent` is never answered."""
    word = request.body.decode()
    return TransportError(True, "lost") if word == "lost" else NO_ANSWER if word == "silent" else int(word)


def test_a_provider_sends_through_it_and_each_message_gets_its_own_verdict() -> None:
    client = InMemoryClient(lambda sent: TransportError(True, "lost") if b"lost" in sent.body else 200)
    messages = [a_push(address) for address in ("good", "lost", "fine")]
    verdicts = dict(pair for answers in sandboxed("https://fcm.test").send(messages, client) for pair in answers)
    assert [type(verdicts[index]) for index in range(3)] == [Sent, InDoubt, Sent]
    assert len(client.requests) == len(client.exchanged) == 3
    assert all(("authorization", "Bearer in-memory-token") in sent.headers for sent in client.requests)


def test_it_replaces_the_client_of_the_process_until_the_block_ends() -> None:
    client, inner = InMemoryClient(), InMemoryClient()
    before: HttpClient = http_client()
    with use_client(client):
        assert http_client("some-ca", 7) is client
        with pytest.raises(ZeroDivisionError), use_client(inner):
            assert http_client() is inner
            raise ZeroDivisionError
        assert http_client() is client
    assert http_client() is before


def test_a_table_decides_by_url_and_other_urls_get_200() -> None:
    client = InMemoryClient({"https://server.example/bad": 503})
    answers = [answer for pairs in client.exchange([request("/bad"), request("/good")]) for _, answer in pairs]
    assert answers == [Response(503, {}, b""), Response(200, {}, b"")]


def test_a_request_without_an_answer_is_in_doubt_in_an_exchange() -> None:
    client = InMemoryClient(by_body)
    ((index, answer),) = next(iter(client.exchange([request(body=b"silent")])))
    assert index == 0 and isinstance(answer, TransportError) and answer.begun


def test_an_exchange_closed_early_begins_nothing_more() -> None:
    client = InMemoryClient()
    answers = client.exchange([request(f"/{i}") for i in range(5)])
    next(answers)
    answers.close()  # type: ignore[attr-defined]  # a generator, promised as an iterator
    assert len(client.requests) == 1


def test_a_batch_keeps_only_the_status_of_a_plain_200() -> None:
    client = InMemoryClient(by_body)
    batch = client.send_batch(TEMPLATE, RequestRows([b"200", b"404", b"lost"]))
    assert batch.take(1) == [(0, 200), (1, Response(404, {}, b"")), (2, TransportError(True, "lost"))]
    assert (batch.left, batch.take(0)) == (0, [])
    assert client.requests[0] == Request("POST", "https://server.example/send", TEMPLATE.headers, b"200")
    assert client.exchanged == []


def test_a_queue_returns_the_answers_of_each_batch_and_waits_for_silent_ones() -> None:
    queue = InMemoryClient(by_body).completion_queue()
    first, second = (queue.send_batch(TEMPLATE, RequestRows(bodies)) for bodies in ([b"200"] * 2, [b"200", b"silent"]))
    assert queue.left == 4
    assert queue.take(1) == [(first, [(0, 200), (1, 200)]), (second, [(0, 200)])]
    assert (queue.left, queue.take(0)) == (1, [])


def test_paths_are_each_request_s_own_and_as_many_as_bodies() -> None:
    client = InMemoryClient()
    client.send_batch(TEMPLATE, RequestRows([b"a", b"b"], [b"/1", b"/2"]))
    assert [sent.url for sent in client.requests] == ["https://server.example/1", "https://server.example/2"]
    with pytest.raises(ValueError, match="different lengths"):
        client.send_batch(TEMPLATE, RequestRows([b"a", b"b"], [b"/1"]))


def test_no_more_requests_begin_than_may_be_in_flight_and_withdrawn_ones_never_begin() -> None:
    client = InMemoryClient()
    client.max_in_flight = 2
    batch = client.send_batch(TEMPLATE, RequestRows([b"x"] * 6))
    assert len(client.requests) == 2
    assert batch.take(1) == [(0, 200), (1, 200)]
    assert len(client.requests) == 4
    batch.withdraw()
    assert batch.take(1) == [(2, 200), (3, 200), (4, WITHDRAWN), (5, WITHDRAWN)]
    assert (len(client.requests), batch.left) == (4, 0)


def test_tokens_may_be_refused_and_forgotten_ones_are_counted() -> None:
    client = InMemoryClient()
    assert client.token(TOKEN)
    client.forget_token(TOKEN.cache_key)
    assert client.forgotten_tokens == ["account-1"]

    def refuse(_request: TokenRequest) -> str:
        raise TokenRefused("wrong credentials", temporary=False)

    client.tokens = refuse
    with pytest.raises(TokenRefused):
        client.token(TOKEN)


def test_an_event_between_two_looks_happens_before_answers_are_returned() -> None:
    client, seen = InMemoryClient(), list[int]()
    client.before_take = lambda: seen.append(len(client.requests))
    queue = client.completion_queue()
    queue.send_batch(TEMPLATE, RequestRows([b"x"]))
    queue.take(1)
    assert (seen, client.warm("https://server.example"), client.warmed) == ([1], 1, ["https://server.example"])
