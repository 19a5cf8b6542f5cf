from __future__ import annotations

from collections.abc import Iterator

import pytest

from notifier.delivery.accounts import registry
from notifier.delivery.receipts import incoming


@pytest.fixture(autouse=True)
def only_registered_providers() -> Iterator[None]:
    """No test inherits an account or its provider from another test."""
    incoming.reset()
    yield
    registry.reset()
    incoming.reset()
