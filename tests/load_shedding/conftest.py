"""No test believes the level of another test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tenants import load_shedding


@pytest.fixture(autouse=True)
def level_as_new() -> Iterator[None]:
    load_shedding.reset()
    yield
    load_shedding.reset()
