"""Push through the whole engine to the sandbox's Expo."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django import Settings

from campaigns.report import accounting
from notifier.delivery.accounts import registry
from notifier.delivery.content import templates
from notifier.delivery.ledger.reports import awaited_receipts
from notifier.delivery.ledger.reports.awaited_receipts import AwaitedMessage
from notifier.delivery.receipts import fetching
from notifier.delivery.receipts.reading import read_receipts
from notifier.delivery.send import deliver
from notifier.models import AwaitedReceipts, ProviderAccount, Template
from notifier.transport import use_client
from notifier.transport.in_memory import InMemoryClient
from notifier.vocabulary.http import Request, Response
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.people import SendRequest
from notifier.vocabulary.status import Lane
from tenants.models import Device
from tests.delivery.build import Shop, a_shop
from tests.delivery.scenes import a_campaign, of_campaign, running, send_shards
from tests.sandbox.process import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

PARTS = {"title": "News for {{ recipient.name }}", "body": "Look", "data": {"kind": "news"}}


@pytest.fixture
def shop(sandbox: Sandbox, settings: Settings) -> Shop:
    """A shop that sends push through the sandbox's Expo."""
    settings.SANDBOX_URL, settings.SANDBOX_CA = sandbox.url, sandbox.ca
    shop = a_shop("marketing")
    templates.publish(Template.objects.get(tenant=shop.tenant), {"push": {"en": PARTS}})
    add_account(shop)
    return shop


def add_account(shop: Shop, name: str = "Expo") -> ProviderAccount:
    account = ProviderAccount.objects.create(
        tenant=shop.tenant, name=name, provider="expo", channel="push", platform="expo", sandbox=True
    )
    registry.reset()
    return account


def phone(shop: Shop, external_id: str, word: str = "") -> Device:
    token = f"ExponentPushToken[{word or external_id}-{external_id}]"
    recipient = shop.recipient(external_id)
    return Device.objects.create(tenant=shop.tenant, recipient=recipient, platform="expo", token=token)


def send_to_all(shop: Shop, *external_ids: str) -> None:
    shop.accept(*(SendRequest(external_id, "order") for external_id in external_ids))
    deliver("push", (Lane.BULK,))


def states(shop: Shop) -> dict[str, str]:
    """Recipient's word -> status and reason."""
    return {
        row.address.partition("[")[2].partition("-")[0]: f"{status} {row.reason}".strip()
        for row, status in zip(shop.deliveries(), shop.statuses(), strict=True)
    }


def arrived(sandbox: Sandbox) -> list[Any]:
    return list(sandbox.report(detail=1_000)["messages"])


def test_each_message_of_a_request_ends_by_its_own_ticket(shop: Shop, sandbox: Sandbox) -> None:
    words = ["ada", "unregistered", "busy", "credentials"]
    devices = {word: phone(shop, word, word) for word in words}
    send_to_all(shop, *words)
    assert states(shop) == {
        "ada": "sent",
        "unregistered": "failed dead_address",
        "busy": "queued",
        "credentials": "queued",
    }
    assert [message["title"] for message in arrived(sandbox)] == ["News for ada"]
    devices["unregistered"].refresh_from_db()
    devices["busy"].refresh_from_db()
    assert devices["unregistered"].dead_since and not devices["busy"].dead_since
    assert sandbox.report()["services"]["expo"] == {"200": 1}


def test_a_campaign_leaves_a_hundred_messages_a_request(shop: Shop, sandbox: Sandbox) -> None:
    for n in range(250):
        phone(shop, f"r{n:03}")
    send_shards(running(a_campaign(shop, channels=["push"], canary_percent=0)))
    addresses = [message["address"] for message in arrived(sandbox)]
    assert sorted(addresses) == [f"ExponentPushToken[r{n:03}-r{n:03}]" for n in range(250)]
    assert sandbox.report()["services"]["expo"] == {"200": 3}


def test_devices_of_two_projects_are_reached_with_one_account(shop: Shop, sandbox: Sandbox) -> None:
    for name, word in (("ada", ""), ("ben", ""), ("cleo", "other"), ("dan", "other")):
        phone(shop, name, word)
    send_to_all(shop, "ada", "ben", "cleo", "dan")
    assert set(shop.statuses()) == {"sent"}
    assert len(arrived(sandbox)) == 4
    assert sandbox.report()["services"]["expo"] == {"400": 1, "200": 2}


def test_a_project_that_asks_for_an_access_token_makes_the_account_misconfigured(shop: Shop) -> None:
    phone(shop, "ada", "protected")
    send_to_all(shop, "ada")
    [row] = shop.deliveries()
    assert shop.statuses() == ["queued"] and "UNAUTHORIZED" in row.detail


# ---- receipts that are fetched -------------------------------------------------------------------------------------


def make_due() -> None:
    AwaitedReceipts.objects.update(due_at=datetime.now(UTC))


def fetch() -> int:
    """Fetch what is awaited, and apply it."""
    make_due()
    events = fetching.fetch_receipts()
    read_receipts()
    return events


def test_a_receipt_is_fetched_and_moves_the_ledger(shop: Shop) -> None:
    words = ["ada", "gone", "undelivered", "noreceipt", "laterreceipt"]
    devices = {word: phone(shop, word, word) for word in words}
    send_to_all(shop, *words)
    assert set(shop.statuses()) == {"sent"}
    assert fetching.fetch_receipts() == 0, "nothing is due yet"
    assert fetch() == 3
    ends = {"ada": "delivered", "gone": "failed undelivered", "undelivered": "failed undelivered"}
    assert states(shop) == {**ends, "noreceipt": "sent", "laterreceipt": "sent"}
    dead = {word for word, device in devices.items() if Device.objects.get(pk=device.pk).dead_since}
    assert dead == {"gone"}
    assert fetch() == 1
    assert states(shop) == {**ends, "noreceipt": "sent", "laterreceipt": "delivered"}
    [left] = AwaitedReceipts.objects.all()
    assert left.delivery_ids == [row.id for row in shop.deliveries() if "noreceipt" in row.address]


def test_a_device_that_was_registered_after_the_message_was_sent_stays_alive(shop: Shop) -> None:
    device = phone(shop, "gone", "gone")
    send_to_all(shop, "gone")
    Device.objects.filter(pk=device.pk).update(last_seen_at=datetime.now(UTC))
    fetch()
    device.refresh_from_db()
    assert states(shop) == {"gone": "failed undelivered"} and not device.dead_since


def test_the_receipts_of_a_campaign_are_fetched(shop: Shop) -> None:
    for n in range(250):
        phone(shop, f"r{n:03}", "gone" if n % 100 == 7 else f"r{n:03}")
    campaign = running(a_campaign(shop, channels=["push"], canary_percent=0))
    send_shards(campaign)
    accounting.account(campaign.pk)
    assert fetch() == 250
    assert Counter(of_campaign(campaign)) == {"delivered": 247, "failed": 3}
    assert Device.objects.exclude(dead_since=None).count() == 3
    assert not AwaitedReceipts.objects.exists()


def test_a_worker_that_dies_while_it_asks_loses_nothing(shop: Shop) -> None:
    phone(shop, "ada")
    send_to_all(shop, "ada")
    make_due()
    [account_id] = awaited_receipts.due_accounts()
    assert awaited_receipts.claim(account_id, 1000, lease=60.0)  # and dies
    assert fetching.fetch_receipts() == 0, "the dead worker's lease holds"
    assert fetch() == 1 and shop.statuses() == ["delivered"]


def test_a_worker_that_lost_its_claim_stores_nothing(shop: Shop) -> None:
    phone(shop, "ada")
    send_to_all(shop, "ada")
    make_due()
    [account_id] = awaited_receipts.due_accounts()
    [stale] = awaited_receipts.claim(account_id, 1000, lease=0.0)
    [held] = awaited_receipts.claim(account_id, 1000, lease=60.0)
    assert awaited_receipts.delete_claimed([stale]) == set()
    assert awaited_receipts.delete_claimed([held]) == {held.id}


def test_messages_wait_while_expo_is_down_and_after_a_day_they_are_given_up(shop: Shop, sandbox: Sandbox) -> None:
    phone(shop, "ada")
    send_to_all(shop, "ada")
    sandbox.faults(services={"expo": {"down": True}})
    assert fetch() == 0
    [row] = AwaitedReceipts.objects.all()
    assert row.due_at > datetime.now(UTC) + timedelta(seconds=50)
    AwaitedReceipts.objects.update(sent_at=datetime.now(UTC) - timedelta(hours=25))
    assert fetch() == 0
    assert not AwaitedReceipts.objects.exists() and shop.statuses() == ["sent"]


def test_a_message_without_a_receipt_is_given_up_after_a_day(shop: Shop) -> None:
    phone(shop, "noreceipt", "noreceipt")
    send_to_all(shop, "noreceipt")
    assert fetch() == 0 and AwaitedReceipts.objects.count() == 1
    AwaitedReceipts.objects.update(sent_at=datetime.now(UTC) - timedelta(hours=25))
    assert fetch() == 0
    assert not AwaitedReceipts.objects.exists() and shop.statuses() == ["sent"]


def test_an_account_with_many_messages_makes_no_other_account_wait(shop: Shop, sandbox: Sandbox) -> None:
    """Each round takes one request of each account; the account that is refused is not asked again in the run."""
    many, few = ProviderAccount.objects.get(tenant=shop.tenant, name="Expo"), add_account(shop, "second")
    now = datetime.now(UTC)
    for account, count in ((many, 2_500), (few, 10)):
        awaited_receipts.store(
            [
                AwaitedMessage(shop.tenant.pk, account.pk, new_id(), f"{account.name}-{n}", now, now)
                for n in range(count)
            ]
        )
    client = InMemoryClient(lambda _: Response(200, {}, b'{"data":{}}'))
    with use_client(client):
        fetching.fetch_receipts()
    asked = [json.loads(decompressed(request))["ids"] for request in client.requests]
    assert [(ids[0].partition("-")[0], len(ids)) for ids in asked[:2]] in (
        [("Expo", 1000), ("second", 10)],
        [("second", 10), ("Expo", 1000)],
    )
    assert sum(map(len, asked)) == 2_510
    assert AwaitedReceipts.objects.count() == 6, "what is left of many rows is stored in few"


def test_the_rows_of_a_deleted_account_are_deleted(shop: Shop) -> None:
    now = datetime.now(UTC)
    awaited_receipts.store([AwaitedMessage(shop.tenant.pk, new_id(), new_id(), "ticket", now, now)])
    assert fetching.fetch_receipts() == 0 and not AwaitedReceipts.objects.exists()


@pytest.mark.parametrize(("age", "wait"), [(0, 60), (60, 60), (900, 225), (3600, 900), (43_200, 7200), (90_000, 7200)])
def test_the_older_a_message_the_longer_the_wait(age: int, wait: float) -> None:
    assert fetching.wait_seconds(timedelta(seconds=age)) == wait


def decompressed(request: Request) -> bytes:
    compressed = dict(request.headers).get("content-encoding") == "gzip"
    return gzip.decompress(request.body) if compressed else request.body
