"""Limits of requests and recipients, as a client of the real web process meets them."""

from __future__ import annotations

import http.client
import json
import re
import socket
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

import pytest
from django.test import Client

from inbox import tokens
from notifier.delivery.content import templates
from notifier.delivery.infra import redis
from notifier.local.servers.ports import free_port
from notifier.models import Notification, Template
from tenants.api_keys import create_key
from tenants.models import ApiKey, Device, Recipient, Tenant
from tests.fixtures import People
from tests.inbox.web import Web

pytestmark = pytest.mark.django_db(transaction=True)

SINGLE, BULK = "/v1/notifications", "/v1/notifications/bulk"
GOOD = {"recipient": "dora", "template": "shipped", "data": {"order": "42"}}
Answer = tuple[int, Any, Mapping[str, str]]


@pytest.fixture
def site(people: People) -> People:
    template, _ = Template.objects.get_or_create(tenant=people.acme, key="shipped")
    templates.publish(template, {"push": {"en": {"title": "Order {{ order }}", "body": "Hi"}}})
    person = Recipient.objects.create(tenant=people.acme, external_id="dora", name="Dora")
    Device.objects.create(tenant=people.acme, recipient=person, token="token-of-dora")
    return people


def key_of(tenant: Tenant, name: str, **limits: int) -> str:
    """A key of its own for each test: a process remembers a key for a minute."""
    key, text = create_key(tenant, name, "live", ["*"])
    ApiKey.objects.filter(pk=key.pk).update(**limits)
    return text


def call(web: Web, method: str, path: str, key: str = "", body: Any = None, **headers: str) -> Answer:
    sent = {"content-type": "application/json", **({"authorization": f"Bearer {key}"} if key else {}), **headers}
    with closing(http.client.HTTPConnection("127.0.0.1", web.port, timeout=60)) as connection:
        connection.request(method, path, None if body is None else json.dumps(body), sent)
        answer = connection.getresponse()
        text = answer.read()
        content = json.loads(text) if "json" in answer.headers.get("content-type", "") else text
        return answer.status, content, {name.lower(): value for name, value in answer.getheaders()}


def left(answer: Answer, name: str) -> int:
    found = re.search(rf'"{name}";r=(\d+);t=\d+', answer[2]["ratelimit"])
    assert found is not None
    return int(found[1])


def test_every_answer_says_the_limits_and_what_is_left(site: People, web: Web) -> None:
    key = key_of(site.acme, "fields")
    first = call(web, "GET", "/v1/limits", key)
    assert first[0] == 200
    assert first[2]["ratelimit-policy"] == '"requests";q=10000;w=10, "recipients";q=200000;w=10'
    assert {rate["name"]: rate["per_second"] for rate in first[1]["rates"]} == {"requests": 1000, "recipients": 20000}
    for method, path, body, status in [
        ("POST", SINGLE, GOOD, 202),  # the direct way
        ("POST", f"{SINGLE}?by=view", GOOD, 202),
        ("POST", SINGLE, {**GOOD, "template": "no"}, 400),
        ("GET", "/v1/no-such-address", None, 404),
    ]:
        answer = call(web, method, path, key, body)
        assert answer[0] == status
        assert left(answer, "requests") > 9_000 and answer[2]["ratelimit-policy"] == first[2]["ratelimit-policy"]


@pytest.mark.parametrize("path", [SINGLE, f"{SINGLE}?by=view"], ids=["direct", "view"])
def test_a_key_over_its_limit_is_refused_and_nothing_is_stored(path: str, site: People, web: Web) -> None:
    key = key_of(site.acme, f"own {path}", requests_per_second=1)
    answers = [call(web, "POST", path, key, GOOD) for _ in range(30)]
    refused = [answer for answer in answers if answer[0] == 429]
    # ten at once, and one more for each second that the test took
    assert refused and answers[0][0] == 202
    assert Notification.objects.count() == 30 - len(refused)
    status, document, headers = refused[0]
    assert (document["code"], document["status"]) == ("rate_limited", status)
    assert "'key-requests' of 1 requests a second" in document["detail"] and "raise the limit" in document["detail"]
    assert int(headers["retry-after"]) >= 1 and headers["content-type"] == "application/problem+json"
    assert '"key-requests";q=10;w=10' in headers["ratelimit-policy"] and '"key-requests";r=0;' in headers["ratelimit"]
    assert document["request_id"] == headers["x-request-id"]
    # another key of the tenant goes on
    assert call(web, "POST", path, key_of(site.acme, f"other {path}"), GOOD)[0] == 202


def test_replays_and_refused_requests_count(site: People, web: Web) -> None:
    key = key_of(site.acme, "replays", requests_per_second=1)
    once = {"idempotency-key": "once"}
    statuses = [call(web, "POST", SINGLE, key, GOOD, **once)[0] for _ in range(6)]
    statuses += [call(web, "POST", SINGLE, key, {}, **once)[0] for _ in range(30)]
    counts = Counter(statuses)
    assert counts[202] >= 1 and counts[429] >= 1
    assert Notification.objects.count() == 1


def test_all_keys_of_a_tenant_share_its_limit(site: People, web: Web) -> None:
    Tenant.objects.filter(pk=site.acme.pk).update(requests_per_second=1)
    keys = [key_of(site.acme, f"shared {n}") for n in range(3)]
    statuses = Counter(call(web, "GET", "/v1/limits", keys[n % 3])[0] for n in range(40))
    assert statuses[429] >= 1
    answers = (call(web, "GET", "/v1/limits", keys[0]) for _ in range(40))
    assert "the operator" in next(answer for answer in answers if answer[0] == 429)[1]["detail"]


@pytest.mark.parametrize("path", [BULK, f"{BULK}?by=view"], ids=["direct", "view"])
def test_a_bulk_counts_its_recipients_and_the_next_one_waits_for_them(path: str, site: People, web: Web) -> None:
    key = key_of(site.acme, f"bulk {path}", recipients_per_second=1)
    bulk = {"items": [GOOD] * 150}
    first = call(web, "POST", path, key, bulk)
    assert first[0] == 202 and left(first, "key-recipients") == 0
    status, document, headers = call(web, "POST", path, key, bulk)
    assert (status, document["code"]) == (429, "rate_limited")
    assert "'key-recipients'" in document["detail"] and int(headers["retry-after"]) >= 10
    assert Notification.objects.count() == 150
    # requests that name no recipients go on
    assert call(web, "GET", "/v1/limits", key)[0] == 200


def test_a_recipient_token_has_a_limit_of_its_own(site: People) -> None:
    people = [Recipient.objects.get(external_id="dora"), Recipient.objects.create(tenant=site.acme, external_id="eve")]
    token, other = (tokens.mint(person, 600)[0] for person in people)
    web = Web(RATE_LIMIT_INBOX="1")
    try:
        answers = [call(web, "GET", "/v1/inbox/unread", token) for _ in range(60)]
        assert call(web, "GET", "/v1/inbox/unread", other)[0] == 200
    finally:
        web.stop()
    assert {answer[0] for answer in answers} == {200, 429}
    assert {answer[2]["ratelimit-policy"] for answer in answers} == {'"inbox";q=10;w=10'}
    refused = next(answer for answer in answers if answer[0] == 429)
    assert refused[2]["access-control-allow-origin"] == "*"


def test_health_checks_and_static_files_have_no_limit(web: Web) -> None:
    for path in ("/healthz", "/readyz", "/status.json", "/static/inbox/notifier-inbox.js"):
        assert "ratelimit" not in call(web, "GET", path)[2]


@contextmanager
def frozen_redis() -> Iterator[str]:
    """A server that takes connections and never answers."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=200)) as server:
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"


@pytest.mark.parametrize("how", ["closed", "frozen"])
def test_without_redis_a_limit_becomes_a_share_and_not_a_refusal_of_everything(how: str, site: People) -> None:
    key = key_of(site.acme, f"away {how}", requests_per_second=2)
    with frozen_redis() as frozen:
        url = frozen if how == "frozen" else f"redis://127.0.0.1:{free_port()}/0"
        web = Web(url)
        try:
            statuses = Counter(call(web, "GET", "/v1/limits", key)[0] for _ in range(60))
        finally:
            web.stop()
    assert set(statuses) == {200, 429}


def test_processes_together_grant_no_more_than_the_limit(site: People, web: Web) -> None:
    key = key_of(site.acme, "two processes", requests_per_second=1)
    other = Web()
    try:
        answers = [call(server, "GET", "/v1/limits", key) for _ in range(20) for server in (web, other)]
    finally:
        other.stop()
    granted = [answer for answer in answers if answer[0] == 200]
    # what Redis has granted, by its own clock: ten at once, and what the seconds of this test added
    assert redis.client().exists(f"rate:key:{ApiKey.objects.get(name='two processes').pk}:requests")
    assert 10 <= len(granted) < 40


def test_without_the_door_there_are_no_rates(site: People, client: Client) -> None:
    key = key_of(site.acme, "no door", recipients_per_second=1)
    headers = {"authorization": f"Bearer {key}"}
    body = json.dumps({"items": [GOOD] * 20})
    answers = [client.post(BULK, body, "application/json", headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert not any("ratelimit" in answer.headers for answer in answers)
