"""What a refusal kills: nothing that was registered, or allowed again, after the request began."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.db import OperationalError, connection, transaction

from notifier.delivery.ledger.claims import Claimed
from notifier.delivery.ledger.people.dead_addresses import DeadAddress, mark_addresses_dead
from notifier.delivery.ledger.retry import Tries, decide
from notifier.delivery.ledger.settle import Outcome
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.people import Address
from notifier.vocabulary.status import Status
from notifier.vocabulary.verdicts import Permanent
from tenants.models import Device, Suppression
from tests.delivery.build import Shop
from tests.delivery.scenes import backend_pid, wait_until, waits_for_a_lock

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def a_device(shop: Shop, seen: datetime) -> UUID:
    person = shop.recipient(f"p{new_id()}")
    device = Device.objects.create(tenant=shop.tenant, recipient=person, token=f"token-{new_id()}")
    Device.objects.filter(pk=device.pk).update(last_seen_at=seen)
    return device.pk


def refused(shop: Shop, device: UUID, as_of: datetime) -> DeadAddress:
    return DeadAddress(shop.tenant.id, "push", Address("token", "fcm", device), as_of)


@pytest.mark.parametrize(
    ("seen", "dies"), [(NOON - MINUTE, True), (NOON, True), (NOON + timedelta(milliseconds=1), False)]
)
def test_a_device_dies_if_it_was_last_seen_before_the_request(shop: Shop, seen: datetime, dies: bool) -> None:
    device = a_device(shop, seen)
    mark_addresses_dead([refused(shop, device, NOON)])
    assert (Device.objects.get(pk=device).dead_since is not None) == dies


def test_of_several_refusals_the_latest_counts_in_any_order(shop: Shop) -> None:
    device = a_device(shop, NOON)
    mark_addresses_dead([refused(shop, device, NOON + MINUTE), refused(shop, device, NOON - MINUTE)])
    assert Device.objects.get(pk=device).dead_since is not None


def test_a_device_of_another_tenant_is_not_touched(shop: Shop, market: Shop) -> None:
    device = a_device(market, NOON - MINUTE)
    mark_addresses_dead([refused(shop, device, NOON)])
    assert Device.objects.get(pk=device).dead_since is None


@pytest.mark.django_db(transaction=True)
def test_devices_are_locked_in_the_order_of_an_import(shop: Shop) -> None:
    """Of two that lock the same devices in different orders PostgreSQL ends one, which may be the import."""
    person = shop.recipient("ben")
    later, earlier = [
        Device.objects.create(id=new_id(), tenant=shop.tenant, recipient=person, platform="fcm", token=f"token-{name}")
        for name in "ba"
    ]
    backends: list[int] = []

    def kill() -> None:
        with transaction.atomic():
            backends.append(backend_pid())
            mark_addresses_dead([refused(shop, device.pk, datetime.now(UTC) + MINUTE) for device in (later, earlier)])
        connection.close()

    thread = threading.Thread(target=kill)
    with transaction.atomic():
        Device.objects.select_for_update().get(pk=earlier.pk)
        thread.start()
        wait_until(lambda: bool(backends) and waits_for_a_lock(backends[0]))
        try:
            Device.objects.select_for_update(nowait=True).get(pk=later.pk)
        except OperationalError:
            pytest.fail("the later token is locked before the earlier one")
    thread.join()
    assert Device.objects.filter(dead_since=None).count() == 0


@pytest.mark.parametrize(("lifted_later", "suppressed"), [(False, True), (True, False)])
def test_a_suppression_that_was_lifted_meanwhile_does_not_return(
    shop: Shop, lifted_later: bool, suppressed: bool
) -> None:
    wrong = Suppression.objects.create(tenant=shop.tenant, channel="email", address="a@example.com", cause="dead")
    wrong.delete()  # its consent change is of now
    as_of = datetime.now(UTC) + (-MINUTE if lifted_later else MINUTE)
    mark_addresses_dead([DeadAddress(shop.tenant.id, "email", Address("a@example.com"), as_of)] * 2)
    found = Suppression.objects.filter(tenant=shop.tenant, channel="email", address="a@example.com", cause="dead")
    assert found.exists() == suppressed


def a_row(asked: datetime | None) -> Claimed:
    return Claimed(
        id=new_id(), tenant_id=new_id(), recipient_id=new_id(), account_id=new_id(), channel="push",
        address=Address("token"), lane=1, mode="live", content={}, attempt=0, fence=1, accepted_at=NOON,
        asked_at=asked,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "said", "as_of"),
    [
        (NOON + MINUTE, None, NOON + MINUTE),
        (None, None, NOON),  # not known: the acceptance was earlier for certain
        (NOON + MINUTE, NOON - MINUTE, NOON - MINUTE),  # the provider knows since when
        (NOON + MINUTE, NOON + 2 * MINUTE, NOON + MINUTE),  # and its clock may be ahead of ours
    ],
)
def test_a_refusal_is_as_of_the_earlier_of_request_and_the_providers_word(
    asked: datetime | None, said: datetime | None, as_of: datetime
) -> None:
    decision = decide(Permanent("x", address_is_dead=True, dead_as_of=said), Tries(1, True, False))
    outcome = Outcome(a_row(asked), Status.FAILED, address_is_dead=True, dead_as_of=decision.dead_as_of)  # type: ignore[union-attr]
    assert outcome.dead.as_of == as_of
