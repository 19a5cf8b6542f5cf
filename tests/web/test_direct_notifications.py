"""POST /v1/notifications and /v1/notifications/bulk of the real web process: the direct way gives the answers of the
views, and requests at once are stored once each."""

from __future__ import annotations

import http.client
import json
import re
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
from pytest_django import Settings

from notifier.delivery.content import templates
from notifier.models import Delivery, Notification, OrderingQueue, Template
from notifier.vocabulary.status import Lane, Mode
from notifier.web.serving.direct import is_our_host
from tenants.models import ApiKey, Device, IdempotencyKey, Recipient, Tenant
from tests.fixtures import People, api_key
from tests.inbox.web import Web

pytestmark = pytest.mark.django_db(transaction=True)

SINGLE, BULK = "/v1/notifications", "/v1/notifications/bulk"
#: a query sends the request to the view
VIEW = "?by=view"
GOOD = {"recipient": "dora", "template": "shipped", "data": {"order": "42"}}
_IDS = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}|[0-9a-f]{32}")

Answer = tuple[int, bytes, Mapping[str, str]]


@pytest.fixture
def site(people: People) -> People:
    for tenant, recipient in ((people.acme, "dora"), (people.acme, "emil"), (people.globex, "zoe")):
        template, _ = Template.objects.get_or_create(tenant=tenant, key="shipped")
        content = {"push": {"en": {"title": "Order {{ order }}", "body": "Hi"}}}
        templates.publish(template, content)
        person = Recipient.objects.create(tenant=tenant, external_id=recipient, name=recipient.title())
        Device.objects.create(tenant=tenant, recipient=person, token=f"token-of-{recipient}")
    return people


def post(web: Web, path: str, key: str, body: Any, **headers: str) -> Answer:
    with closing(http.client.HTTPConnection("127.0.0.1", web.port, timeout=60)) as connection:
        return post_on(connection, path, key, body, **headers)


def post_on(connection: http.client.HTTPConnection, path: str, key: str, body: Any, **headers: str) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"content-type": "application/json", "authorization": f"Bearer {key}"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("POST", path, content, sent)
    answer = connection.getresponse()
    return answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()}


def without_ids(answer: Answer) -> tuple[object, ...]:
    status, content, headers = answer
    told = ("content-type", "retry-after", "www-authenticate", "idempotent-replayed", "x-content-type-options")
    return status, _IDS.sub(b"ID", content), [headers.get(name) for name in told], "x-request-id" in headers


BODIES: dict[str, tuple[str, Any]] = {
    "accepted": (SINGLE, GOOD),
    "with-channels": (SINGLE, {**GOOD, "channels": ["push"]}),
    "with-a-route": (SINGLE, {**GOOD, "route": [{"channel": "push"}]}),
    "unknown-recipient": (SINGLE, {**GOOD, "recipient": "no"}),
    "unknown-template": (SINGLE, {**GOOD, "template": "no"}),
    "unknown-field": (SINGLE, {**GOOD, "tempalte": "x"}),
    "missing-variable": (SINGLE, {**GOOD, "data": {}}),
    "several-wrong-fields": (SINGLE, {"recipient": 7, "template": None, "send_at": "soon"}),
    "no-object": (SINGLE, [GOOD]),
    "no-json": (SINGLE, b"{"),
    "no-utf-8": (SINGLE, b'{"recipient": "\xff"}'),
    "too-deep": (SINGLE, b"[" * 100 + b"]" * 100),
    "a-nul": (SINGLE, b'{"recipient": "do\\u0000ra", "template": "shipped"}'),
    "a-huge-number": (SINGLE, {**GOOD, "data": {"order": 10**30}}),
    "a-route-and-channels": (SINGLE, {**GOOD, "channels": ["push"], "route": [{"channel": "push"}]}),
    "attachments-without-email": (SINGLE, {**GOOD, "attachments": [{"name": "a.txt", "content": "YQ=="}]}),
    "bulk": (BULK, {"items": [GOOD, GOOD]}),
    "bulk-with-bad-items": (BULK, {"items": [GOOD, {**GOOD, "recipient": "no"}, 7, {**GOOD, "send_at": "soon"}]}),
    "bulk-empty": (BULK, {"items": []}),
    "bulk-with-another-field": (BULK, {"items": [GOOD], "other": 1}),
    "bulk-too-many": (BULK, {"items": [GOOD] * 1001}),
}


@pytest.mark.parametrize("case", BODIES)
def test_the_direct_way_answers_as_the_view_does(web: Web, site: People, case: str) -> None:
    path, body = BODIES[case]
    direct, viewed = post(web, path, site.acme_key, body), post(web, path + VIEW, site.acme_key, body)
    assert without_ids(direct) == without_ids(viewed)
    if not case.startswith("attachments"):
        assert "allow" not in direct[2], "the view answered, not the direct way"


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": ""},
        {"authorization": "Basic eDp5"},
        {"authorization": "Bearer nk_live_unknown"},
        {"authorization": "Bearer "},
        {"content-type": "text/plain"},
        {"content-encoding": "gzip"},
        {"idempotency-key": ""},
        {"idempotency-key": "x" * 300},
    ],
    ids=lambda headers: "-".join(f"{name}-{value[:12]}" for name, value in headers.items()),
)
def test_odd_headers_get_the_answer_of_the_view(web: Web, site: People, headers: dict[str, str]) -> None:
    direct = post(web, SINGLE, site.acme_key, GOOD, **headers)
    assert without_ids(direct) == without_ids(post(web, SINGLE + VIEW, site.acme_key, GOOD, **headers))
    assert direct[0] >= 400 and not Notification.objects.exists()


def test_a_host_that_is_not_of_this_site_goes_to_the_view(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["notifier.example", ".notifier.test"]
    ours = [b"notifier.example", b"notifier.example:8000", b"a.notifier.test"]
    assert all(map(is_our_host, ours)) and all(map(is_our_host, ours))
    assert not any(map(is_our_host, [b"", b"elsewhere.example", b"notifier.example.elsewhere", b"\xff", b"a b"]))


def test_a_key_without_the_scope_and_a_test_key(web: Web, site: People) -> None:
    without = api_key(site.acme, "recipients")
    direct, viewed = (post(web, path, without, GOOD) for path in (SINGLE, SINGLE + VIEW))
    assert direct[0] == 403 and without_ids(direct) == without_ids(viewed)
    assert post(web, SINGLE, api_key(site.acme, mode=Mode.TEST), GOOD)[0] == 202
    assert list(Notification.objects.values_list("mode", flat=True)) == ["test"]


def test_a_key_that_was_used_a_moment_ago_accepts_nothing_once_it_is_revoked(web: Web, site: People) -> None:
    assert post(web, SINGLE, site.acme_key, GOOD)[0] == 202
    ApiKey.objects.filter(tenant=site.acme).delete()
    direct, viewed = (post(web, path, site.acme_key, GOOD) for path in (SINGLE, SINGLE + VIEW))
    assert direct[0] == 401 and without_ids(direct) == without_ids(viewed)
    assert Notification.objects.count() == 1


def test_a_tenant_that_is_switched_off_accepts_nothing(web: Web, site: People) -> None:
    assert post(web, SINGLE, site.acme_key, GOOD)[0] == 202
    Tenant.objects.filter(pk=site.acme.pk).update(active=False)
    assert post(web, SINGLE, site.acme_key, GOOD)[0] == 401
    assert Notification.objects.count() == 1


def test_requests_at_once_are_stored_once_each_for_their_own_tenants(web: Web, site: People) -> None:
    callers = [
        (site.acme_key, "dora"),
        (site.acme_key, "emil"),
        (site.globex_key, "zoe"),
        (site.globex_key, "dora"),
    ] * 2

    def caller(number: int) -> list[int]:
        key, recipient = callers[number]
        with closing(http.client.HTTPConnection("127.0.0.1", web.port, timeout=60)) as connection:
            bodies = [{**GOOD, "recipient": recipient, "data": {"order": f"{number}-{n}"}} for n in range(25)]
            return [post_on(connection, SINGLE, key, body)[0] for body in bodies]

    with ThreadPoolExecutor(len(callers)) as pool:
        statuses = list(pool.map(caller, range(len(callers))))
    assert [set(s) for s in statuses] == [{202}, {202}, {202}, {400}] * 2
    stored = Notification.objects.values_list("tenant_id", "recipient__external_id")
    assert Counter(stored) == {
        (site.acme.pk, "dora"): 50, (site.acme.pk, "emil"): 50, (site.globex.pk, "zoe"): 50
    }  # fmt: skip
    for number in (0, 1, 2, 4, 5, 6):
        rows = Notification.objects.filter(data__order__startswith=f"{number}-").order_by("id")
        orders = list(Delivery.objects.filter(notification_id__in=[r.pk for r in rows]).order_by("seq"))
        by_id: dict[object, str] = {row.pk: row.data["order"] for row in rows}
        assert [by_id[d.notification_id] for d in orders] == [f"{number}-{n}" for n in range(25)]


def test_twenty_requests_with_one_idempotency_key_are_one_message(web: Web, site: People) -> None:
    def caller(number: int) -> Answer:
        path = SINGLE + (VIEW if number % 4 == 3 else "")
        return post(web, path, site.acme_key, GOOD, idempotency_key="order-42")

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(caller, range(20)))
    assert {(status, content) for status, content, _ in answers} == {(202, answers[0][1])}
    assert Notification.objects.count() == IdempotencyKey.objects.count() == 1
    assert Counter("idempotent-replayed" in headers for *_, headers in answers) == {True: 19, False: 1}


def test_a_key_with_another_body_is_refused_and_a_refused_request_leaves_its_key_free(web: Web, site: People) -> None:
    unknown = {**GOOD, "recipient": "no"}
    assert post(web, SINGLE, site.acme_key, unknown, idempotency_key="k")[0] == 400
    assert not IdempotencyKey.objects.exists()
    assert post(web, SINGLE, site.acme_key, GOOD, idempotency_key="k")[0] == 202
    direct, viewed = (post(web, path, site.acme_key, unknown, idempotency_key="k") for path in (SINGLE, SINGLE + VIEW))
    assert direct[0] == 422 and without_ids(direct) == without_ids(viewed)
    assert post(web, BULK, site.acme_key, {"items": [GOOD]}, idempotency_key="k")[0] == 202  # a key of its own
    assert Notification.objects.count() == 2


def test_the_answer_of_one_way_is_replayed_on_the_other(web: Web, site: People) -> None:
    body = {"items": [GOOD, 7, {**GOOD, "recipient": "émil — “x”"}]}
    for number, (first, second) in enumerate(((BULK, BULK + VIEW), (BULK + VIEW, BULK))):
        one = post(web, first, site.acme_key, body, idempotency_key=f"k{number}")
        two = post(web, second, site.acme_key, body, idempotency_key=f"k{number}")
        assert (one[:2], two[2]["idempotent-replayed"]) == (two[:2], "true")
    assert Notification.objects.count() == 2


def slow_template(tenant: Tenant) -> None:
    """A text that takes 10 ms of CPU, of the 100 that one message has; 24 messages of one call have 111."""
    template = Template.objects.create(tenant=tenant, key="slow")
    title = "{% for i in (1..2000) %}{% if i == 2000 %}{{ order }}{% endif %}{% endfor %}"
    templates.publish(template, {"push": {"en": {"title": title, "body": "Hi"}}})


def test_each_of_many_requests_at_once_has_the_time_of_one_message(web: Web, site: People) -> None:
    slow_template(site.acme)

    def caller(number: int) -> int:
        return post(web, SINGLE, site.acme_key, {**GOOD, "template": "slow", "data": {"order": str(number)}})[0]

    with ThreadPoolExecutor(24) as pool:
        assert set(pool.map(caller, range(24))) == {202}


def test_a_request_that_would_overfill_a_queue_leaves_no_trace_beside_others_that_are_accepted(
    web: Web, site: People
) -> None:
    dora, emil = (Recipient.objects.get(tenant=site.acme, external_id=name) for name in ("dora", "emil"))
    OrderingQueue.objects.create(
        tenant=site.acme, recipient_id=dora.pk, channel="push", lane=Lane.TRANSACTIONAL, mode="live", unfinished=200,
        turn_taken=True,
    )  # fmt: skip

    def caller(number: int) -> tuple[int, bool]:
        name = (dora, emil)[number % 2].external_id
        status, content, headers = post(
            web, SINGLE, site.acme_key, {**GOOD, "recipient": name}, idempotency_key=str(number)
        )
        return status, "retry-after" in headers and b"queue_full" in content

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(caller, range(16)))
    assert answers == [(429, True), (202, False)] * 8
    assert Counter(Notification.objects.values_list("recipient_id", flat=True)) == {emil.pk: 8}
    assert IdempotencyKey.objects.count() == 8
    assert OrderingQueue.objects.get(recipient_id=dora.pk).unfinished == 200


def test_a_refusal_names_the_request(web: Web, site: People) -> None:
    status, content, headers = post(web, SINGLE, site.acme_key, b"{")
    problem = json.loads(content)
    assert (status, problem["instance"], problem["request_id"]) == (400, SINGLE, headers["x-request-id"])
