"""An account whose tokens are used up pauses, and the same task sends its rows when there are tokens again."""

from __future__ import annotations

import pytest

from notifier.delivery.send import deliver
from notifier.delivery.wakeup.listener import WakeupListener
from notifier.models import ProviderAccount
from notifier.vocabulary.status import Lane
from tests.delivery.build import Shop, an_order


class Silent(WakeupListener):
    """Gets no wakeup."""

    def __init__(self) -> None:
        super().__init__("silent")

    def notified(self) -> bool:
        return False

    def wait(self) -> bool:
        return False

    def leave(self) -> bool:
        return False


@pytest.mark.django_db(transaction=True)
def test_rows_that_wait_for_tokens_leave_without_a_wakeup(shop: Shop) -> None:
    shop.accept(an_order())
    ProviderAccount.objects.filter(tenant=shop.tenant).update(rate_per_s=5.0)  # a new bucket is empty
    deliver("in_app", [Lane.TRANSACTIONAL], Silent())
    assert shop.statuses() == ["delivered"]
