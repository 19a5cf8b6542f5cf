"""Which account sends to a device: the accounts of its app, else those without an app. Single messages, campaigns, test
sends, and rows whose account was switched off."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

import pytest

from campaigns import arming
from campaigns.audit import OPERATOR
from campaigns.models import Campaign, Shard
from campaigns.preflight import test_send
from campaigns.preflight.preflight import preflight
from notifier.channels.push import PushMessage
from notifier.delivery import Accepted
from notifier.delivery.accounts import registry
from notifier.delivery.content import templates
from notifier.delivery.ledger.dead_letters import redrive
from notifier.delivery.send import deliver
from notifier.errors import Unconfigured
from notifier.models import DeadLetter, Delivery, ProviderAccount, Template
from notifier.providers.base import Answers
from notifier.providers.fcm import Fcm, FcmConfig
from notifier.vocabulary.http import HttpClient
from notifier.vocabulary.people import SendRequest
from notifier.vocabulary.status import Lane, Reason, Status
from notifier.vocabulary.verdicts import Permanent, Sent, Temporary, Verdict
from tenants.models import Device
from tenants.people import devices
from tests.campaigns.conftest import armed
from tests.delivery.build import Shop, a_shop
from tests.delivery.scenes import a_campaign, all_due, running, send_shards

pytestmark = pytest.mark.django_db(transaction=True)
SENT = Sent()
FAST = (Lane.CRITICAL, Lane.TRANSACTIONAL)


class Firebase(Fcm):
    """A project that answers each message with `answer`, and remembers the tokens."""

    name = ""  # not registered

    def __init__(self, answer: Verdict) -> None:
        super().__init__(FcmConfig.sandbox("https://fcm.test"))
        self.answer, self.tokens = answer, list[str]()

    def send(self, messages: Sequence[PushMessage], client: HttpClient) -> Iterator[Answers]:
        self.tokens += [message.envelope.address.value for message in messages]
        yield [(i, self.answer) for i in range(len(messages))]


@pytest.fixture
def shop() -> Shop:
    """A tenant that is live; its template has a push, and `ada` a phone with three apps."""
    shop = a_shop()
    shop.tenant.sandbox = False
    shop.tenant.save()
    templates.publish(Template.objects.get(tenant=shop.tenant), {"push": {"en": {"title": "t", "body": "b"}}})
    with_devices(shop, "ada", "kiosk", "courier", "")
    return shop


def with_devices(shop: Shop, external_id: str, *apps: str) -> None:
    recipient = shop.recipient(external_id)
    for app in apps:
        devices.register(recipient, "fcm", f"token-of-{external_id}-{app or 'none'}", app)


def an_account(shop: Shop, app: str, answer: Verdict = SENT, name: str = "") -> ProviderAccount:
    account = ProviderAccount.objects.create(
        tenant=shop.tenant, name=name or app or "all", provider="fcm", channel="push", platform="fcm", app=app
    )
    registry.override_provider(account.pk, Firebase(answer))
    return account


def ping(shop: Shop, *external_ids: str) -> list[Accepted]:
    accepted = shop.accept(*(SendRequest(e, "order") for e in external_ids))
    return [a for a in accepted if isinstance(a, Accepted)]


def account_of_app(shop: Shop) -> Mapping[str, str]:
    """app -> the account of the newest message to a device of this app; "" for a message without an account."""
    apps: dict[UUID | None, str] = dict(Device.objects.filter(tenant=shop.tenant).values_list("id", "app"))
    names = dict(ProviderAccount.objects.values_list("id", "name"))
    rows = Delivery.objects.filter(tenant=shop.tenant).order_by("id")
    return {apps[row.device_id]: names.get(row.account_id or UUID(int=0), "") for row in rows if row.device_id}


@pytest.mark.parametrize(
    ("accounts", "expected"),
    [
        ([""], {"kiosk": "all", "courier": "all", "": "all"}),
        (["", "kiosk"], {"kiosk": "kiosk", "courier": "all", "": "all"}),
        (["kiosk", "courier"], {"kiosk": "kiosk", "courier": "courier", "": ""}),
        (["kiosk"], {"kiosk": "kiosk", "courier": "", "": ""}),
    ],
    ids=["one", "one-beside", "each", "missing"],
)
def test_a_message_leaves_by_the_account_of_its_devices_app(
    shop: Shop, accounts: list[str], expected: dict[str, str]
) -> None:
    for app in accounts:
        an_account(shop, app)
    with_devices(shop, "ben", "kiosk")
    assert len(ping(shop, "ada", "ben")) == 2
    assert account_of_app(shop) == expected
    campaign = armed(a_campaign(shop, channels=["push"]))
    assert account_of_app(shop) == expected
    # a shard holds messages of one account, and apps that share an account share its shards
    shards = sorted((shard.account.name, shard.size) for shard in Shard.objects.filter(campaign=campaign))
    assert shards == sorted(
        Counter(expected[app] for app in ("kiosk", "courier", "", "kiosk") if expected[app]).items()
    )


def test_the_error_of_a_message_without_an_account_names_platform_and_app(shop: Shop) -> None:
    an_account(shop, "till")
    with_devices(shop, "ben", "kiosk")
    [refused] = shop.accept(SendRequest("ben", "order"))
    assert isinstance(refused, Unconfigured)
    assert "fcm devices of the app 'kiosk'" in refused.message
    campaign = a_campaign(shop, channels=["push"])
    arming.request_arm(campaign)
    arming.arm(campaign.pk)
    campaign.refresh_from_db()
    assert "fcm devices of the app 'kiosk'" in campaign.failure and "fcm devices." in campaign.failure


def test_preflight_names_the_apps_that_no_account_serves(shop: Shop) -> None:
    an_account(shop, "kiosk")
    shown = preflight(armed(a_campaign(shop, channels=["push"])))
    assert [(ready.account, ready.messages) for ready in shown.ready] == [("kiosk", 1)]
    assert any("1 on push: No enabled" in w and "fcm devices of the app 'courier'" in w for w in shown.warnings)
    row = Delivery.objects.get(address="token-of-ada-courier")
    assert (row.reason, "of the app 'courier'" in row.detail) == (Reason.NO_ACCOUNT, True)


def test_a_test_send_leaves_by_the_account_of_each_app(shop: Shop) -> None:
    for app in ("", "kiosk"):
        an_account(shop, app)
    test_send.send(a_campaign(shop, channels=["push"]), "ada", OPERATOR)
    assert account_of_app(shop) == {"kiosk": "kiosk", "courier": "all", "": "all"}


def switch(account: ProviderAccount, enabled: bool) -> None:
    """Switch the account on or off, and let this process read the accounts anew."""
    account.enabled = enabled
    account.save()
    servers = {pk: registry.provider_for(ProviderAccount(id=pk)) for pk in list(registry._overrides)}
    registry.reset()
    for pk, server in servers.items():
        registry.override_provider(pk, server)


def server_of(account: ProviderAccount) -> Firebase:
    server = registry.provider_for(account)
    assert isinstance(server, Firebase)
    return server


@pytest.mark.parametrize("bulk", [False, True], ids=["single", "campaign"])
def test_waiting_messages_of_a_disabled_account_go_to_the_account_of_their_devices_app(shop: Shop, bulk: bool) -> None:
    everything, kiosk = an_account(shop, ""), an_account(shop, "kiosk")
    switch(kiosk, enabled=False)
    running(a_campaign(shop, channels=["push"])) if bulk else ping(shop, "ada")
    switch(kiosk, enabled=True)
    switch(everything, enabled=False)
    for campaign in Campaign.objects.filter(tenant=shop.tenant):
        send_shards(campaign)
    all_due()
    for _ in range(3):
        deliver("push", [*Lane])
    assert (server_of(everything).tokens, server_of(kiosk).tokens) == ([], ["token-of-ada-kiosk"])
    letters = DeadLetter.objects.filter(tenant=shop.tenant).values_list("last_error", flat=True)
    assert bulk or sorted("'courier'" in error for error in letters) == [False, True]


def test_a_dead_letter_of_an_app_is_sent_by_the_account_that_the_app_has_now(shop: Shop) -> None:
    everything, kiosk = an_account(shop, "", Permanent("no")), an_account(shop, "kiosk", Permanent("no"))
    switch(kiosk, enabled=False)
    ping(shop, "ada")
    switch(everything, enabled=False)
    deliver("push", FAST)
    assert {row.status for row in shop.deliveries()} == {Status.FAILED}
    switch(kiosk, enabled=True)
    letters = list(DeadLetter.objects.filter(tenant=shop.tenant).values_list("id", flat=True))
    assert redrive(shop.tenant.id, letters) == 3
    all_due()
    deliver("push", FAST)
    assert server_of(kiosk).tokens == ["token-of-ada-kiosk"]


def test_the_account_of_all_apps_takes_nothing_over_from_the_account_of_one_app(shop: Shop) -> None:
    an_account(shop, "")
    kiosk, twin = an_account(shop, "kiosk", Temporary("down", unavailable=True)), an_account(shop, "kiosk", name="twin")
    assert registry.fallback_accounts(shop.tenant, kiosk, "live") == [twin]
    switch(twin, enabled=False)
    assert registry.fallback_accounts(shop.tenant, kiosk, "live") == []
