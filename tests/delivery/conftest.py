"""Shops whose whole engine runs without a network."""

from __future__ import annotations

import pytest

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
