"""Which changes become events, in the transaction of the change."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from notifier.delivery.ledger import waiting_rows
from notifier.delivery.receipts.apply import Source, apply_events
from notifier.delivery.send import deliver
from notifier.delivery.webhooks import spool, subscriptions
from notifier.models import Delivery, WebhookAttempt, WebhookEndpoint, WebhookMessage, WebhookSpool
from notifier.vocabulary.receipts import EventKind, ReceiptEvent
from notifier.vocabulary.status import Lane
from notifier.vocabulary.webhooks import EventType
from notifier.webhooks import claims, disabling, endpoints, forgetting, packing, sender, settling
from notifier.webhooks.schedule import Result
from notifier.webhooks.settling import Attempt
from tenants.audit import Actor
from tenants.models import Import, Member, Preference, Recipient, Suppression, User
from tests.delivery.build import Shop, a_shop, an_order
from tests.webhooks.conftest import an_endpoint
from tests.webhooks.receiver import Receiver

URL = "https://hooks.example.com/x"


def told() -> list[tuple[str, dict[str, Any]]]:
    rows = WebhookSpool.objects.order_by("created_at").values_list("events", flat=True)
    return [(event["type"], event["data"]) for events in rows for event in events]


def types() -> list[str]:
    return [name for name, _ in told()]


@pytest.fixture
def told_shop(db: None) -> Shop:
    shop = a_shop()
    shop.recipient("ada")
    an_endpoint(shop.tenant, URL)
    return shop


@pytest.mark.django_db(transaction=True)
def test_a_message_that_arrives_is_told_once_and_in_the_order_of_its_life() -> None:
    shop = a_shop()
    shop.recipient("ada")
    an_endpoint(shop.tenant, URL, event_types=["delivery.*"])
    for _ in range(3):
        shop.accept(an_order(group_key="g"))
        deliver("in_app", (Lane.CRITICAL, Lane.TRANSACTIONAL))
    assert types() == ["delivery.delivered"] * 3
    for delivery in shop.deliveries():
        opened = ReceiptEvent(EventKind.OPENED, delivery_id=delivery.pk, at=datetime.now(UTC))
        for _ in range(2):  # a repeat is told once
            with transaction.atomic():
                apply_events(Source(shop.tenant.pk, "in_app"), [opened])
    by_delivery: dict[str, list[tuple[int, str]]] = {}
    for events in WebhookSpool.objects.values_list("events", flat=True):
        for event in events:
            by_delivery.setdefault(event["data"]["delivery"], []).append((event["sequence"], event["type"]))
    assert len(by_delivery) == 3
    for listed in by_delivery.values():
        assert [name for _, name in sorted(listed)] == ["delivery.delivered", "delivery.opened"]
    data = told()[0][1]
    notification = Delivery.objects.get(pk=data["delivery"]).notification_id
    assert data["notification"] == str(notification)
    assert (data["recipient"], data["template"], data["group_key"], data["mode"]) == ("ada", "order", "g", "live")


def test_a_cancelled_message_is_told(told_shop: Shop) -> None:
    told_shop.accept(an_order(send_at=datetime.now(UTC) + timedelta(hours=1)))
    [delivery] = told_shop.deliveries()
    assert delivery.notification_id is not None
    assert waiting_rows.cancel([delivery.notification_id]).ended == 1
    assert told()[-1][0] == "delivery.cancelled"
    assert told()[-1][1]["reason"] == "by_request"


def test_what_was_undone_is_not_told(told_shop: Shop) -> None:
    Recipient.objects.update(status="blocked")
    before = len(told())
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        told_shop.accept(an_order())
        raise ZeroDivisionError
    assert len(told()) == before


def test_no_content_and_no_address_is_told(told_shop: Shop) -> None:
    Recipient.objects.update(email="ada@secret.example", phone="+4915112345678", name="Ada Secret")
    told_shop.accept(an_order())
    Suppression.objects.create(tenant=told_shop.tenant, channel="email", address="ada@secret.example")
    everything = str(told())
    assert told()
    assert "secret" not in everything.lower()
    assert "4915112345678" not in everything


def test_consent_and_unsubscribing_are_told(told_shop: Shop) -> None:
    ada = Recipient.objects.get()
    Preference.objects.create(tenant=told_shop.tenant, recipient=ada, language="de")
    assert types() == ["consent.changed"]
    Preference.objects.filter(recipient=ada).update(everything_off=True)
    assert types() == ["consent.changed", "consent.changed", "recipient.unsubscribed"]
    name, data = told()[-1]
    assert (name, data["recipient"], data["changed"]) == ("recipient.unsubscribed", "ada", "preference")


def unsubscribed() -> list[dict[str, Any]]:
    return [data["detail"] for name, data in told() if name == "recipient.unsubscribed"]


def test_only_what_a_change_turned_off_is_told_as_unsubscribed(told_shop: Shop) -> None:
    ada = Recipient.objects.get()
    off = ["email", "sms"]
    preference = Preference.objects.create(tenant=told_shop.tenant, recipient=ada, channels_off=off)
    assert unsubscribed() == [{"channels_off": ["email", "sms"]}]
    mine = Preference.objects.filter(pk=preference.pk)
    mine.update(channels_off=["sms"])  # email is on again
    mine.update(channels_off=["sms"], language="de")
    assert len(unsubscribed()) == 1
    mine.update(channels_off=["push", "sms"], categories_off=["promotions"], everything_off=True)
    expected = {"everything_off": True, "channels_off": ["push"], "categories_off": ["promotions"]}
    assert unsubscribed()[1:] == [expected]
    mine.update(categories_off=["promotions", "news"])
    assert unsubscribed()[2:] == [{"categories_off": ["news"]}]


def test_an_address_is_told_as_unsubscribed_once(told_shop: Shop) -> None:
    made = Suppression.objects.create(tenant=told_shop.tenant, channel="email", address="a@b.example", cause="bounce")
    assert unsubscribed() == []
    same = Suppression.objects.filter(pk=made.pk)
    for _ in range(2):
        same.update(cause="unsubscribe")
    assert unsubscribed() == [{"cause": "unsubscribe"}]
    same.delete()
    Suppression.objects.create(tenant=told_shop.tenant, channel="sms", address="+491511", cause="unsubscribe")
    assert unsubscribed() == [{"cause": "unsubscribe"}] * 2


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (["campaign.finished"], []),
        (["recipient.*"], ["recipient.unsubscribed"]),
        (["consent.changed", "import.*"], ["consent.changed", "import.finished"]),
        (["*"], ["consent.changed", "recipient.unsubscribed", "import.finished"]),
    ],
    ids=["campaigns", "recipients", "consent", "all"],
)
def test_triggers_store_only_what_an_endpoint_wants(shop: Shop, filters: list[str], expected: list[str]) -> None:
    an_endpoint(shop.tenant, URL, event_types=filters)
    Preference.objects.create(tenant=shop.tenant, recipient=Recipient.objects.get(), everything_off=True)
    made = Import.objects.create(tenant=shop.tenant, filename="people.csv", state="running")
    Import.objects.filter(pk=made.pk).update(state="done")
    assert types() == expected


def test_an_import_that_ends_is_told(told_shop: Shop) -> None:
    made = Import.objects.create(tenant=told_shop.tenant, filename="people.csv", state="running")
    Import.objects.filter(pk=made.pk).update(state="done", rows=7, created=5)
    [(name, data)] = told()
    assert (name, data["state"], data["rows"], data["created"]) == ("import.finished", "done", 7, 5)


def test_a_quota_is_told(told_shop: Shop) -> None:
    spool.warn_of_quota(told_shop.tenant.pk, "email a month", 80, 100)
    assert told() == [("quota.warning", {"quota": "email a month", "used": 80, "allowed": 100})]


def test_another_tenants_events_are_not_told(told_shop: Shop) -> None:
    other = a_shop()
    other.recipient("zoe", status="blocked")
    other.accept(an_order("zoe"))
    spool.record(other.tenant.pk, EventType.CAMPAIGN_ARMED, {})
    assert told() == []


def test_a_tenant_without_endpoints_costs_one_look_a_second(shop: Shop, django_assert_num_queries: Any) -> None:
    subscriptions.reset()
    with django_assert_num_queries(1):
        for _ in range(100):
            subscriptions.wanted(shop.tenant.pk)


def test_what_was_read_before_a_change_is_forgotten_when_the_change_is_stored(
    shop: Shop, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        an_endpoint(shop.tenant, URL, event_types=["campaign.finished"])
        # another thread reads what was before the transaction
        subscriptions._wanted.keep(shop.tenant.pk, frozenset())
    assert subscriptions.wanted(shop.tenant.pk) == {EventType.CAMPAIGN_FINISHED}


def test_a_hundred_events_of_a_set_are_one_row(shop: Shop) -> None:
    an_endpoint(shop.tenant, URL)
    shop.accept(*(an_order() for _ in range(250)))
    sizes = [len(events) for events in WebhookSpool.objects.order_by("created_at").values_list("events", flat=True)]
    assert sorted(sizes) == [50, 100, 100]


# ---- what the worker does with them --------------------------------------------------------------------------------


def test_a_worker_that_lost_its_lease_changes_nothing(shop: Shop, got: Receiver) -> None:
    an_endpoint(shop.tenant, got.url)
    shop.accept(an_order())
    packing.pack_all()
    [first] = claims.claim(10)
    assert claims.claim(10) == []
    WebhookEndpoint.objects.update(lease_until=datetime.now(UTC) - timedelta(seconds=1))
    [second] = claims.claim(10)
    assert (first.message_id, first.fence + 1) == (second.message_id, second.fence)
    assert not settling.settle(Attempt(first, Result(200), 1))
    assert settling.settle(Attempt(second, Result(503), 1))
    assert WebhookAttempt.objects.get().status == 503


def test_packing_twice_packs_once(shop: Shop, got: Receiver) -> None:
    an_endpoint(shop.tenant, got.url)
    shop.accept(an_order())
    assert (packing.pack_all(), packing.pack_all()) == (1, 0)
    assert WebhookMessage.objects.count() == 1


def test_the_first_success_after_an_outage_makes_all_due(shop: Shop, got: Receiver) -> None:
    endpoint = an_endpoint(shop.tenant, got.url)
    now = datetime.now(UTC)
    for _ in range(3):
        shop.accept(an_order())
        packing.pack_all()
    WebhookMessage.objects.update(attempts=3, due_at=now + timedelta(hours=9))
    WebhookEndpoint.objects.update(failures=7, failing_since=now - timedelta(hours=9))
    oldest = WebhookMessage.objects.filter(endpoint_id=endpoint.pk).order_by("created_at")[0]
    WebhookMessage.objects.filter(pk=oldest.pk).update(due_at=now - timedelta(seconds=1))
    assert sender.run() == 3
    assert len(got.calls) == 3
    sequences = [event["sequence"] for event in got.events]
    assert sequences == sorted(sequences)


def test_after_five_days_of_failures_the_owners_get_a_mail(
    shop: Shop, new_receiver: Callable[[], Receiver], settings: Any, mailoutbox: list[Any],
    django_capture_on_commit_callbacks: Any,
) -> None:  # fmt: skip
    settings.EMAIL_HOST_GIVEN = True
    got = new_receiver()
    for name, role in (("olga", Member.Role.OWNER), ("vera", Member.Role.VIEWER)):
        user = User.objects.create_user(name, f"{name}@example.com", "a long password")
        Member.objects.create(tenant=shop.tenant, user=user, role=role)
    endpoint = an_endpoint(shop.tenant, got.url, description="the shop's hook")
    now = datetime.now(UTC)
    WebhookEndpoint.objects.update(failures=30, failing_since=now - timedelta(days=5, hours=1))
    got.answer(500)
    shop.accept(an_order())
    sender.run()
    endpoint.refresh_from_db()
    assert not endpoint.enabled
    assert endpoint.disabled_because == "Every attempt of 5 days failed, the last one with: HTTP 500"
    assert (disabling.send_notices(), disabling.send_notices()) == (1, 0)
    [mail] = mailoutbox
    assert mail.bcc == ["olga@example.com"]
    assert "the shop's hook" in mail.body
    assert str(endpoint.pk) in mail.body
    # enabled again, what waits leaves
    endpoints.change(endpoint, {"enabled": True}, Actor())
    WebhookMessage.objects.update(due_at=now)
    assert sender.run() == 1
    assert got.calls[0].webhook_id == got.calls[1].webhook_id


def test_after_thirty_days_nothing_is_left(shop: Shop, got: Receiver) -> None:
    endpoint = an_endpoint(shop.tenant, got.url)
    shop.accept(an_order())
    sender.run()
    now = datetime.now(UTC)
    assert forgetting.forget(now) == 0
    assert forgetting.forget(now + timedelta(days=31)) == 3
    shop.accept(an_order())
    sender.run()
    endpoints.delete(endpoint, Actor())
    # the events stay for other endpoints
    assert forgetting.forget(now) == 2


def test_secrets_are_not_stored_in_clear(shop: Shop) -> None:
    endpoint = an_endpoint(shop.tenant, URL, headers={"Authorization": "Bearer canary"})
    [secret] = endpoints.secrets_of(endpoint, datetime.now(UTC))
    with connection.cursor() as cursor:
        cursor.execute("SELECT e::text FROM notifier_webhookendpoint e")
        [(stored,)] = cursor.fetchall()
    assert secret[6:] not in stored
    assert b"canary" not in bytes(WebhookEndpoint.objects.get().headers)
    moved = WebhookEndpoint(id=uuid.uuid4(), tenant_id=endpoint.tenant_id, secret=endpoint.secret)
    with pytest.raises(ValueError, match="No configured"):
        endpoints.secrets_of(moved, datetime.now(UTC))
