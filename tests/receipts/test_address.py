"""The receipts address: which calls are stored, and which get an answer that says nothing."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable

import pytest
from django.test import Client
from structlog.stdlib import ProcessorFormatter
from structlog.testing import capture_logs

from notifier.delivery.accounts import receipts_address, registry
from notifier.delivery.receipts import incoming, sealing
from notifier.models import ProviderAccount, Receipt
from notifier.vocabulary.receipts import EventKind, ReceiptEvent, ReceiptRequest
from notifier.vocabulary.status import Mode
from tests.fixtures import Api, People
from tests.receipts.reporter import SIGNATURE, an_account, forged, path_of

pytestmark = pytest.mark.django_db


def post(path: str, body: bytes = b"[]", **headers: str) -> int:
    return Client().post(path, body, content_type="application/json", headers={**SIGNATURE, **headers}).status_code


def test_a_call_is_stored_as_it_came_and_sealed(people: People, api: Callable[[str | None], Api]) -> None:
    account = an_account(people.acme)
    body = b'[{"to": "ann@mail.example"}]\xff\n'
    answer = api(None)("POST", path_of(account) + "?delivery=7&x=%20", body, x_signature="good")
    assert (answer.status, answer.headers["Content-Type"], answer.body) == (200, "text/xml", b"<Response/>")
    row = Receipt.objects.get()
    assert (row.tenant_id, row.account_id, row.state) == (people.acme.pk, account.pk, Receipt.State.NEW)
    assert b"ann@mail" not in bytes(row.sealed)
    call = sealing.unseal_call(row.tenant_id, bytes(row.sealed))
    assert (call.method, call.body) == ("POST", body)
    assert call.url == receipts_address.address_of(account) + "?delivery=7&x=%20"
    assert call.headers["x-signature"] == "good"


def test_addresses_that_lead_to_no_account_get_one_answer(people: People) -> None:
    account, other = an_account(people.acme), an_account(people.globex)
    secret = path_of(account).rpartition("/")[2]
    off = an_account(people.acme, enabled=False)
    bare = an_account(people.acme)
    ProviderAccount.objects.filter(pk=bare.pk).update(receipts_secret=b"")
    paths = [
        f"/v1/receipts/smtp/{account.pk}/{forged(secret)}",
        f"/v1/receipts/smtp/{account.pk}/ü",
        f"/v1/receipts/fcm/{account.pk}/{secret}",
        f"/v1/receipts/nosuch/{account.pk}/{secret}",
        f"/v1/receipts/smtp/{other.pk}/{secret}",
        f"/v1/receipts/smtp/{uuid.uuid4()}/{secret}",
        f"/v1/receipts/smtp/{bare.pk}/{secret}",
        path_of(off),
    ]
    answers = [Client().post(path, b"[]", content_type="text/plain", headers=SIGNATURE) for path in paths]
    assert {answer.status_code for answer in answers} == {404}
    assert {answer.json()["detail"] for answer in answers} == {"There is nothing at this address."}
    assert [Client().get(path).status_code for path in paths] == [404] * len(paths)
    assert not Receipt.objects.exists()


def test_a_tenant_that_is_not_active_has_no_address(people: People) -> None:
    account = an_account(people.acme)
    people.acme.active = False
    people.acme.save()
    assert post(path_of(account)) == 404


def test_a_call_that_the_provider_did_not_sign_is_refused_and_not_stored(people: People) -> None:
    account = an_account(people.acme)
    answer = Client().post(path_of(account), b"[]", content_type="text/plain", headers={"x-signature": "bad"})
    assert (answer.status_code, answer.json()["code"]) == (401, "forged")
    assert not Receipt.objects.exists()


def test_a_call_that_the_provider_s_file_cannot_check_is_refused_and_not_stored(people: People) -> None:
    path = path_of(an_account(people.acme))
    with capture_logs() as lines:
        answer = Client().post(path, b"ann@mail", content_type="text/plain", headers={"x-signature": "broken"})
    assert (answer.status_code, answer.json()["code"]) == (401, "forged")
    assert not Receipt.objects.exists()
    assert [line["error"] for line in lines if line["event"] == "receipt not checked"] == ["TypeError"]
    assert "ann@mail" not in str(lines)


def test_a_call_and_its_events_show_neither_secret_nor_address() -> None:
    call = ReceiptRequest("POST", "https://site/secret", {"x-key": "secret"}, b"ann@mail")
    event = ReceiptEvent(EventKind.CLICKED, address="ann@mail", detail="ann@mail", url="https://shop/secret")
    assert not any(word in repr((call, event)) for word in ("secret", "ann@mail"))


def test_providers_may_try_the_address_before_they_use_it(people: People) -> None:
    path = path_of(an_account(people.acme))
    assert [Client().get(path).status_code, Client().head(path).status_code] == [200, 200]
    assert Client().put(path).status_code == 405
    assert not Receipt.objects.exists()


def test_a_body_over_the_limit_is_refused(people: People) -> None:
    path = path_of(an_account(people.acme))
    assert post(path, b"x" * (1024 * 1024 + 1)) == 413
    assert post(path, b"x" * 1024 * 1024) == 200


def test_a_renewed_secret_leaves_the_one_before_it_valid_and_ends_older_ones(people: People) -> None:
    account = an_account(people.acme)
    paths = [path_of(account)]
    for _ in range(2):
        receipts_address.renew_secret(account)
        account.save()
        incoming.reset()
        paths.append(path_of(account))
    assert [post(path) for path in paths] == [404, 200, 200]


def test_the_log_has_no_secret(people: People) -> None:
    path = path_of(an_account(people.acme))
    with capture_logs() as lines:
        post(path)
    [request] = [line for line in lines if line.get("action") == "request"]
    assert request["path"] == path.rpartition("/")[0] + "/…"


@pytest.mark.parametrize("ending", ["", "/", "/more", "?delivery=7"])
@pytest.mark.parametrize("signature", ["good", "bad"])
def test_django_s_own_log_has_no_secret_either(
    people: People, caplog: pytest.LogCaptureFixture, ending: str, signature: str
) -> None:
    """As our handler writes its lines."""
    path = path_of(an_account(people.acme))
    secret = path.rpartition("/")[2]
    for address in (path, path.removeprefix("/v1"), f"/v1/receipts/{secret}", f"/v1/receipts/smtp/{secret}"):
        Client().post(address + ending, b"[]", content_type="text/plain", headers={"x-signature": signature})
    for token in (f"/c/{secret}", f"/o/{secret}", f"/unsubscribe/{secret}"):
        Client().get(token + ending)
    formatters = [handler.formatter for handler in logging.getLogger().handlers]
    [ours] = [formatter for formatter in formatters if isinstance(formatter, ProcessorFormatter)]
    lines = [ours.format(record) for record in caplog.records]
    assert any("Not Found" in line for line in lines)
    assert secret not in "".join(lines)


def test_every_account_gets_an_address_which_its_provider_knows(people: People) -> None:
    account = registry.choose_account(people.acme, "email", "", Mode.TEST)
    provider = registry.provider_for(account)
    assert provider.receipts_url == receipts_address.address_of(account)
    assert str(account.pk) in provider.receipts_url
    inbox = registry.choose_account(people.acme, "in_app", "", Mode.TEST)
    assert registry.provider_for(inbox).receipts_url == ""
