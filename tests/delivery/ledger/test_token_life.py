"""The life of a token: what marks a device dead and why, and what makes it usable again."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.db import connection, transaction

from notifier.delivery.ledger.people import stale_devices
from notifier.delivery.ledger.people.dead_addresses import DeadAddress, mark_addresses_dead
from notifier.delivery.ledger.people.stale_devices import STALE, mark_stale_devices, stale_after_days
from notifier.vocabulary.people import Address
from tenants.imports import import_recipients
from tenants.models import ConsentChange, Device
from tenants.people import devices
from tests.delivery.build import Shop
from tests.tenants.test_devices import at_once

pytestmark = pytest.mark.django_db


def a_device(shop: Shop, days: float, platform: str = "fcm", name: str = "eve") -> UUID:
    """A device that was last seen so many days ago."""
    recipient = shop.recipient(name)
    device, _ = devices.register(recipient, platform, "ab" * 32 if platform == "apns" else f"token-of-{name}")
    Device.objects.filter(pk=device).update(last_seen_at=datetime.now(UTC) - timedelta(days=days))
    return device


def dead_reason(device: UUID) -> str | None:
    """None while the device is alive."""
    row = Device.objects.get(pk=device)
    assert (row.dead_since is None) == (row.dead_reason == "")
    return row.dead_reason or None


@pytest.mark.parametrize(
    ("platform", "days", "expected"), [("fcm", 269.9, None), ("fcm", 270.1, STALE), ("apns", 2_000, None)]
)
def test_a_device_is_stale_after_the_days_that_its_provider_says(
    shop: Shop, platform: str, days: float, expected: str | None
) -> None:
    assert stale_after_days()["fcm"] == 270 and "apns" not in stale_after_days()
    device = a_device(shop, days, platform)
    assert mark_stale_devices() == (expected is not None)
    assert dead_reason(device) == expected
    assert ConsentChange.objects.filter(changed="device").exists() == (expected is not None)


def test_stale_devices_are_marked_in_small_batches(shop: Shop) -> None:
    marked = [a_device(shop, 300 + n, name=f"r{n}") for n in range(5)]
    assert mark_stale_devices(batch=2) == 5
    assert {dead_reason(device) for device in marked} == {STALE}
    assert mark_stale_devices(batch=2) == 0


@pytest.mark.parametrize("dead", ["stale", "refused"])
def test_a_dead_device_that_is_registered_again_lives_and_has_no_reason(shop: Shop, dead: str) -> None:
    device = a_device(shop, 300)
    if dead == "stale":
        mark_stale_devices()
    else:
        address = Address("token-of-eve", "fcm", device)
        refusal = DeadAddress(shop.tenant.id, "push", address, datetime.now(UTC), detail="FCM: UNREGISTERED")
        mark_addresses_dead([refusal])
        assert dead_reason(device) == "FCM: UNREGISTERED"
    again, created = devices.register(Device.objects.get(pk=device).recipient, "fcm", "token-of-eve")
    assert (again, created, dead_reason(device), mark_stale_devices()) == (device, False, None, 0)


def imported(shop: Shop) -> int:
    return import_recipients(shop.tenant.pk, io.BytesIO(b"external_id,push_token\neve,token-of-eve\n")).devices


def test_an_import_keeps_a_live_device_from_being_stale_and_wakes_no_dead_one(shop: Shop) -> None:
    device = a_device(shop, 300)
    assert (imported(shop), mark_stale_devices(), dead_reason(device)) == (1, 0, None)
    assert imported(shop) == 0  # the same file again writes nothing
    Device.objects.filter(pk=device).update(last_seen_at=datetime.now(UTC) - timedelta(days=300))
    assert mark_stale_devices() == 1
    assert (imported(shop), dead_reason(device)) == (0, STALE)


@pytest.mark.django_db(transaction=True)
def test_the_task_waits_for_no_device_that_another_process_has_locked(shop: Shop) -> None:
    locked, free = a_device(shop, 300, name="eve"), a_device(shop, 300, name="ben")
    with transaction.atomic():
        Device.objects.select_for_update().get(pk=locked)
        assert at_once(lambda n: mark_stale_devices(), 1) == [1]
    assert (dead_reason(locked), dead_reason(free)) == (None, STALE)
    assert mark_stale_devices() == 1


def test_registering_a_live_token_again_changes_only_when_it_was_seen(shop: Shop) -> None:
    device = a_device(shop, 1)
    fixed = ("recipient", "token", "app", "created_at", "dead_since", "dead_reason")
    before, seen = Device.objects.values_list(*fixed).get(pk=device), Device.objects.get(pk=device).last_seen_at
    devices.register(Device.objects.get(pk=device).recipient, "fcm", "token-of-eve")
    assert Device.objects.values_list(*fixed).get(pk=device) == before
    assert Device.objects.get(pk=device).last_seen_at > seen
    assert not ConsentChange.objects.filter(changed="device").exists()


def test_an_index_finds_the_devices_that_were_seen_longest_ago(shop: Shop) -> None:
    a_device(shop, 300)
    recipient = shop.recipient("many")
    Device.objects.bulk_create(
        Device(tenant=shop.tenant, recipient=recipient, token=f"token-{n}") for n in range(2_000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE tenants_device")
        cursor.execute(
            f"EXPLAIN {stale_devices.MARK}", {"platform": "fcm", "days": 270, "batch": 1_000, "reason": STALE}
        )
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "device_last_seen" in plan and "Seq Scan" not in plan, plan
