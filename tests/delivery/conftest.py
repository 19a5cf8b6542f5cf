"""Shops whose whole engine runs without a network."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from notifier.delivery import recheck
from notifier.delivery.accounts import health, registry
from notifier.delivery.caps import loading
from tests.delivery.build import Shop, a_shop


@pytest.fixture
def shop() -> Shop:
    shop = a_shop()
    shop.recipient("ada")
    return shop


@pytest.fixture
def market() -> Shop:
    """A shop whose messages are marketing, as a campaign's are."""
    shop = a_shop("marketing")
    shop.recipient("ada")
    return shop


@pytest.fixture(autouse=True)
def accounts_as_new() -> Iterator[None]:
    """No test inherits an account's provider or health from another test."""
    yield
    registry.reset()
    health.reset()
    recheck.reset()


@pytest.fixture(autouse=True)
def caps_as_new() -> None:
    """No test knows the frequency caps of another test."""
    loading.reset()
