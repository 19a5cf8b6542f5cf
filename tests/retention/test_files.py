"""Attachments: deleted when nothing names them any more."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from django.core.files.storage import storages

from notifier.delivery.content import images, templates
from notifier.delivery.content.attachments.listing import dump, read_list
from notifier.delivery.content.attachments.storage import path_of, store
from notifier.delivery.retention import files
from notifier.models import Delivery, StoredFile, Template
from notifier.vocabulary.mail import NewFile
from notifier.vocabulary.status import Status
from tenants.models import Tenant
from tests.delivery.build import Shop, an_order
from tests.retention.conftest import keep_for, run_after

pytestmark = pytest.mark.django_db(transaction=True)

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(20)


@pytest.fixture(autouse=True)
def _week(shop: Shop) -> None:
    keep_for(shop.tenant, 7)


def stored(tenant: Tenant, content: bytes) -> str:
    """The digest of a new file."""
    file = NewFile(sha256(content).hexdigest(), "a.txt", "text/plain", content)
    store(tenant.pk, [file])
    return file.digest


def is_there(tenant: Tenant, digest: str) -> bool:
    in_storage = storages["attachments"].exists(path_of(tenant.pk, digest))
    assert in_storage == StoredFile.objects.filter(tenant=tenant, digest=digest).exists()
    return bool(in_storage)


def listed(tenant: Tenant, digest: str) -> list[dict[str, Any]]:
    return read_list([{"name": "a.txt", "id": digest}], tenant.pk, "attachments").entries


def test_a_file_that_nothing_names_goes_after_a_while(shop: Shop) -> None:
    digest = stored(shop.tenant, b"unused")
    run_after(8)
    assert is_there(shop.tenant, digest)
    run_after(10)
    assert not is_there(shop.tenant, digest)


def test_a_file_of_a_template_stays(shop: Shop) -> None:
    digest = stored(shop.tenant, b"of a template")
    template = Template.objects.get(tenant=shop.tenant)
    parts = {"subject": "Hi", "text": "Hello", "attachments": listed(shop.tenant, digest)}
    templates.publish(template, {"email": {"en": parts}})
    run_after(400)
    assert is_there(shop.tenant, digest)


def test_a_file_of_a_message_that_has_not_ended_stays(shop: Shop) -> None:
    digest = stored(shop.tenant, b"of a scheduled message")
    shop.accept(an_order(send_at=datetime.now(UTC) + timedelta(days=300)))
    content = {"subject": "Hi", "attachments": dump(listed(shop.tenant, digest))}
    Delivery.objects.update(content=content)
    run_after(100)
    assert is_there(shop.tenant, digest)
    Delivery.objects.update(status=Status.FAILED, settled_at=datetime.now(UTC))
    run_after(101)
    assert not is_there(shop.tenant, digest)


def test_files_that_are_named_hide_no_file_that_is_not(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST", 2)
    named = [stored(shop.tenant, f"of a template {n}".encode()) for n in range(3)]
    unused = [stored(shop.tenant, f"unused {n}".encode()) for n in range(3)]
    raw = [{"name": f"{n}.txt", "id": digest} for n, digest in enumerate(named)]
    entries = read_list(raw, shop.tenant.pk, "attachments").entries
    parts = {"subject": "Hi", "text": "Hello", "attachments": entries}
    templates.publish(Template.objects.get(tenant=shop.tenant), {"email": {"en": parts}})
    run_after(100)
    run_after(100)
    assert [is_there(shop.tenant, digest) for digest in (*named, *unused)] == [True] * 3 + [False] * 3


def test_a_request_that_names_a_file_keeps_it(shop: Shop) -> None:
    digest = stored(shop.tenant, b"named again")
    StoredFile.objects.update(used_at=datetime.now(UTC) - timedelta(days=30))
    listed(shop.tenant, digest)
    run_after(5)
    assert is_there(shop.tenant, digest)


def test_a_picture_with_an_address_stays(shop: Shop) -> None:
    images.store(shop.tenant.pk, "logo.png", PNG)
    run_after(400)
    assert is_there(shop.tenant, sha256(PNG).hexdigest())


def test_the_same_content_of_another_tenant_stays(shop: Shop) -> None:
    other = Tenant.objects.create(name="other", slug=f"other-{uuid.uuid4().hex[:6]}", keep_messages_days=700)
    mine, theirs = stored(shop.tenant, b"both"), stored(other, b"both")
    run_after(30)
    assert not is_there(shop.tenant, mine)
    assert is_there(other, theirs)
