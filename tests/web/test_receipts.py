"""The receipts address of the real web process: what it stores of many calls at once, and what it refuses."""

from __future__ import annotations

import asyncio
import http.client
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from notifier.delivery.accounts import receipts_address
from notifier.delivery.receipts import incoming, sealing
from notifier.models import ProviderAccount, Receipt
from notifier.receipts.direct import DirectReceipts
from notifier.vocabulary.receipts import ReceiptRequest
from tenants.models import Tenant
from tests.fixtures import People, as_web_role
from tests.inbox.web import Web
from tests.receipts.reporter import forged
from tests.web.raw import HOST, Answer, Raw, request

pytestmark = pytest.mark.django_db(transaction=True)
KIB = 1024


def an_account(tenant: Tenant, provider: str = "postmark", channel: str = "email") -> ProviderAccount:
    secret = receipts_address.new_secret(tenant.pk)
    return ProviderAccount.objects.create(
        tenant=tenant, name=provider, provider=provider, channel=channel, sandbox=True, receipts_secret=secret
    )


def path_of(account: ProviderAccount) -> str:
    return "/" + receipts_address.address_of(account).split("/", 3)[3]


def post(web: Web, path: str, body: bytes, *headers: str) -> Answer:
    length = "" if any(h.lower().startswith("transfer-") for h in headers) else f"Content-Length: {len(body)}\r\n"
    return request(web, f"POST {path} HTTP/1.1\r\n{HOST}{length}{''.join(headers)}\r\n" + body.decode("latin-1"))


def stored() -> dict[bytes, ReceiptRequest]:
    rows = Receipt.objects.all()
    calls = [sealing.unseal_call(row.tenant_id, bytes(row.sealed)) for row in rows]
    return {call.body: call for call in calls}


def test_calls_at_once_are_stored_once_each_for_their_own_tenants(web: Web, people: People) -> None:
    accounts = [an_account(people.acme), an_account(people.globex)]

    def provider(number: int) -> set[int]:
        """One provider's server, which calls again and again on one connection."""
        with closing(http.client.HTTPConnection("127.0.0.1", web.port, timeout=60)) as connection:
            answers = set()
            for n in range(10):
                path = path_of(accounts[number % 2]) + "?delivery=7"
                connection.request("POST", path, b"%d.%d" % (number, n), {"X-Odd": "\xe9"})
                response = connection.getresponse()
                response.read()
                answers.add(response.status)
            return answers

    with ThreadPoolExecutor(8) as threads:
        assert [status for answers in threads.map(provider, range(8)) for status in answers] == [200] * 8
    rows = Receipt.objects.all()
    assert len(rows) == 80
    for row in rows:
        call = sealing.unseal_call(row.tenant_id, bytes(row.sealed))
        account = accounts[int(call.body.split(b".")[0]) % 2]
        assert (row.account_id, row.tenant_id) == (account.pk, account.tenant_id)
        assert call.url == receipts_address.address_of(account) + "?delivery=7"
        assert call.headers["x-odd"] == "\xe9"
    assert len({sealing.unseal_call(row.tenant_id, bytes(row.sealed)).body for row in rows}) == 80


def test_what_is_refused_is_not_stored_and_does_not_take_others_with_it(web: Web, people: People) -> None:
    account, sms = an_account(people.acme), an_account(people.acme, "twilio", "sms")
    secret = path_of(account).rpartition("/")[2]
    refused = {
        path_of(account)[:-1] + "!": 404,
        f"/v1/receipts/postmark/{account.pk}/{forged(secret)}": 404,
        f"/v1/receipts/postmark/{uuid.uuid4()}/{secret}": 404,
        f"/v1/receipts/sendgrid/{account.pk}/{secret}": 404,
        path_of(account) + "/": 404,
        path_of(sms): 401,
    }
    with ThreadPoolExecutor(8) as threads:
        paths = [path_of(account), *refused] * 3
        answers = list(threads.map(lambda path: post(web, path, b"{}"), paths))
    assert [answer.status for answer in answers] == [200, *refused.values()] * 3
    assert {answer.body["status"] for answer in answers if answer.status != 200} == {404, 401}
    assert Receipt.objects.count() == 3


def test_accounts_that_are_read_together_are_those_that_take_calls(
    people: People, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    acme, globex = an_account(people.acme), an_account(people.globex)
    off = an_account(people.acme, "twilio", "sms")
    ProviderAccount.objects.filter(pk=off.pk).update(enabled=False)
    named = {acme.pk, globex.pk, off.pk, *(uuid.uuid4() for _ in range(97))}
    incoming.reset()
    with as_web_role(), django_assert_num_queries(4):  # BEGIN, the tenants, the accounts, COMMIT
        assert set(incoming.load_accounts(named)) == {acme.pk, globex.pk}
    Tenant.objects.filter(pk=people.globex.pk).update(active=False)
    incoming.reset()
    with as_web_role():
        assert set(incoming.load_accounts(named)) == {acme.pk}


@pytest.mark.parametrize("size", [0, 1, 64 * KIB, 64 * KIB + 1, 500 * KIB, 1024 * KIB])
def test_a_body_of_any_size_up_to_the_limit_is_stored(web: Web, people: People, size: int) -> None:
    path, body = path_of(an_account(people.acme)), b"x" * size
    assert post(web, path, body).status == 200
    assert list(stored()) == [body]


def test_a_body_over_the_limit_is_refused_before_it_is_read(web: Web, people: People) -> None:
    client = Raw(web)
    client.send(f"POST {path_of(an_account(people.acme))} HTTP/1.1\r\n{HOST}Content-Length: {1024 * KIB + 1}\r\n\r\n")
    assert client.receive().status == 413
    assert not stored()


def test_a_chunked_body_is_stored(web: Web, people: People) -> None:
    path = path_of(an_account(people.acme))
    assert post(web, path, b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "Transfer-Encoding: chunked\r\n").status == 200
    assert list(stored()) == [b"abcde"]


def test_a_caller_that_leaves_in_the_middle_gets_no_answer_and_causes_no_error(people: People) -> None:
    path = path_of(an_account(people.acme)).encode()
    begun = {"type": "http.request", "body": b"x", "more_body": True}
    parts: Iterator[Mapping[str, Any]] = iter([begun, {"type": "http.disconnect"}])
    sent: list[Mapping[str, Any]] = []

    async def receive() -> Mapping[str, Any]:
        return next(parts)

    async def send(message: Mapping[str, Any]) -> None:
        sent.append(message)

    async def elsewhere(*_: Any) -> None:
        raise AssertionError("this call is not for Django's handler")

    scope = {
        "type": "http",
        "method": "POST",
        "scheme": "https",
        "raw_path": path,
        "headers": [(b"content-length", b"2")],
    }
    asyncio.run(DirectReceipts(elsewhere)(scope, receive, send))
    assert not sent and not stored()


def test_a_compressed_body_is_refused(web: Web, people: People) -> None:
    assert post(web, path_of(an_account(people.acme)), b"x", "Content-Encoding: gzip\r\n").status == 415
