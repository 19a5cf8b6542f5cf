"""Messages that are gathered, and the digest that takes them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.delivery.digests.build import DigestShop, a_digest_shop

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop() -> DigestShop:
    return a_digest_shop()


def test_the_feed_gets_each_item_and_email_gets_one_digest(shop: DigestShop) -> None:
    shop.setting()
    first, second = shop.order("A"), shop.order("B")
    for order in (first, second):
        assert shop.rows_of(order.notification_id) == {"in_app": ("queued", ""), "email": ("queued", "in_digest")}
    assert shop.close(timedelta(minutes=9)) == 0
    assert shop.close() == 1
    assert shop.texts() == ["2: A B"]
    sent = shop.sent_digest()
    assert shop.rows_of(first.notification_id)["email"] == ("suppressed", "in_digest")
    assert [item["notification_id"] for item in sent.data["items"]] == [
        str(first.notification_id),
        str(second.notification_id),
    ]
    assert shop.close() == 0
