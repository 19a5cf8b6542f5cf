"""What a list of attachments may say."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from notifier.delivery.content.attachments.listing import MAX_BYTES, Decoded, read_list
from notifier.delivery.content.attachments.memory import PORTION_BYTES, portions
from notifier.errors import InvalidInput
from notifier.models import StoredFile
from notifier.vocabulary.ids import new_id
from tests.fixtures import People
from tests.providers.full_emails import email_with

HELLO = b64encode(b"hello").decode()


def file(**fields: Any) -> dict[str, Any]:
    return {"name": "a.pdf", "content": HELLO, **fields}


def test_a_file_gets_its_type_by_its_name_and_its_id_by_its_content() -> None:
    [entry], [new] = read_list([file()], new_id(), "attachments")
    assert (entry["content_type"], entry["size"], entry["id"]) == ("application/pdf", 5, new.digest)
    assert new.content == b"hello" and "hello" not in repr(new)
    [unknown], _ = read_list([file(name="Übersicht")], new_id(), "attachments")
    assert unknown["content_type"] == "application/octet-stream"


@pytest.mark.parametrize(
    ("entries", "field", "problem"),
    [
        ("a.pdf", "", "Must be a list"),
        ([7], ".0", "Must be an object"),
        ([file(colour="red")], ".0.colour", "Unknown field"),
        ([file(), file(name="")], ".1.name", "1 to 150 characters"),
        ([file(name="../etc/passwd")], ".0.name", "no path"),
        ([file(name="a\r\nBcc: x.pdf")], ".0.name", "no invisible characters"),
        ([file(name="ü" * 140)], ".0.name", "1 to 150 characters"),
        ([file(name="invoice.pdf.EXE")], ".0.name", "refuse messages with .exe files"),
        ([file(content_type="pdf")], ".0.content_type", "looks like application/pdf"),
        ([file(content_type="text/plain\r\nX: y")], ".0.content_type", "looks like application/pdf"),
        ([file(content_type="message/rfc822")], ".0.content_type", "application/octet-stream"),
        ([file(content="héllo")], ".0.content", "in base64"),
        ([file(content=HELLO + "\n")], ".0.content", "in base64"),
        ([file(content=7)], ".0.content", "in base64"),
        ([file(content="")], ".0.content", "empty"),
        ([file(content_id="<logo>", name="a.png")], ".0.content_id", "looks like logo"),
        ([file(content_id="logo")], ".0.content_id", "Only an image"),
        ([file()] * 11, "", "11 files"),
        ([file(content=b64encode(bytes(MAX_BYTES // 2)).decode())] * 3, "", "10 MiB"),
    ],
)
def test_a_file_that_no_message_carries_is_named(entries: Any, field: str, problem: str) -> None:
    with pytest.raises(InvalidInput) as error:
        read_list(entries, new_id(), "attachments")
    assert (error.value.field, problem in error.value.message) == (f"attachments{field}", True), error.value.message


@pytest.mark.django_db
def test_a_stored_file_is_named_by_its_own_tenant_only(people: People) -> None:
    digest = "a" * 64
    StoredFile.objects.create(tenant=people.acme, digest=digest, name="a.pdf", content_type="application/pdf", size=7)
    listing = read_list([{"name": "b.pdf", "id": digest}], people.acme.pk, "attachments")
    assert (listing.entries[0]["size"], listing.files) == (7, [])
    with pytest.raises(InvalidInput, match="There is no such file"):
        read_list([{"name": "b.pdf", "id": digest}], people.globex.pk, "attachments")


def test_few_messages_with_large_files_are_built_at_once() -> None:
    light, heavy = email_with(size=0), email_with(size=PORTION_BYTES // 2)
    assert [(at, len(some)) for at, some, _ in portions([light] * 400)] == [(0, 400)]
    assert [(at, len(some)) for at, some, _ in portions([heavy, light, heavy, heavy, light])] == [(0, 3), (3, 2)]
    assert [len(some) for _, some, _ in portions([email_with(size=PORTION_BYTES * 2)] * 2)] == [1, 1]


def test_the_same_text_in_many_lists_is_decoded_and_kept_once() -> None:
    decoded: Decoded = {}
    lists = [read_list([file(name=f"{n}.pdf")], new_id(), "attachments", decoded) for n in range(3)]
    assert len({id(listing.files[0].content) for listing in lists}) == 1 == len(decoded)
    assert [listing.entries[0]["name"] for listing in lists] == ["0.pdf", "1.pdf", "2.pdf"]
