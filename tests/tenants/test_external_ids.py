"""Lists of external ids for audiences: with and without a header."""

from __future__ import annotations

import io

import pytest

from tenants.imports import RowProblem, UnreadableFile, read_external_ids
from tests.fixtures import People

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("file", "ids"),
    [
        (b"external_id\na\nb\na\n", ["a", "b", "a"]),
        (b"\xef\xbb\xbfname;user_id\r\nAnne;a\r\nBob;b\r\n", ["a", "b"]),
        (b"a\nb\n\nc", ["a", "b", "c"]),
        (b"external_id\n", []),
        (b"sep=;\nexternal_id;name\na;Anne\nb\n", ["a", "b"]),
        ("\ufeffexternal_id\na\u200b\n\ufeffexternal_id\nb\u00a0\n".encode(), ["a", "b"]),
        ("\ufeffa\u200e\n\u2060b\na\n".encode(), ["a", "b", "a"]),
    ],
)
def test_a_list_of_ids_is_read_with_and_without_a_header(file: bytes, ids: list[str]) -> None:
    assert list(read_external_ids(io.BytesIO(file))) == ids


def test_a_row_of_a_list_without_an_id_is_reported(people: People) -> None:
    entries = list(
        read_external_ids(io.BytesIO(b"name,external_id\nAnne,\nBob,b\n" + b"x," + b"y" * 200 + b"\nC,c,d\n"))
    )
    assert [p.line if isinstance(p, RowProblem) else p for p in entries] == [2, "b", 4, 5]


NO_LISTS = [b"", b"a,b\n1,2\n", "external_id\né\n".encode("latin-1"), b"PK\x03\x04", b"a\0b\n"]


@pytest.mark.parametrize("file", [*NO_LISTS, b"email\nanne@example.com\n", b"E-Mail\n", b"push_token\nabcdefgh\n"])
def test_a_list_that_is_none_is_refused(file: bytes) -> None:
    with pytest.raises(UnreadableFile):
        list(read_external_ids(io.BytesIO(file)))
