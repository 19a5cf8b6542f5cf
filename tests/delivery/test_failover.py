"""A second account takes over when the first one's provider is down: single messages, rows that wait, and campaigns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from uuid import UUID

import pytest

from campaigns.models import Shard
from notifier.channels.email import EmailMessage
from notifier.delivery.accounts import health, registry
from notifier.delivery.content import templates
from notifier.delivery.send import deliver
from notifier.delivery.sweep import sweep
from notifier.local.servers.ports import free_port
from notifier.models import Delivery, ProviderAccount, Template
from notifier.providers.base import Answers
from notifier.providers.smtp import Smtp, SmtpConfig
from notifier.vocabulary.http import HttpClient
from notifier.vocabulary.status import Lane, Reason, Status
from notifier.vocabulary.verdicts import InDoubt, Misconfigured, Permanent, Sent, Temporary, Verdict
from tests.delivery.build import Shop, a_shop, an_order
from tests.delivery.scenes import a_campaign, all_due, of_campaign, running, send_shards

pytestmark = pytest.mark.django_db(transaction=True)
FAST = (Lane.CRITICAL, Lane.TRANSACTIONAL)
BULK = (Lane.BULK,)


class MailServer(Smtp):
    """A mail server that answers each message with `verdict`, and remembers what it got."""

    name = ""  # not registered

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(SmtpConfig(host="mail.example.com", from_address="shop@example.com"))
        self.verdict_of_all, self.got = verdict, list[UUID]()

    def send(self, messages: Sequence[EmailMessage], client: HttpClient) -> Iterator[Answers]:
        self.got += [message.envelope.delivery_id for message in messages]
        yield [(i, self.verdict_of_all) for i in range(len(messages))]


@pytest.fixture
def shop() -> Shop:
    return a_live_shop("transactional")


def a_live_shop(kind: str) -> Shop:
    shop = a_shop(kind)
    shop.tenant.sandbox = False
    shop.tenant.save()
    template = Template.objects.get(tenant=shop.tenant)
    templates.publish(
        template, {"email": {"en": {"subject": "Order {{ order }}", "text": "It left. {{ preferences_url }}"}}}
    )
    shop.recipient("ada", email="ada@example.com")
    return shop


def an_account(shop: Shop, name: str, weight: int = 100) -> ProviderAccount:
    """An account whose mail server nothing listens at."""
    port = free_port()
    account = ProviderAccount(tenant=shop.tenant, name=name, provider="smtp", weight=weight)
    config = {"host": "127.0.0.1", "port": port, "security": "none", "from_address": "shop@example.com"}
    registry.save_config(account, config)
    account.save()
    return account


def answered_by(account: ProviderAccount, verdict: Verdict) -> MailServer:
    server = MailServer(verdict)
    registry.override_provider(account.pk, server)
    return server


def two_accounts(shop: Shop) -> tuple[ProviderAccount, MailServer]:
    """An account that nothing answers and gets all messages, and the server of an account in reserve."""
    dead, reserve = an_account(shop, "first", weight=32_000), an_account(shop, "reserve", weight=1)
    return dead, answered_by(reserve, Sent("ref"))


def test_a_message_of_a_dead_mail_server_leaves_at_once_through_the_other_account(shop: Shop) -> None:
    _, reserve = two_accounts(shop)
    shop.accept(an_order())
    deliver("email", FAST)
    [row] = shop.deliveries()
    assert (row.status, row.attempt, reserve.got) == (Status.SENT, 2, [row.id])


def test_what_may_have_left_already_is_not_sent_again_through_another_account(shop: Shop) -> None:
    first, reserve = two_accounts(shop)
    answered_by(first, InDoubt("no answer"))
    shop.accept(an_order())
    deliver("email", FAST)
    answered_by(first, Temporary("down", unavailable=True))
    for health_steps in (0, -10):  # the server refuses the repeat; then the circuit is open
        health.move(first.pk, health_steps)
        all_due()
        deliver("email", FAST)
    [row] = shop.deliveries()
    assert (row.status, row.account_id, reserve.got) == (Status.QUEUED, first.pk, [])


@pytest.mark.parametrize("deleted", [False, True])
def test_what_may_have_left_already_ends_as_unknown_when_its_account_is_gone(shop: Shop, deleted: bool) -> None:
    first, _ = two_accounts(shop)
    answered_by(first, InDoubt("no answer"))
    shop.accept(an_order())
    deliver("email", FAST)
    account = ProviderAccount.objects.filter(pk=first.pk)
    account.delete() if deleted else account.update(enabled=False)
    registry.reset()
    reserve = answered_by(ProviderAccount.objects.get(name="reserve"), Sent("ref"))
    all_due()
    for _ in range(2):
        sweep()
        deliver("email", FAST)
    [row] = shop.deliveries()
    assert (row.status, row.reason, reserve.got) == (Status.UNKNOWN, Reason.IN_DOUBT, [])


class PickyServer(MailServer):
    """Takes no mail to ben: of one country, or of one sender."""

    def send(self, messages: Sequence[EmailMessage], client: HttpClient) -> Iterator[Answers]:
        refused = [message.envelope.address.value == "ben@example.com" for message in messages]
        yield [(i, Misconfigured("no route") if no else Sent()) for i, no in enumerate(refused)]


def test_an_account_that_takes_other_messages_stays_healthy(shop: Shop) -> None:
    account = an_account(shop, "first")
    registry.override_provider(account.pk, PickyServer(Sent()))
    shop.recipient("ben", email="ben@example.com")
    for _ in range(2):
        shop.accept(an_order(), an_order("ben"))
        deliver("email", FAST)
    health.reset()
    assert health.read_weights([account.pk]) == {account.pk: health.FULL}
    assert sorted(row.status for row in shop.deliveries()) == [Status.QUEUED] * 2 + [Status.SENT] * 2


def test_rows_that_wait_for_a_dead_account_move_to_a_healthy_one(shop: Shop) -> None:
    first, reserve = two_accounts(shop)
    shop.accept(an_order())
    health.move(first.pk, -10)
    deliver("email", FAST)
    [row] = shop.deliveries()
    assert (row.status, row.attempt, reserve.got) == (Status.SENT, 1, [row.id])


def test_a_recipients_greylisting_stays_with_the_account(shop: Shop) -> None:
    first, reserve = two_accounts(shop)
    answered_by(first, Temporary("451 greylisted"))
    shop.accept(an_order())
    deliver("email", FAST)
    [row] = shop.deliveries()
    assert (row.status, row.account_id, reserve.got) == (Status.QUEUED, first.pk, [])


def test_a_refusal_for_good_moves_nowhere(shop: Shop) -> None:
    first, reserve = two_accounts(shop)
    answered_by(first, Permanent("550 no such user"))
    shop.accept(an_order())
    deliver("email", FAST)
    assert (shop.statuses(), reserve.got) == (["failed"], [])


def test_two_dead_accounts_take_turns_on_the_schedule_of_retries(shop: Shop) -> None:
    an_account(shop, "first"), an_account(shop, "second")
    shop.accept(an_order())
    deliver("email", FAST)
    [row] = shop.deliveries()
    assert (row.status, row.attempt) == (Status.QUEUED, 2)


def test_a_campaign_goes_on_through_the_other_account_and_nothing_is_sent_twice() -> None:
    market = a_live_shop("marketing")
    for n in range(300):
        market.recipient(f"user-{n}", email=f"user-{n}@example.com")
    first, reserve = two_accounts(market)
    campaign = running(a_campaign(market, channels=["email"]))
    for _ in range(4):
        send_shards(campaign)
        all_due()
        deliver("email", BULK)
    assert set(of_campaign(campaign)) <= {"sent", "armed"}  # a shard's own outcomes reach the ledger later
    assert len(reserve.got) == len(set(reserve.got)) == 301
    campaign.refresh_from_db()
    assert campaign.state == "running"
    assert first.pk not in Shard.objects.filter(campaign=campaign, state="armed").values_list("account_id", flat=True)
    assert not Delivery.objects.filter(campaign_id=campaign.pk, status=Status.FAILED).exists()
