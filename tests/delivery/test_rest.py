"""An account whose tokens are used up rests, and the same task sends the rest when there are tokens again."""

from __future__ import annotations

import pytest

from notifier.delivery.accounts import rate_limits
from notifier.delivery.accounts.rate_limits import Grant
from notifier.delivery.send import deliver
from notifier.delivery.wakeup.listener import WakeupListener
from notifier.vocabulary.status import Lane
from tests.delivery.build import Shop, an_order


class Nobody(WakeupListener):
    """Hears no ring."""

    def __init__(self) -> None:
        super().__init__("nobody")

    def notified(self) -> bool:
        return False

    def wait(self) -> bool:
        return False

    def leave(self) -> bool:
        return False


@pytest.mark.django_db(transaction=True)
def test_what_waits_for_tokens_leaves_without_a_ring(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    grants = iter([Grant(0, 0.1)])
    monkeypatch.setattr(rate_limits, "take_for_account", lambda account, rate, wanted: next(grants, Grant(wanted, 0.0)))
    shop.accept(an_order())
    deliver("in_app", [Lane.TRANSACTIONAL], Nobody())
    assert shop.statuses() == ["delivered"]
