"""Messages, campaigns, accounts, audit chains and the level of load that need a person."""

from __future__ import annotations

import base64
import os
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from campaigns.models import Campaign, Shard
from campaigns.states import State
from notifier.delivery.accounts import health, registry
from notifier.models import DeadLetter, Delivery, ProviderAccount, Receipt
from notifier.vocabulary.load import Switch
from notifier.vocabulary.status import QueuePosition, Status
from tenants import audit
from tenants.load_shedding import reset as forget_level
from tenants.load_shedding.switch import set_switch
from tenants.models import AuditLog
from tests.delivery.build import Shop, a_shop, an_order
from tests.doctor.conftest import Look

LONG_AGO = datetime.now(UTC) - timedelta(hours=1)


@pytest.fixture
def shop(db: None) -> Shop:
    shop = a_shop()
    shop.recipient()
    return shop


@pytest.fixture
def account(shop: Shop) -> ProviderAccount:
    account = ProviderAccount(tenant=shop.tenant, name="main", provider="smtp")
    registry.save_config(
        account, {"host": "mail.example.com", "from_address": "shop@example.com", "user": "u", "password": "p"}
    )
    account.save()
    return account


def change(shop: Shop, **columns: object) -> None:
    shop.accept(an_order())
    Delivery.objects.filter(tenant=shop.tenant).update(**columns)


@pytest.mark.parametrize(
    "name",
    [
        "due messages", "sweep", "dead letters", "receipts", "halted campaigns", "campaigns that run",
        "campaigns that are armed", "credentials", "health of accounts", "receipts addresses", "audit chains",
        "age of the audit chains", "load",
    ],
)  # fmt: skip
def test_a_quiet_installation_has_no_finding(name: str, look: Look, shop: Shop) -> None:
    assert look(name) == []


@pytest.mark.parametrize(
    ("seconds", "line"),
    [
        (100, "warning late: The oldest due message of in_app waits for 100 s."),
        (3600, "error very-late: The oldest due message of in_app waits for 60 minutes."),
    ],
)
def test_a_message_that_waits(seconds: int, line: str, look: Look, shop: Shop) -> None:
    # the clock of the transaction, by which the check judges
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        (now,) = cursor.fetchone()
    change(shop, due_at=now - timedelta(seconds=seconds))
    assert look("due messages") == [line]


def test_a_sweep_that_does_not_come(look: Look, shop: Shop) -> None:
    change(shop, due_at=LONG_AGO, queue_position=QueuePosition.PARKED)
    (line,) = look("sweep")
    assert line.startswith("error sweep-lag: A message that was held is due for")


def test_leases_that_nobody_ends(look: Look, shop: Shop) -> None:
    change(shop, status=Status.SENDING, lease_until=LONG_AGO)
    assert look("sweep") == ["error lost-leases: The leases of 1 messages in flight are over for more than a minute."]


def test_a_dead_letter(look: Look, shop: Shop) -> None:
    DeadLetter.objects.create(tenant=shop.tenant, delivery_id=uuid.uuid4(), channel="push", attempts=5)
    assert look("dead letters") == ["warning dead-letters: There are 1 dead letters."]


def test_a_receipt_that_nobody_can_read(look: Look, shop: Shop, account: ProviderAccount) -> None:
    at = {"received_at": LONG_AGO, "due_at": LONG_AGO}
    Receipt.objects.create(tenant=shop.tenant, account_id=account.pk, state=Receipt.State.UNREADABLE, sealed=b"", **at)
    assert look("receipts") == ["warning unreadable-receipts: 1 reports of providers could not be read."]


# -- accounts --------------------------------------------------------------------------------------------------------


def test_credentials_that_no_key_opens(look: Look, account: ProviderAccount, settings: Settings) -> None:
    assert look("credentials") == []
    settings.ENCRYPTION_KEYS = [base64.urlsafe_b64encode(os.urandom(32)).decode()]
    (line,) = look("credentials")
    assert line == f"error account-key: The account 'main' of {account.tenant.slug} (smtp) cannot be opened."


def test_an_account_that_its_provider_would_refuse(look: Look, account: ProviderAccount) -> None:
    ProviderAccount.objects.filter(pk=account.pk).update(provider="twilio")
    (line,) = look("credentials")
    assert line.startswith("error account-settings: The account 'main'")
    assert "mail.example.com" not in line


@pytest.mark.parametrize(("steps", "code"), [(-4, ""), (-5, "warning account-failing"), (-10, "error account-down")])
def test_an_account_that_fails(steps: int, code: str, look: Look, account: ProviderAccount) -> None:
    health.move(account.pk, steps)
    assert [line.partition(":")[0] for line in look("health of accounts")] == ([code] if code else [])


def test_a_way_back_for_receipts_that_does_not_exist(look: Look, account: ProviderAccount) -> None:
    ProviderAccount.objects.filter(pk=account.pk).update(provider="twilio", receipts_secret=b"")
    lines = look("receipts addresses")
    assert [line.partition(":")[0] for line in lines] == ["warning no-receipts-address", "warning receipts-unreachable"]


# -- campaigns -------------------------------------------------------------------------------------------------------


def a_campaign(shop: Shop, **columns: object) -> Campaign:
    from notifier.models import Template

    template = Template.objects.get(tenant=shop.tenant)
    return Campaign.objects.create(tenant=shop.tenant, name="c", template=template, channels=["in_app"], **columns)


def test_a_campaign_that_halted(look: Look, shop: Shop) -> None:
    campaign = a_campaign(shop, state=State.PAUSED, halted="too much fails")
    assert look("halted campaigns") == [
        f"warning campaign-halted: The campaign {campaign.pk} of {shop.tenant.slug} has halted itself."
    ]


def test_a_campaign_with_a_halted_channel(look: Look, shop: Shop) -> None:
    a_campaign(shop, state=State.RUNNING, halted_channels={"in_app": "too much fails"})
    (line,) = look("halted campaigns")
    assert line.endswith("has halted its channels in_app.")


def test_a_campaign_that_does_not_move(look: Look, shop: Shop, account: ProviderAccount) -> None:
    campaign = a_campaign(shop, state=State.RUNNING, launched_at=LONG_AGO)
    shard = Shard.objects.create(
        tenant=shop.tenant, campaign=campaign, number=0, channel="email", account=account, size=5
    )
    (line,) = look("campaigns that run")
    assert line.startswith(f"error campaign-stuck: The campaign {campaign.pk} of {shop.tenant.slug} runs since")
    Shard.objects.filter(pk=shard.pk).update(began_at=datetime.now(UTC))
    assert look("campaigns that run") == []


def test_an_arming_that_stands_still(look: Look, shop: Shop) -> None:
    a_campaign(shop, state=State.ARMING, turn_at=LONG_AGO)
    (line,) = look("campaigns that are armed")
    assert line.startswith("error arming-stuck: ")


# -- audit and load --------------------------------------------------------------------------------------------------


def test_a_chain_with_a_changed_row(look: Look, shop: Shop) -> None:
    rows = [audit.record(shop.tenant.pk, "thing.changed", n) for n in range(3)]
    assert audit.chain_batch() == 3
    assert look("audit chains") == []
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE tenants_auditlog DISABLE TRIGGER append_only")
    AuditLog.objects.filter(pk=rows[1].pk).update(action="another")
    (line,) = look("audit chains")
    assert line.startswith(f"error audit-chain: Row {rows[1].pk} of the audit log of {shop.tenant.slug}")


def test_rows_in_no_chain(look: Look, shop: Shop) -> None:
    row = audit.record(shop.tenant.pk, "thing.changed")
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE tenants_auditlog DISABLE TRIGGER append_only")
    AuditLog.objects.filter(pk=row.pk).update(at=LONG_AGO)
    assert look("age of the audit chains") == ["warning audit-lag: 1 rows of the audit log are in no chain yet."]


def test_load_that_is_shed(look: Look, shop: Shop) -> None:
    set_switch(Switch.ON)
    try:
        assert look("load") == ["warning shedding: Load is shed (by an operator)."]
    finally:
        forget_level()
