"""The token cache as a unit: what is fetched when, and what the endpoint's words mean."""

from __future__ import annotations

import threading
import time

import pytest

from notifier.transport import tokens
from notifier.transport.tokens import Tokens, read_grant
from notifier.vocabulary.http import Request, Response, TokenRefused, TokenRequest, TransportError

GOOD = Response(200, {}, b'{"access_token":"T1","expires_in":3600}')
WANTED = TokenRequest("account-1", Request("POST", "https://far.test/token", (), b"assertion=secret"))


class Endpoint:
    def __init__(self, answer: Response | TransportError) -> None:
        self.answer, self.asked = answer, 0

    def __call__(self, request: Request) -> Response | TransportError:
        self.asked += 1
        return self.answer


def test_many_threads_fetch_one_token() -> None:
    endpoint = Endpoint(GOOD)
    cache, found = Tokens(endpoint), []
    threads = [threading.Thread(target=lambda: found.append(cache.get(WANTED))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["T1"] * 20
    assert endpoint.asked == 1


def test_a_forgotten_token_is_fetched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "YOUNG", -1.0)
    endpoint = Endpoint(GOOD)
    cache = Tokens(endpoint)
    cache.get(WANTED)
    cache.forget(WANTED.cache_key)
    cache.get(WANTED)
    assert endpoint.asked == 2


def test_late_refusals_of_an_older_token_do_not_drop_the_new_one() -> None:
    endpoint = Endpoint(GOOD)
    cache = Tokens(endpoint)
    cache.get(WANTED)
    for _ in range(10):
        cache.forget(WANTED.cache_key)
        cache.get(WANTED)
    assert endpoint.asked == 1


def test_a_token_near_its_end_is_replaced() -> None:
    endpoint = Endpoint(Response(200, {}, b'{"access_token":"T1","expires_in":0}'))
    cache = Tokens(endpoint)
    cache.get(WANTED)
    cache.get(WANTED)
    assert endpoint.asked == 2


def test_dead_credentials_are_not_hammered_and_can_be_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = Endpoint(Response(400, {}, b'{"error":"invalid_grant","error_description":"Invalid JWT"}'))
    cache = Tokens(endpoint)
    for _ in range(5):
        with pytest.raises(TokenRefused, match="invalid_grant"):
            cache.get(WANTED)
    assert endpoint.asked == 1
    now = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: now() + 60)
    endpoint.answer = GOOD
    assert cache.get(WANTED) == "T1"


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
def test_what_the_endpoint_says_decides_whether_to_try_again(
    answer: Response | TransportError, temporary: bool
) -> None:
    with pytest.raises(TokenRefused) as refused:
        read_grant(answer)
    assert refused.value.temporary is temporary
    assert "secret" not in str(refused.value)


def test_nothing_of_a_token_is_in_the_cache_s_repr() -> None:
    cache = Tokens(Endpoint(GOOD))
    cache.get(WANTED)
    assert "T1" not in repr(cache._entries)


def test_what_replaced_credentials_left_behind_does_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "MOST", 100)
    endpoint = Endpoint(GOOD)
    cache = Tokens(endpoint)
    for n in range(1_000):
        assert cache.get(TokenRequest(f"account-{n}", WANTED.request)) == "T1"
        assert cache.get(TokenRequest(f"account-{n}", WANTED.request)) == "T1"
    assert len(cache._entries) <= 100
    assert endpoint.asked == 1_000


def test_a_refusal_is_told_under_its_own_key_only() -> None:
    endpoint = Endpoint(Response(400, {}, b'{"error":"invalid_grant"}'))
    cache = Tokens(endpoint)
    with pytest.raises(TokenRefused):
        cache.get(TokenRequest("forger", WANTED.request))
    endpoint.answer = GOOD
    assert cache.get(TokenRequest("victim", WANTED.request)) == "T1"
    with pytest.raises(TokenRefused):
        cache.get(TokenRequest("forger", WANTED.request))
