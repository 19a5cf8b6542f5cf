"""The token cache as a unit: when it fetches, and what the token endpoint's answers mean."""

from __future__ import annotations

import threading

import pytest

from notifier.transport.tokens import Tokens, read_grant
from notifier.vocabulary.http import Request, Response, TokenRefused, TokenRequest, TransportError

GOOD = Response(200, {}, b'{"access_token":"T1","expires_in":3600}')
REQUEST = TokenRequest("account-1", Request("POST", "https://provider.test/token", (), b"assertion=secret"))


class Endpoint:
    def __init__(self, answer: Response | TransportError) -> None:
        self.answer, self.requests = answer, 0

    def __call__(self, request: Request) -> Response | TransportError:
        self.requests += 1
        return self.answer


def test_many_threads_fetch_one_token() -> None:
    endpoint = Endpoint(GOOD)
    cache, tokens = Tokens(endpoint), []
    threads = [threading.Thread(target=lambda: tokens.append(cache.get(REQUEST))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tokens == ["T1"] * 20
    assert endpoint.requests == 1


def test_a_forgotten_token_is_fetched_again() -> None:
    endpoint = Endpoint(GOOD)
    cache = Tokens(endpoint, keep_fresh=-1.0)
    cache.get(REQUEST)
    cache.forget(REQUEST.cache_key)
    cache.get(REQUEST)
    assert endpoint.requests == 2


def test_late_refusals_of_an_older_token_do_not_drop_the_new_one() -> None:
    endpoint = Endpoint(GOOD)
    cache = Tokens(endpoint)
    cache.get(REQUEST)
    for _ in range(10):
        cache.forget(REQUEST.cache_key)
        cache.get(REQUEST)
    assert endpoint.requests == 1


def test_a_request_whose_connection_is_lost_is_sent_once_more_and_a_server_that_is_away_is_not_asked_twice() -> None:
    answers: list[Response | TransportError] = [TransportError(True, "the connection ended"), GOOD]
    assert Tokens(lambda _: answers.pop(0)).get(REQUEST) == "T1"
    for answer, requests in (
        (TransportError(False, "no route", unreachable=True), 1),
        (TransportError(True, "cut"), 2),
    ):
        endpoint = Endpoint(answer)
        with pytest.raises(TokenRefused):
            Tokens(endpoint).get(REQUEST)
        assert endpoint.requests == requests


def test_a_token_near_its_end_is_replaced() -> None:
    endpoint = Endpoint(Response(200, {}, b'{"access_token":"T1","expires_in":0}'))
    cache = Tokens(endpoint)
    cache.get(REQUEST)
    cache.get(REQUEST)
    assert endpoint.requests == 2


def test_refused_credentials_are_not_tried_at_once_again_and_can_be_corrected() -> None:
    now = [1_000.0]
    endpoint = Endpoint(Response(400, {}, b'{"error":"invalid_grant","error_description":"Invalid JWT"}'))
    cache = Tokens(endpoint, clock=lambda: now[0])
    for _ in range(5):
        with pytest.raises(TokenRefused, match="invalid_grant"):
            cache.get(REQUEST)
    assert endpoint.requests == 1
    now[0] += 60
    endpoint.answer = GOOD
    assert cache.get(REQUEST) == "T1"


@pytest.mark.parametrize(
    ("answer", "temporary"),
    [
        (Response(400, {}, b'{"error":"invalid_grant"}'), False),
        (Response(401, {}, b"{}"), False),
        (Response(403, {}, b"nonsense"), False),
        (Response(404, {}, b"[]"), False),
        (Response(429, {}, b"{}"), True),
        (Response(500, {}, b""), True),
        (Response(503, {}, b"\xff\xfe"), True),
        (Response(200, {}, b"<html>"), True),
        (Response(200, {}, b'{"access_token":""}'), True),
        (Response(200, {}, b'{"access_token":7}'), True),
        (Response(200, {}, b'{"access_token":"T","expires_in":"soon"}'), True),
        (TransportError(False, "refused"), True),
        (TransportError(True, "timed out"), True),
    ],
)
def test_the_endpoint_s_answer_decides_whether_to_try_again(answer: Response | TransportError, temporary: bool) -> None:
    with pytest.raises(TokenRefused) as refused:
        read_grant(answer)
    assert refused.value.temporary is temporary
    assert "secret" not in str(refused.value)


def test_nothing_of_a_token_is_in_the_cache_s_repr() -> None:
    cache = Tokens(Endpoint(GOOD))
    cache.get(REQUEST)
    assert "T1" not in repr(cache)


def test_entries_of_replaced_credentials_do_not_pile_up() -> None:
    endpoint = Endpoint(GOOD)
    cache = Tokens(endpoint, capacity=100)
    for n in range(1_000):
        assert cache.get(TokenRequest(f"account-{n}", REQUEST.request)) == "T1"
        assert cache.get(TokenRequest(f"account-{n}", REQUEST.request)) == "T1"
    assert len(cache) <= 100
    assert endpoint.requests == 1_000


def test_a_refusal_counts_for_its_own_key_only() -> None:
    endpoint = Endpoint(Response(400, {}, b'{"error":"invalid_grant"}'))
    cache = Tokens(endpoint)
    with pytest.raises(TokenRefused):
        cache.get(TokenRequest("forger", REQUEST.request))
    endpoint.answer = GOOD
    assert cache.get(TokenRequest("victim", REQUEST.request)) == "T1"
    with pytest.raises(TokenRefused):
        cache.get(TokenRequest("forger", REQUEST.request))
