"""Which provider account carries a message: the weighted choice, the limits of the sandbox, and no account at all."""

from __future__ import annotations

import uuid

import pytest

from notifier.delivery import Accepted, accept
from notifier.delivery.accounts import health, registry
from notifier.delivery.accounts.registry import pick_by_weight
from notifier.delivery.content import templates
from notifier.errors import NotifierError, Unconfigured
from notifier.models import ProviderAccount, Template
from notifier.vocabulary.people import SendRequest
from tenants.models import Device
from tests.delivery.build import Shop, a_shop


def an_account(weight: int) -> ProviderAccount:
    return ProviderAccount(id=uuid.uuid4(), weight=weight)


HEAVY, LIGHT = an_account(75), an_account(25)


@pytest.mark.parametrize(
    ("well", "dice", "expected"),
    [
        ({}, 0.0, HEAVY),
        ({}, 0.74, HEAVY),
        ({}, 0.76, LIGHT),
        ({HEAVY.id: 0}, 0.0, LIGHT),
        ({HEAVY.id: 10}, 0.24, LIGHT),
        ({HEAVY.id: 0, LIGHT.id: 0}, 0.5, HEAVY),
    ],
)
def test_healthy_accounts_share_by_weight(well: dict[uuid.UUID, int], dice: float, expected: ProviderAccount) -> None:
    assert pick_by_weight([HEAVY, LIGHT], well, dice) is expected


@pytest.mark.parametrize(
    ("weight", "seconds", "expected"), [(50, 0, 50), (50, 29, 50), (50, 30, 60), (50, 151, 100), (100, 999, 100)]
)
def test_health_drifts_back(weight: int, seconds: int, expected: int) -> None:
    assert health.drifted(weight, 1000.0, 1000.0 + seconds) == expected


@pytest.fixture
def shop(db: None) -> Shop:
    shop = a_shop()
    template = Template.objects.create(tenant=shop.tenant, key="ping")
    templates.publish(template, {"push": {"en": {"title": "t", "body": "b"}}})
    return shop


def ping(shop: Shop) -> Accepted | NotifierError:
    return accept(shop.tenant.id, [SendRequest("ada", "ping")])[0]


def without_account(shop: Shop, platform: str) -> None:
    registry.usable_accounts(shop.tenant, "push", platform, "live")
    ProviderAccount.objects.filter(tenant=shop.tenant, platform=platform).update(enabled=False)
    registry.reset()


def test_a_device_that_no_account_carries_leaves_the_others_alone(shop: Shop) -> None:
    ada = shop.recipient("ada")
    without_account(shop, "apns")
    for platform in ("fcm", "apns"):
        Device.objects.create(tenant=shop.tenant, recipient=ada, platform=platform, token=f"{platform}-token")
    accepted = ping(shop)
    assert isinstance(accepted, Accepted)
    assert sorted(d.reason for d in accepted.deliveries) == ["", "no_account"]


def test_a_message_that_no_account_carries_at_all_is_refused(shop: Shop) -> None:
    ada = shop.recipient("ada")
    without_account(shop, "apns")
    Device.objects.create(tenant=shop.tenant, recipient=ada, platform="apns", token="apns-token")
    assert isinstance(ping(shop), Unconfigured)
    assert shop.deliveries() == []


def test_a_tenant_that_is_live_never_falls_back_to_the_sandbox(shop: Shop) -> None:
    ada = shop.recipient("ada")
    Device.objects.create(tenant=shop.tenant, recipient=ada, token="fcm-token")
    shop.tenant.sandbox = False
    shop.tenant.save()
    assert isinstance(ping(shop), Unconfigured)


def test_a_provider_that_came_later_gets_its_sandbox_account(shop: Shop) -> None:
    assert registry.usable_accounts(shop.tenant, "push", "fcm", "live")
    ProviderAccount.objects.filter(tenant=shop.tenant, provider="fcm").delete()
    registry.reset()
    assert registry.usable_accounts(shop.tenant, "push", "fcm", "live")


def test_a_tenant_gets_one_sandbox_account_of_each_channel_and_platform(shop: Shop) -> None:
    registry.usable_accounts(shop.tenant, "push", "fcm", "test")
    stored = list(ProviderAccount.objects.filter(tenant=shop.tenant).values_list("channel", "platform", "provider"))
    assert len({(channel, platform) for channel, platform, _ in stored}) == len(stored)
    assert {provider for channel, _, provider in stored if channel == "email"} == {"smtp"}
