"""Whose access token an account sends with: its own, whatever another tenant's credentials look like."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from notifier.delivery.accounts import registry
from notifier.models import ProviderAccount
from notifier.providers.fcm import provider as fcm
from notifier.transport import use_client
from notifier.transport.auto import AutoClient
from notifier.vocabulary.verdicts import Misconfigured, Sent, Verdict
from tenants.models import Tenant
from tests.fixtures import People
from tests.providers.people import a_push
from tests.sandbox.process import Sandbox

pytestmark = pytest.mark.django_db
Send = Callable[[ProviderAccount], Verdict]


@pytest.fixture
def send(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Send]:
    """One message through an account that has gone live; Google is where the sandbox is."""
    monkeypatch.setattr(fcm.Fcm, "origin", sandbox.url)
    monkeypatch.setattr(fcm, "GOOGLE_TOKENS", f"{sandbox.url}/token")

    def one(account: ProviderAccount) -> Verdict:
        found = registry.provider_for(account).send([a_push(f"ok-{account.id}")], registry.http_client_for(account))
        [verdict] = [verdict for batch in found for _, verdict in batch]
        return verdict

    with use_client(AutoClient(sandbox.ca)):
        yield one


def an_account(tenant: Tenant, document: dict[str, Any], name: str = "fcm") -> ProviderAccount:
    account = ProviderAccount(tenant=tenant, name=name, provider="fcm", sandbox=False)
    registry.save_config(account, {"service_account": json.dumps(document)})
    account.save()
    return account


def genuine(sandbox: Sandbox) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((sandbox.folder / "service-account.json").read_text())
    return document


def forged(sandbox: Sandbox) -> dict[str, Any]:
    """The victim's project, e-mail and key id, which are no secrets, with a key of the forger's own."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    pem = key.private_bytes(encoding, form, serialization.NoEncryption()).decode()
    return {**genuine(sandbox), "private_key": pem}


def test_a_forged_key_gets_nothing_of_the_account_with_the_real_one(
    sandbox: Sandbox, send: Send, people: People
) -> None:
    victim, forger = an_account(people.acme, genuine(sandbox)), an_account(people.globex, forged(sandbox))
    assert isinstance(send(victim), Sent)
    assert isinstance(send(forger), Misconfigured)
    assert isinstance(send(victim), Sent)
    report = sandbox.report()
    assert report["accepted"] == 2
    assert report["grants"] == {"granted": 1, "refused": 1}


def test_the_refusal_of_a_forged_key_refuses_no_other_account(sandbox: Sandbox, send: Send, people: People) -> None:
    victim, forger = an_account(people.acme, genuine(sandbox)), an_account(people.globex, forged(sandbox))
    assert isinstance(send(forger), Misconfigured)
    assert isinstance(send(victim), Sent)
    assert isinstance(send(forger), Misconfigured)
    assert sandbox.report()["grants"] == {"granted": 1, "refused": 1}


def test_two_accounts_with_the_same_credential_have_a_token_each(sandbox: Sandbox, send: Send, people: People) -> None:
    first, second = an_account(people.acme, genuine(sandbox)), an_account(people.globex, genuine(sandbox))
    assert [type(send(account)) for account in (first, second, first, second)] == [Sent] * 4
    assert sandbox.report()["grants"] == {"granted": 2}
    assert registry.provider_for(first) is registry.provider_for(first) is not registry.provider_for(second)


def test_credentials_that_were_replaced_are_believed_no_longer(sandbox: Sandbox, send: Send, people: People) -> None:
    account = an_account(people.acme, genuine(sandbox))
    assert isinstance(send(account), Sent)
    registry.save_config(account, {"service_account": json.dumps(forged(sandbox))})
    account.save()
    assert isinstance(send(account), Misconfigured)
    registry.save_config(account, {"service_account": json.dumps(genuine(sandbox))})
    account.save()
    assert isinstance(send(account), Sent)
    assert sandbox.report()["accepted"] == 2


def test_sandbox_accounts_of_two_tenants_share_no_provider_object(people: People) -> None:
    both = [
        ProviderAccount.objects.create(
            tenant=tenant, name="sandbox", provider="fcm", channel="push", platform="fcm", sandbox=True
        )
        for tenant in (people.acme, people.globex)
    ]
    first, second = map(registry.provider_for, both)
    assert first is not second
    assert first.token_key != second.token_key
