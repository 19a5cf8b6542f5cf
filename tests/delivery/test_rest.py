"""An account whose tokens are used up rests, and the same task sends the rest when there are tokens again."""

from __future__ import annotations

import pytest

from notifier.delivery import limits
from notifier.delivery.ear import Ear
from notifier.delivery.limits import Grant
from notifier.delivery.send import deliver
from notifier.vocabulary import Lane
from tests.delivery.build import Shop, an_order


class Nobody(Ear):
    """Hears no ring."""

    def __init__(self) -> None:
        super().__init__("nobody")

    def rung(self) -> bool:
        return False

    def linger(self) -> bool:
        return False

    def leave(self) -> bool:
        return False


@pytest.mark.django_db(transaction=True)
def test_what_waits_for_tokens_leaves_without_a_ring(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    grants = iter([Grant(0, 0.1)])
    monkeypatch.setattr(limits, "take", lambda account, rate, wanted: next(grants, Grant(wanted, 0.0)))
    shop.accept(an_order())
    deliver("in_app", [Lane.TRANSACTIONAL], Nobody())
    assert shop.statuses() == ["delivered"]
