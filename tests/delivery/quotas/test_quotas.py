"""Quotas of a tenant: what counts, what is refused, what a campaign takes and gives back, who is warned."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from campaigns import arming
from campaigns.lifecycle.launching import launch
from campaigns.lifecycle.running import stopping
from campaigns.models import Campaign, Shard
from campaigns.preflight.preflight import preflight
from campaigns.report import accounting
from campaigns.sending import shards
from notifier import tasks
from notifier.delivery import Accepted
from notifier.delivery.quotas import counting, watching
from notifier.errors import NotifierError, QuotaExceeded
from notifier.models import QuotaUse
from notifier.vocabulary.people import SendRequest
from notifier.vocabulary.quotas import read_quotas
from notifier.vocabulary.status import Mode
from tenants.models import AuditLog, Member, User
from tests.delivery.build import Shop, a_shop, an_order
from tests.delivery.digests.build import a_digest_shop
from tests.delivery.scenes import a_campaign, running, send_shards

pytestmark = pytest.mark.django_db


def limited(shop: Shop, **periods: int) -> Shop:
    shop.tenant.quotas = {"in_app": periods}
    shop.tenant.save()
    return shop


def used(shop: Shop) -> dict[str, int]:
    now = datetime.now(UTC)
    uses = counting.uses(shop.tenant.pk, read_quotas(shop.tenant.quotas), shop.tenant.timezone, now)
    return {use.quota.period.value: use.used for use in uses}


def kinds(outcomes: list[Accepted | NotifierError]) -> list[str]:
    return ["accepted" if isinstance(o, Accepted) else o.code for o in outcomes]


def test_messages_are_counted_and_refused_above_the_quota() -> None:
    shop = limited(a_shop(), day=3, month=10)
    shop.recipient()
    assert kinds(shop.accept(*[an_order() for _ in range(5)])) == ["accepted"] * 3 + ["quota_exceeded"] * 2
    assert used(shop) == {"day": 3, "month": 3}
    assert len(shop.deliveries()) == 3
    [refused] = shop.accept(an_order())
    assert isinstance(refused, QuotaExceeded)
    assert "quota of 3 in_app messages a day has 0 left" in refused.message and "renews at" in refused.message
    assert 0 < refused.retry_after <= 86_400 + 3_600


def test_the_month_holds_when_the_day_has_room() -> None:
    shop = limited(a_shop(), day=100, month=1)
    shop.recipient()
    first, second = shop.accept(an_order(), an_order())
    assert isinstance(first, Accepted) and isinstance(second, QuotaExceeded)
    assert "a month" in second.message


def test_test_messages_and_other_channels_do_not_count() -> None:
    shop = limited(a_shop(), day=1)
    shop.recipient()
    assert kinds(shop.accept(*[an_order(mode=Mode.TEST) for _ in range(3)])) == ["accepted"] * 3
    shop.tenant.quotas = {"email": {"day": 1}}
    shop.tenant.save()
    assert kinds(shop.accept(an_order(), an_order())) == ["accepted"] * 2
    assert not QuotaUse.objects.exists()


def test_items_of_a_digest_are_accepted_above_the_quota_and_the_digest_counts_once() -> None:
    shop = a_digest_shop()
    shop.setting()
    shop.tenant.quotas = {"email": {"day": 1}}
    shop.tenant.save()
    items = [SendRequest("ada", "order", data={"order": str(n)}) for n in range(5)]
    assert kinds(shop.accept(*items)) == ["accepted"] * 5
    assert used(shop) == {"day": 0}
    assert shop.close() == 1 and used(shop) == {"day": 1}
    # a message with a time of its own leaves by itself
    by_itself = SendRequest("ada", "order", data={"order": "9"}, send_at=datetime.now(UTC) + timedelta(hours=1))
    assert kinds(shop.accept(by_itself, items[0])) == ["quota_exceeded", "accepted"]


def test_a_tenant_without_quotas_pays_no_statement() -> None:
    shop = a_shop()
    shop.recipient()
    shop.accept(an_order())
    with CaptureQueriesContext(connection) as queries:
        shop.accept(an_order())
    assert not any("quota" in q["sql"] and "notifier_quotause" in q["sql"] for q in queries)
    assert not QuotaUse.objects.exists()


def test_yesterday_does_not_count() -> None:
    shop = limited(a_shop(), day=1)
    shop.recipient()
    day = datetime.now(UTC).date() - timedelta(days=1)
    QuotaUse.objects.create(tenant=shop.tenant, starts_on=day, period="day", channel="in_app", part=0, used=9)
    assert kinds(shop.accept(an_order(), an_order())) == ["accepted", "quota_exceeded"]


def test_counts_of_many_rows_are_one_count() -> None:
    shop = limited(a_shop(), day=10)
    shop.recipient()
    day = datetime.now(UTC).date()
    for part, n in ((0, 3), (5, 4), (15, 2)):
        QuotaUse.objects.create(tenant=shop.tenant, starts_on=day, period="day", channel="in_app", part=part, used=n)
    assert kinds(shop.accept(an_order(), an_order())) == ["accepted", "quota_exceeded"]


def armed(shop: Shop, **columns: Any) -> Campaign:
    campaign = a_campaign(shop, **columns)
    arming.request_arm(campaign)
    arming.arm(campaign.pk)
    campaign.refresh_from_db()
    return campaign


def crowd(shop: Shop, number: int) -> Shop:
    for n in range(number):
        shop.recipient(f"p{n}")
    return shop


def test_go_takes_the_quota_of_the_whole_campaign() -> None:
    shop = crowd(limited(a_shop(), day=10, month=10), 4)
    campaign = running(a_campaign(shop))
    assert used(shop) == {"day": 4, "month": 4}
    assert {tuple(entry[:2]): entry[3] for entry in campaign.reserved} == {("in_app", "day"): 4, ("in_app", "month"): 4}
    send_shards(campaign)
    assert used(shop) == {"day": 4, "month": 4}


def test_go_above_the_quota_is_refused_and_preflight_says_so_before() -> None:
    shop = crowd(limited(a_shop(), month=3), 4)
    campaign = armed(shop)
    [warning] = [text for text in preflight(campaign).warnings if "quota" in text]
    assert warning.startswith("GO will be refused: the quota of 3 in_app messages a month has 3 left.")
    with pytest.raises(QuotaExceeded, match="4 more were asked for"):
        launch.go(campaign.tenant_id, campaign.pk)
    campaign.refresh_from_db()
    assert (campaign.state, used(shop)) == ("armed", {"month": 0})
    shop.tenant.quotas = {"in_app": {"month": 4}}
    shop.tenant.save()
    assert launch.go(campaign.tenant_id, campaign.pk)
    assert not launch.go(campaign.tenant_id, campaign.pk)  # a repeat takes nothing
    assert used(shop) == {"month": 4}


def test_go_that_is_taken_back_returns_all_of_it() -> None:
    shop = crowd(limited(a_shop(), day=10), 4)
    campaign = armed(shop, hold_seconds=60)
    assert launch.go(campaign.tenant_id, campaign.pk) and used(shop) == {"day": 4}
    assert launch.take_back(campaign.tenant_id, campaign.pk)
    assert not launch.take_back(campaign.tenant_id, campaign.pk)
    assert used(shop) == {"day": 0}


def test_a_stopped_campaign_returns_what_never_began(settings: Settings) -> None:
    settings.SHARD_SIZE = 2
    shop = crowd(limited(a_shop(), day=10), 6)
    campaign = running(a_campaign(shop))
    first = Shard.objects.filter(campaign=campaign).order_by("number").first()
    assert first is not None
    shards.send_shard(first.pk, "bulk@one")
    stopping.stop(campaign.tenant_id, campaign.pk)
    stopping.cancel_rows(campaign.pk)
    accounting.account(campaign.pk)
    assert used(shop) == {"day": first.size}
    assert not accounting.close(campaign.pk)


def test_silent_and_test_campaigns_take_nothing() -> None:
    shop = crowd(limited(a_shop(), day=1), 2)
    running(a_campaign(shop, mode=Mode.TEST))
    assert used(shop) == {"day": 0}


def test_owners_are_warned_once_at_80_percent_and_once_at_100(settings: Settings) -> None:
    settings.EMAIL_HOST_GIVEN = True
    shop = limited(a_shop(), day=5)
    shop.recipient()
    for name, role in (("owner", "owner"), ("author", "author")):
        user = User.objects.create_user(f"{name}@shop", f"{name}@example.com", "a long password")
        Member.objects.create(tenant=shop.tenant, user=user, role=role)
    percents = []
    for _ in range(5):
        shop.accept(an_order())
        tasks.watch_quotas()
        tasks.watch_quotas()
        percents.append(len(mail.outbox))
    assert percents == [0, 0, 0, 1, 2]
    assert {tuple(message.to) for message in mail.outbox} == {("owner@example.com",)}
    assert "in_app: 5 of 5 messages of this day" in mail.outbox[1].body
    details = AuditLog.objects.filter(tenant=shop.tenant, action="quota.warned").order_by("id")
    assert [row.detail["percent"] for row in details] == [80, 100]
    # a warning's row counts nothing
    assert used(shop) == {"day": 5}


def test_a_raised_quota_warns_anew() -> None:
    shop = limited(a_shop(), day=5)
    shop.recipient()

    def percents_after(orders: int) -> list[int]:
        shop.accept(*[an_order() for _ in range(orders)])
        tasks.watch_quotas()
        tasks.watch_quotas()
        warnings = AuditLog.objects.filter(tenant=shop.tenant, action="quota.warned").order_by("id")
        return [row.detail["percent"] for row in warnings]

    assert percents_after(5) == [100]
    limited(shop, day=10)
    assert percents_after(0) == [100]  # half of it is used
    assert percents_after(3) == [100, 80]
    assert percents_after(2) == [100, 80, 100]


def test_counts_are_kept_for_13_months() -> None:
    shop, today = limited(a_shop(), day=5), datetime.now(UTC).date()
    for days in (1, 399, 402):
        day = today - timedelta(days=days)
        QuotaUse.objects.create(tenant=shop.tenant, starts_on=day, period="day", channel="in_app", part=0, used=9)
    assert watching.forget_old(datetime.now(UTC)) == 1
