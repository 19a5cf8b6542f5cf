"""Ids as columns of texts."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import pytest

from campaigns.sending.id_columns import hyphenated, keys

IDS = [uuid.uuid4() for _ in range(20)]
DIGITS = "".join(one.hex for one in IDS).encode()


@pytest.mark.parametrize("rows", [range(20), range(3, 9), range(19, 20), [5], [0, 19], [7, 3, 4, 3]])
def test_each_row_has_its_own_id(rows: Sequence[int]) -> None:
    assert list(hyphenated(DIGITS, rows)) == [str(IDS[i]).encode() for i in rows]
    assert list(keys(DIGITS, rows)) == [IDS[i].hex.encode() for i in rows]
