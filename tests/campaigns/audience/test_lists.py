"""Uploaded lists: what a file or a list of ids stores, counts and refuses."""

from __future__ import annotations

import io

import pytest

from campaigns import audience as audiences
from campaigns.models import Audience, AudienceMember
from notifier.errors import InvalidInput
from tenants.imports import UnreadableFile
from tenants.models import Recipient, Tenant
from tests.campaigns.audience.test_audience import acme, recipients_by_range
from tests.fixtures import People

__all__ = ["acme"]


@pytest.fixture
def member_list(acme: Tenant) -> Audience:
    return Audience.objects.create(tenant=acme, name="List", source=Audience.Source.LIST)


def test_a_list_keeps_the_order_of_its_file_and_counts_unknown_ids(people: People, member_list: Audience) -> None:
    Recipient.objects.create(tenant=people.globex, external_id="only-globex")
    report = audiences.load_file(member_list, io.BytesIO(b"external_id\neve\nnobody\nada\neve\nonly-globex\n"))
    assert (report.rows, report.stored, report.duplicates, report.rejected) == (5, 4, 1, 0)
    assert (report.known, report.unknown, report.unknown_ids) == (2, 2, ["nobody", "only-globex"])
    by_range = recipients_by_range(member_list, 3)
    assert [[person.external_id for person in persons] for persons, _ in by_range] == [["eve", "ada"], []]
    assert [unknown for _, unknown in by_range] == [1, 1]
    assert audiences.count_recipients(member_list) == 2
    assert member_list.size == 4


def test_a_file_that_breaks_off_changes_nothing(member_list: Audience) -> None:
    audiences.load_ids(member_list, ["ada"])
    with pytest.raises(InvalidInput):
        audiences.load_file(member_list, io.BytesIO(b"external_id\n" + b"x\n" * 6000 + b"\xff\n"))
    assert list(AudienceMember.objects.values_list("external_id", flat=True)) == ["ada"]


@pytest.mark.parametrize("file", [b"external_id\n", b"email\nada\n", b"external_id,name\n,Ada\n,Bob\n", b"\n", b""])
def test_a_file_without_ids_is_refused_and_changes_nothing(member_list: Audience, file: bytes) -> None:
    audiences.load_ids(member_list, ["ada"])
    with pytest.raises(UnreadableFile):
        audiences.load_file(member_list, io.BytesIO(file))
    assert list(AudienceMember.objects.values_list("external_id", flat=True)) == ["ada"]


@pytest.mark.parametrize("ids", [[], ["", 7, None], ["\u200b"], ["x" * 129]])
def test_unusable_ids_are_refused_and_change_nothing(member_list: Audience, ids: list[object]) -> None:
    audiences.load_ids(member_list, ["ada"])
    with pytest.raises(InvalidInput) as refused:
        audiences.load_ids(member_list, ids)
    assert refused.value.field == "external_ids"
    assert list(AudienceMember.objects.values_list("external_id", flat=True)) == ["ada"]


def test_an_id_with_invisible_characters_is_the_same_recipient(member_list: Audience) -> None:
    report = audiences.load_ids(member_list, ["ada\u200b", "\ufeffada", " ada", "bob\u00a0"])
    assert (report.stored, report.duplicates, report.known) == (2, 2, 2)


def test_duplicates_merge_across_batches(member_list: Audience) -> None:
    csv = b"".join(b"u%d\n" % (n % 6000) for n in range(12_000))
    report = audiences.load_file(member_list, io.BytesIO(csv))
    assert (report.rows, report.stored, report.duplicates) == (12_000, 6_000, 6_000)


def test_an_empty_list_has_no_ranges(member_list: Audience) -> None:
    assert list(audiences.key_ranges(member_list, 10)) == []
