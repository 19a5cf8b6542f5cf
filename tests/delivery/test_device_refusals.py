"""What the refusal of one device does to the device and to the account: single messages, and campaigns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from campaigns.models import Campaign
from campaigns.report import accounting
from notifier.channels.push import PushMessage
from notifier.delivery.accounts import health, rate_limits, registry
from notifier.delivery.content import templates
from notifier.delivery.send import deliver
from notifier.models import Delivery, ProviderAccount, Template
from notifier.providers.base import Answers
from notifier.providers.fcm import Fcm, FcmConfig
from notifier.vocabulary.http import HttpClient
from notifier.vocabulary.people import SendRequest
from notifier.vocabulary.status import Lane, Reason, Status
from notifier.vocabulary.verdicts import Misconfigured, Permanent, Sent, Temporary, Throttled, Verdict
from tenants.models import Device
from tenants.people import devices
from tests.delivery.build import Shop, a_shop
from tests.delivery.scenes import a_campaign, running, send_shards

pytestmark = pytest.mark.django_db(transaction=True)
FAST = (Lane.CRITICAL, Lane.TRANSACTIONAL)
MANY = 110


class Service(Fcm):
    """Answers each token with `answer(token)`; without body templates, so that campaigns use it, too."""

    name = ""  # not registered
    templatable = None  # type: ignore[assignment]

    def __init__(self, answer: Callable[[str], Verdict]) -> None:
        super().__init__(FcmConfig.sandbox("https://fcm.test"))
        self.answer = answer

    def send(self, messages: Sequence[PushMessage], client: HttpClient) -> Iterator[Answers]:
        for i, message in enumerate(messages):
            yield [(i, self.answer(message.envelope.address.value))]


@pytest.fixture
def shop() -> Shop:
    shop = a_shop()
    templates.publish(Template.objects.get(tenant=shop.tenant), {"push": {"en": {"title": "t", "body": "b"}}})
    return shop


def account_of(shop: Shop, answer: Callable[[str], Verdict]) -> ProviderAccount:
    account = registry.choose_account(shop.tenant, "push", "fcm", "live")
    registry.override_provider(account.pk, Service(answer))
    return account


def people(shop: Shop, number: int) -> None:
    for n in range(number):
        devices.register(shop.recipient(f"r{n}"), "fcm", f"token-{n:03}")


def send(shop: Shop, number: int, way: str) -> None:
    """A message to each recipient: single ones, or a campaign whose outcomes are written to the ledger."""
    if way == "single":
        shop.accept(*(SendRequest(f"r{n}", "order") for n in range(number)))
        deliver("push", FAST)
        return
    campaign = running(a_campaign(shop, channels=["push"]))
    send_shards(campaign)
    Campaign.objects.filter(pk=campaign.pk).update(state="finished")
    accounting.account(campaign.pk)


WAYS = pytest.mark.parametrize("way", ["single", "campaign"])


@WAYS
@pytest.mark.parametrize("refused", [1, MANY], ids=["one device", "all devices"])
def test_one_device_that_gets_too_much_does_not_slow_the_account(shop: Shop, way: str, refused: int) -> None:
    people(shop, MANY)
    first = {f"token-{MANY - 1 - n:03}" for n in range(refused)}
    account = account_of(shop, lambda token: Throttled(30.0, "429") if token in first else Sent("ref"))
    send(shop, MANY, way)
    granted = rate_limits.take_for_account(account.pk, None, 1).granted
    assert granted == (1 if refused == 1 else 0)


@WAYS
def test_a_token_of_the_other_environment_fails_alone(shop: Shop, way: str) -> None:
    people(shop, 10)
    wrong = Misconfigured("400 BadDeviceToken: use the account of the other environment", one_address=True)
    account = account_of(shop, lambda token: wrong if token == "token-003" else Sent("ref"))
    send(shop, 10, way)
    rows = Delivery.objects.filter(tenant=shop.tenant, address="token-003").values_list("status", "reason", "detail")
    assert list(rows) == [(Status.FAILED, Reason.MISCONFIGURED, wrong.detail)]
    assert Delivery.objects.filter(tenant=shop.tenant, status=Status.SENT).count() == 9
    assert not Device.objects.filter(dead_since__isnull=False).exists()
    assert health.read_weights([account.pk]) == {account.pk: health.FULL}


@WAYS
@pytest.mark.parametrize("one_address", [True, False])
def test_an_answer_about_one_address_does_not_touch_the_accounts_health(
    shop: Shop, way: str, one_address: bool
) -> None:
    people(shop, 1)
    account = account_of(shop, lambda token: Temporary("404", one_address=one_address))
    send(shop, 1, way)
    assert (health.read_weights([account.pk])[account.pk] == health.FULL) is one_address


@WAYS
@pytest.mark.parametrize(
    ("since", "dies"),
    [
        (None, True),
        (timedelta(minutes=-4), True),
        (timedelta(minutes=-6), False),
        (timedelta(days=-20_000), False),
        (timedelta(days=20_000), True),
    ],
    ids=["no time", "after it was registered", "before", "long before", "in the future"],
)
def test_a_refusal_kills_what_was_registered_before_the_providers_time(
    shop: Shop, way: str, since: timedelta | None, dies: bool
) -> None:
    people(shop, 1)
    Device.objects.update(last_seen_at=datetime.now(UTC) - timedelta(minutes=5))
    as_of = None if since is None else datetime.now(UTC) + since
    account_of(shop, lambda token: Permanent("410 Unregistered", address_is_dead=True, dead_as_of=as_of))
    send(shop, 1, way)
    device = Device.objects.get()
    assert (device.dead_since is not None, device.dead_reason) == (dies, "410 Unregistered" if dies else "")
    assert Delivery.objects.get(tenant=shop.tenant).reason == Reason.DEAD_ADDRESS


@WAYS
def test_a_device_that_is_registered_while_its_message_is_in_flight_lives(shop: Shop, way: str) -> None:
    people(shop, 1)

    def register_and_refuse(token: str) -> Verdict:
        Device.objects.update(last_seen_at=datetime.now(UTC) + timedelta(milliseconds=1))
        connection.close()  # of the batch's own thread
        return Permanent("404 UNREGISTERED", address_is_dead=True)

    account_of(shop, register_and_refuse)
    send(shop, 1, way)
    assert Device.objects.get().dead_since is None


@WAYS
def test_a_token_that_moved_after_its_message_was_prepared_gets_nothing(shop: Shop, way: str) -> None:
    people(shop, 1)
    sent: list[str] = []

    def keep(token: str) -> Verdict:
        sent.append(token)
        return Sent("ref")

    account_of(shop, keep)
    if way == "single":
        shop.accept(SendRequest("r0", "order"))
    else:
        campaign = running(a_campaign(shop, channels=["push"]))
    devices.register(shop.recipient("the new owner"), "fcm", "token-000")
    if way == "single":
        deliver("push", FAST)
        assert Delivery.objects.get().reason == Reason.NO_ADDRESS
    else:
        send_shards(campaign)
    assert sent == []
