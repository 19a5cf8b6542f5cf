"""Two tenants with one row of everything each, and browsers bound by row-level security as web processes are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from inbox.models import Feed, InboxMessage
from notifier.delivery.content import templates
from notifier.delivery.receipts import sealing
from notifier.models import (
    DeadLetter,
    Delivery,
    DeliveryEvent,
    Digest,
    DigestSetting,
    EngagementCount,
    FrequencyCap,
    Incident,
    Layout,
    Notification,
    OrderingQueue,
    ProviderAccount,
    Receipt,
    Route,
    Sender,
    StoredFile,
    Template,
    TemplateVersion,
)
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.receipts import ReceiptRequest
from notifier.vocabulary.status import Lane, Mode, Status
from notifier.webhooks import endpoints
from tenants import audit
from tenants.bootstrap import create_default_categories
from tenants.imports import jobs
from tenants.models import (
    ApiKey,
    Category,
    ConsentChange,
    Device,
    Erasure,
    IdempotencyKey,
    Import,
    Invitation,
    Member,
    OptInProof,
    Preference,
    Recipient,
    Suppression,
    Tenant,
    User,
)
from tests.fixtures import People, as_web_role

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Browser:
    """A user of the admin. Each request runs as the web role."""

    client: Client

    def get(self, url: str, data: Any = None) -> Any:
        with as_web_role():
            return self.client.get(url, data)

    def post(self, url: str, data: Any = None) -> Any:
        with as_web_role():
            return self.client.post(url, data)


def url(model: type[Model], page: str, *args: Any) -> str:
    """The address of a page of a model."""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


@pytest.fixture
def log_in() -> Callable[[User], Browser]:
    def browser(user: User) -> Browser:
        client = Client()
        client.force_login(user)
        return Browser(client)

    return browser


@pytest.fixture(autouse=True)
def _uploads_elsewhere(settings: Any, tmp_path: Any) -> Iterator[None]:
    settings.MEDIA_ROOT = str(tmp_path)
    yield


@pytest.fixture
def vera(people: People) -> User:
    """A viewer of ACME."""
    user = User.objects.create_user("vera", "vera@example.com", "a long password", is_staff=True)
    Member.objects.create(tenant=people.acme, user=user, role=Member.Role.VIEWER)
    return user


@pytest.fixture
def olga(db: None) -> User:
    """An operator."""
    return User.objects.create_superuser("olga", "olga@example.com", "a long password")


Rows = dict[type[Model], Any]


def create_rows(tenant: Tenant, word: str) -> Rows:
    """One row of every kind, each marked with a word that no other tenant's row holds."""
    create_default_categories(tenant)
    category = Category.objects.create(tenant=tenant, key=f"{word}-news", name=f"{word} news")
    template = Template.objects.create(tenant=tenant, key=f"{word}-welcome", name=word, category=category)
    version = templates.publish(template, {"in_app": {"en": {"title": f"{word} hi", "body": "{{ recipient.name }}"}}})
    recipient = Recipient.objects.create(
        tenant=tenant, external_id=f"{word}-1", name=f"{word} person", email=f"{word}@example.com"
    )
    frame = {"html": "{{ content }}{{ postal_address }}", "postal_address": f"{word} street"}
    setup: list[Any] = [
        DigestSetting.objects.create(tenant=tenant, category=category, template=template, window="10m"),
        Layout.objects.create(tenant=tenant, key=f"{word}-frame", **frame),
        FrequencyCap.objects.create(tenant=tenant, category=category, most=100, period="day"),
        Incident.objects.create(tenant=tenant, title=f"{word} outage", text=f"{word} text", began_at=NOW),
        Sender.objects.create(tenant=tenant, address=f"{word}@example.com", name=f"{word} shop"),
        endpoints.create(tenant, {"url": f"https://{word}.example/hook", "description": word}, audit.Actor()),
        StoredFile.objects.create(tenant=tenant, digest="0" * 64, name=f"{word}.pdf", content_type="a/b", size=1),
    ]
    rows: Rows = {type(r): r for r in (category, template, version, recipient, *setup)}
    rows |= _create_people(tenant, recipient, word) | _create_ledger(tenant, recipient, version, word)
    rows[Tenant] = tenant
    return rows


def _submit_import(tenant: Tenant, file: ContentFile[bytes]) -> Import:
    return jobs.submit(jobs.new_import(tenant, file), file)


def _create_people(tenant: Tenant, recipient: Recipient, word: str) -> Rows:
    rows: list[Any] = [
        Device.objects.create(tenant=tenant, recipient=recipient, token=f"token-of-{word}-very-long-{word}", app=word),
        Preference.objects.create(tenant=tenant, recipient=recipient, channels_off=["push"], language="de"),
        Suppression.objects.create(tenant=tenant, channel="push", address=f"address-of-{word}"),
        OptInProof.objects.create(
            tenant=tenant, recipient=recipient, category=word, entries=[word], asked_at=NOW, notification_id=new_id()
        ),
        Erasure.objects.create(tenant=tenant, recipient_id=recipient.pk, requested_at=NOW),
        Invitation.objects.create(tenant=tenant, email=f"{word}@invited.example", nonce=word, expires_at=NOW),
        IdempotencyKey.objects.create(
            tenant=tenant, key=f"{word}-retry", endpoint="send", body_digest=b"", status=202, response={}
        ),
        audit.record(tenant.pk, f"{word}.happened", new_id()),
        _submit_import(tenant, ContentFile(b"external_id\n1\n", name=f"{word}.csv")),
        Member.objects.filter(tenant=tenant).first(),
        ApiKey.objects.filter(tenant=tenant).first(),
        ConsentChange.objects.filter(tenant=tenant).first(),
    ]
    return {type(row): row for row in rows}


def _create_ledger(tenant: Tenant, recipient: Recipient, version: TemplateVersion, word: str) -> Rows:
    notification = Notification.objects.create(
        tenant=tenant, recipient=recipient, version=version, lane=Lane.BULK, category=f"{word}-news"
    )
    delivery = Delivery.objects.create(
        tenant=tenant,
        notification=notification,
        recipient_id=recipient.pk,
        channel="push",
        platform="fcm",
        address=f"address-of-{word}",
        lane=Lane.BULK,
        status=Status.FAILED,
        detail=f"{word} detail",
        mode=Mode.LIVE,
        content={"title": word},
        due_at=NOW,
        accepted_at=NOW,
    )
    rows: list[Any] = [
        DeliveryEvent.objects.create(tenant=tenant, delivery=delivery, what="failed", detail=f"{word} event", at=NOW),
        DeadLetter.objects.create(
            tenant=tenant, delivery=delivery, channel="push", attempts=5, last_error=f"{word} error"
        ),
        Route.objects.create(tenant=tenant, notification=notification, steps=[{"channels": ["push"]}]),
        OrderingQueue.objects.create(tenant=tenant, recipient_id=recipient.pk, channel="sms", lane=Lane.BULK),
        Feed.objects.create(tenant=tenant, recipient_id=recipient.pk, last_seq=1),
        InboxMessage.objects.create(
            id=delivery.pk,
            tenant=tenant,
            recipient_id=recipient.pk,
            seq=1,
            title=f"{word} title",
            body="",
            created_at=NOW,
        ),
        ProviderAccount.objects.create(tenant=tenant, name=f"sandbox {word}", provider="fcm", sandbox=True),
        EngagementCount.objects.create(tenant=tenant, campaign_id=new_id(), kind=word, machine=False, total=3),
        _create_digest(tenant, recipient, word),
        Receipt.objects.create(
            tenant=tenant,
            account_id=new_id(),
            state=Receipt.State.UNREADABLE,
            sealed=sealing.seal_call(tenant.pk, ReceiptRequest("POST", "", {}, f"{word} body".encode())),
            received_at=NOW,
            due_at=NOW,
            error=f"{word} error",
        ),
    ]
    return {type(row): row for row in (notification, delivery, *rows)}


def _create_digest(tenant: Tenant, recipient: Recipient, word: str) -> Digest:
    columns = {"category": f"{word}-news", "template": f"{word}-welcome", "channels": ["push"]}
    times = dict.fromkeys(("opened_at", "closes_at", "latest_close"), NOW)
    return Digest.objects.create(
        tenant=tenant,
        recipient_id=recipient.pk,
        max_items=5,
        items=1,
        **columns,
        **times,
    )


@dataclass(frozen=True)
class Site:
    people: People
    acme_rows: Rows  #: ACME's, marked "zebra"
    globex_rows: Rows  #: Globex's, marked "quokka"


@pytest.fixture
def site(people: People) -> Site:
    return Site(people, create_rows(people.acme, "zebra"), create_rows(people.globex, "quokka"))
