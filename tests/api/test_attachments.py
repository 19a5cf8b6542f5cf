"""Attachments of requests and of templates, from the API to the message that a worker builds."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from notifier.channels.base import Envelope
from notifier.delivery.content.attachments import storage
from notifier.delivery.messages import message_with
from notifier.models import Delivery, Notification, StoredFile, Template
from notifier.vocabulary.mail import Attachment, Unreadable
from notifier.vocabulary.people import Address
from tests.api.conftest import ApiSite, payload

PDF = b"%PDF-1.7 an invoice"
INVOICE = {"name": "Rechnung.pdf", "content": b64encode(PDF).decode()}
TERMS = {"name": "terms.txt", "content": b64encode(b"terms").decode()}
EMAIL: dict[str, Any] = {"subject": "Hi", "text": "Your invoice"}


@pytest.fixture(autouse=True)
def _files(settings: Any, tmp_path: Any, site: ApiSite) -> None:
    settings.MEDIA_ROOT = str(tmp_path)
    storage.reset()
    site.dora.email = "dora@example.com"
    site.dora.save()


def publish(site: ApiSite, **parts: Any) -> Any:
    return site.acme("PUT", "/v1/templates/invoice", {"category": "news", "content": {"email": {"en": EMAIL | parts}}})


def send(site: ApiSite, *files: dict[str, Any], **fields: Any) -> Any:
    return site.acme(
        "POST", "/v1/notifications", payload(**{"template": "invoice", "attachments": list(files), **fields})
    )


def attached() -> tuple[Attachment, ...]:
    """The files of the one message that waits, as a worker gets them."""
    row = Delivery.objects.get()
    envelope = Envelope(row.pk, row.tenant_id, row.recipient_id, Address(row.address), "key")
    assert row.content is not None
    message: Any = message_with("email", envelope, row.content)
    files: tuple[Attachment, ...] = message.attachments
    return files


def test_files_of_the_template_and_of_the_request_reach_the_message(site: ApiSite) -> None:
    assert publish(site, attachments=[TERMS]).status == 201
    assert send(site, INVOICE).status == 202
    terms, invoice = attached()
    assert (terms.name, terms.content_type, terms.content) == ("terms.txt", "text/plain", b"terms")
    assert (invoice.name, invoice.content_type, invoice.content) == ("Rechnung.pdf", "application/pdf", PDF)


def test_the_same_content_is_stored_once(site: ApiSite) -> None:
    publish(site)
    for _ in range(2):
        assert send(site, INVOICE, {**INVOICE, "name": "copy.pdf"}).status == 202
    assert StoredFile.objects.filter(tenant=site.people.acme).count() == 1


def test_a_template_shows_its_files_and_takes_them_back(site: ApiSite) -> None:
    shown = publish(site, attachments=[TERMS]).body["content"]
    [entry] = shown["email"]["en"]["attachments"]
    assert entry.keys() == {"name", "content_type", "id", "size"}
    again = site.acme("PUT", "/v1/templates/invoice", {"content": shown})
    assert (again.status, again.body["version"]) == (200, 1)
    # another tenant has no such file
    stolen = site.globex("PUT", "/v1/templates/stolen", {"content": shown})
    assert (stolen.status, stolen.body["field"]) == (400, "content.email.en.attachments.0.id")


def test_a_wrong_file_is_named_and_nothing_is_stored(site: ApiSite) -> None:
    publish(site)
    refused = send(site, INVOICE, {**INVOICE, "content": "?"})
    assert (refused.status, refused.body["field"]) == (400, "attachments.1.content")
    too_many = send(site, *[INVOICE] * 11)
    assert (too_many.status, too_many.body["field"]) == (400, "attachments")
    none_carries = send(site, INVOICE, template="shipped")
    assert (none_carries.status, none_carries.body["field"]) == (400, "attachments")
    assert not Notification.objects.exists() and not StoredFile.objects.exists() and not Delivery.objects.exists()


def test_the_files_of_template_and_request_count_together(site: ApiSite) -> None:
    publish(site, attachments=[{**TERMS, "name": f"{n}.txt"} for n in range(6)])
    refused = send(site, *[INVOICE] * 5)
    assert (refused.status, "11 files" in refused.body["detail"]) == (400, True)


def test_a_large_file_of_a_template_does_not_count_towards_its_content(site: ApiSite) -> None:
    large = b64encode(bytes(3 * 1024 * 1024)).decode()
    assert publish(site, attachments=[{"name": "large.bin", "content": large}]).status == 201
    assert "large.bin" in str(Template.objects.get(key="invoice").versions.get().content)


def test_a_file_that_the_storage_lost_is_no_reason_to_give_up(site: ApiSite, tmp_path: Any) -> None:
    publish(site)
    send(site, INVOICE)
    [file] = attached()
    [path] = [entry for entry in tmp_path.rglob("*") if entry.is_file()]
    path.write_bytes(b"cut o")
    with pytest.raises(Unreadable, match="damaged"):
        _ = file.content
    path.write_bytes(PDF)
    assert file.content == PDF


def test_a_storage_that_does_not_answer_refuses_the_request(site: ApiSite, settings: Any, tmp_path: Any) -> None:
    publish(site)
    (tmp_path / "file").write_text("in the way of the folder")
    settings.MEDIA_ROOT = str(tmp_path / "file")
    refused = send(site, INVOICE)
    assert (refused.status, refused.body["code"]) == (503, "unavailable")
    assert not Notification.objects.exists() and not StoredFile.objects.exists()
