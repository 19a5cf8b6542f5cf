"""A provider that reports, for tests: a call is a list of events in JSON, signed by a header."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from django.test import Client

from notifier.delivery.accounts import receipts_address, registry
from notifier.errors import Forged
from notifier.models import ProviderAccount
from notifier.providers.base import Provider
from notifier.vocabulary.http import HttpClient
from notifier.vocabulary.receipts import EventKind, ReceiptEvent, ReceiptRequest
from tenants.models import Tenant

SIGNATURE = {"x-signature": "good"}


class Reporter(Provider[Any]):
    """Has no name of its own, so that the registry does not offer it: it stands in for a real provider."""

    reports = True

    def verify(self, request: ReceiptRequest) -> None:
        if request.headers.get("x-signature") == "broken":
            raise TypeError(request.body)
        if request.headers.get("x-signature") != "good":
            raise Forged("The signature is wrong.")

    def receipts(self, request: ReceiptRequest, client: HttpClient) -> Sequence[ReceiptEvent]:
        return [event_of(fields) for fields in orjson.loads(request.body)]

    def receipt_answer(self, request: ReceiptRequest) -> tuple[str, bytes]:
        return "text/xml", b"<Response/>"


def event_of(fields: Mapping[str, Any]) -> ReceiptEvent:
    values = dict(fields)
    if "delivery_id" in values:
        values["delivery_id"] = uuid.UUID(values["delivery_id"])
    if "at" in values:
        values["at"] = datetime.fromtimestamp(values["at"], UTC)
    return ReceiptEvent(**{**values, "kind": EventKind(values["kind"])})


def an_account(tenant: Tenant, provider: str = "smtp", channel: str = "email", **values: Any) -> ProviderAccount:
    """An account of the tenant whose provider is a Reporter."""
    account = ProviderAccount.objects.create(
        tenant=tenant,
        name=f"account {uuid.uuid4().hex[:6]}",
        provider=provider,
        channel=channel,
        sandbox=True,
        receipts_secret=receipts_address.new_secret(tenant.pk),
        **values,
    )
    registry.override_provider(account.pk, Reporter(Reporter.Config()))
    return account


def forged(secret: str) -> str:
    """A secret that is another in its first character."""
    return ("y" if secret[0] == "x" else "x") + secret[1:]


def path_of(account: ProviderAccount) -> str:
    return "/" + receipts_address.address_of(account).split("/", 3)[3]


def report(account: ProviderAccount, *events: Mapping[str, Any]) -> int:
    """POST the events as the provider does; returns the status of the answer."""
    body = orjson.dumps(events)
    answer = Client().post(path_of(account), body, content_type="application/json", headers=SIGNATURE)
    return answer.status_code
