"""Credentials that anyone can invent: each counts as its client's address until a view has accepted it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from typing import Any

import pytest
from pytest_django import Settings

from inbox import tokens
from notifier.api.direct.known_keys import KnownKeys
from notifier.api.framework.authentication import ApiCaller
from notifier.delivery.infra import redis
from notifier.vocabulary.rates import Rates
from notifier.vocabulary.status import Mode
from notifier.web.rate_door import RateDoor
from notifier.web.serving.group_commit import Busy
from tenants.models import Recipient
from tests.fixtures import People
from tests.inbox.web import Web
from tests.web.test_rate_door import call, key_of, site

__all__ = ["site"]

LOCAL = "rate:address:127.0.0.1"


@pytest.mark.django_db(transaction=True)
def test_invented_credentials_share_the_limit_of_their_address(site: People) -> None:
    key = key_of(site.acme, "no stranger")
    token, _ = tokens.mint(Recipient.objects.get(external_id="dora"), 600)
    redis.client().delete(LOCAL)
    web = Web(app="tests.web.short_clocks:application", RATE_LIMIT_ADDRESS="1")
    try:
        assert call(web, "GET", "/v1/limits", key)[0] == 200
        assert call(web, "GET", "/v1/inbox/unread", token)[0] == 200
        invented = [call(web, "GET", "/v1/inbox/unread", f"invented-{n}") for n in range(40)]
        assert {answer[0] for answer in invented} == {401, 429}
        invented += [call(web, "POST", f"/v1/receipts/ses/{uuid.uuid4()}/secret", "", {}) for _ in range(40)]
        invented += [call(web, "GET", "/v1/limits", f"nk_live_{n}") for n in range(40)]
        assert {answer[2]["ratelimit-policy"] for answer in invented} == {'"address";q=10;w=10'}
        # ten at once, and one more for each second that the test took
        assert [answer[0] for answer in invented[40:80]].count(429) >= 1
        assert [answer[0] for answer in invented[80:]].count(429) >= 1
        # the address has nothing left; credentials that were accepted do not need it
        known = call(web, "GET", "/v1/inbox/unread", token)
        assert (known[0], known[2]["ratelimit-policy"]) == (200, '"inbox";q=200;w=10')
        assert call(web, "GET", "/v1/limits", key)[0] == 200
    finally:
        web.stop()
        redis.client().delete(LOCAL)


class Keys(KnownKeys):
    """Keys of a database that knows none of them."""

    def __init__(self) -> None:
        super().__init__()
        self.lookups = 0

    async def caller(self, digest: bytes) -> ApiCaller | None:
        self.lookups += 1
        return None


class BusyKeys(Keys):
    """The database does not answer; this process saw the key some minutes ago."""

    def remembered(self, digest: bytes) -> tuple[ApiCaller | None, bool]:
        return ApiCaller(uuid.UUID(int=1), uuid.UUID(int=2), Mode.LIVE, frozenset(), Rates(7, None), Rates()), False

    async def caller(self, digest: bytes) -> ApiCaller | None:
        raise Busy


def ask(door: RateDoor, address: str) -> tuple[int, dict[bytes, bytes]]:
    """The status and the headers of a call with a key."""
    started: list[Mapping[str, Any]] = []

    async def send(message: Mapping[str, Any]) -> None:
        started.append(message)

    async def receive() -> Mapping[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/v1/limits",
        "client": (address, 1),
        "headers": [(b"authorization", b"Bearer nk_live_" + uuid.uuid4().hex.encode())],
    }
    asyncio.run(door(scope, receive, send))
    return started[0]["status"], dict(started[0]["headers"])


async def unauthorized(scope: Mapping[str, Any], receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 401, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def test_the_database_is_not_asked_for_a_key_that_the_address_may_not_send(settings: Settings) -> None:
    settings.RATE_LIMIT_ADDRESS = 1
    keys = Keys()
    door = RateDoor(unauthorized, keys)
    statuses = [ask(door, "93.184.215.14")[0] for _ in range(60)]
    assert set(statuses) == {401, 429}
    assert keys.lookups == statuses.count(401)


def test_a_database_that_is_away_does_not_change_whose_limit_holds() -> None:
    _, headers = ask(RateDoor(unauthorized, BusyKeys()), "93.184.215.15")
    assert headers[b"ratelimit-policy"] == b'"requests";q=70;w=10'
