"""Messages that are gathered, and the digest that takes them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connections

from campaigns.models import Campaign
from inbox.models import InboxMessage
from notifier.delivery import accept, waiting
from notifier.delivery.caps import loading
from notifier.delivery.digests.closing import close_due
from notifier.delivery.digests.gathering import gather_campaign
from notifier.errors import QueueFull
from notifier.models import Delivery, Digest, DigestItem, FrequencyCap, Notification, Template
from notifier.vocabulary.digests import DigestTerms, read_times
from notifier.vocabulary.people import SendRequest
from notifier.vocabulary.status import Mode, Status
from tenants.models import Category, Preference, Recipient
from tests.delivery.digests.build import DIGEST_EMAIL, LIST, DigestShop, a_digest_shop, by_key, publish

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop() -> DigestShop:
    return a_digest_shop()


def test_the_feed_gets_each_item_and_email_gets_one_digest(shop: DigestShop) -> None:
    shop.setting()
    first, second = shop.order("A"), shop.order("B")
    for order in (first, second):
        assert shop.rows_of(order.notification_id) == {"in_app": ("queued", ""), "email": ("queued", "in_digest")}
    assert shop.close(timedelta(minutes=9)) == 0
    assert shop.close() == 1
    assert shop.texts() == ["2: A B"]
    sent = shop.sent_digest()
    assert shop.rows_of(first.notification_id)["email"] == ("suppressed", "in_digest")
    assert [item["notification_id"] for item in sent.data["items"]] == [
        str(first.notification_id),
        str(second.notification_id),
    ]
    assert shop.close() == 0


def test_the_window_slides_with_each_item_up_to_the_maximum(shop: DigestShop) -> None:
    shop.setting(window="10m", max_window="15m")
    shop.order("A")
    [digest] = shop.digests()
    assert digest.closes_at - digest.opened_at == timedelta(minutes=10)
    for minutes, closes in ((4, 14), (8, 15), (16, 15)):
        opened = datetime.now(UTC) - timedelta(minutes=minutes)
        Digest.objects.update(
            opened_at=opened, closes_at=opened + timedelta(minutes=10), latest_close=opened + timedelta(minutes=15)
        )
        shop.order("B")
        [digest] = shop.digests()
        slid = round((digest.closes_at - digest.opened_at) / timedelta(minutes=1))
        assert slid == (closes if minutes < 10 else 10), "a digest that is due does not slide"


@pytest.mark.parametrize(
    ("schedule", "zone", "now", "closes"),
    [
        ("daily at 09:00", "Europe/Vienna", "2026-06-01T06:59:00", "2026-06-01T07:00:00"),
        ("daily at 09:00", "Europe/Vienna", "2026-06-01T07:00:00", "2026-06-02T07:00:00"),
        ("daily at 02:30", "Europe/Vienna", "2026-03-28T12:00:00", "2026-03-29T01:30:00"),
        ("daily at 02:30", "Europe/Vienna", "2026-10-25T00:29:00", "2026-10-25T00:30:00"),
        ("daily at 02:30", "Europe/Vienna", "2026-10-25T00:31:00", "2026-10-26T01:30:00"),
        ("monday at 09:00", "America/New_York", "2026-11-01T15:00:00", "2026-11-02T14:00:00"),
        ("Weekly on Monday at 09:00", "", "2026-11-02T09:00:00", "2026-11-09T09:00:00"),
    ],
)
def test_a_schedule_is_a_time_of_a_clock(schedule: str, zone: str, now: str, closes: str) -> None:
    terms = DigestTerms("t", *read_times("", "", schedule))
    at, latest = terms.closing_times(zone or "UTC", datetime.fromisoformat(now).replace(tzinfo=UTC))
    assert at == latest == datetime.fromisoformat(closes).replace(tzinfo=UTC)


def test_a_scheduled_digest_reads_the_recipients_clock(shop: DigestShop) -> None:
    shop.setting(window="", schedule="daily at 09:00")
    shop.recipient("eve", email="eve@example.com", timezone="Asia/Tokyo")
    shop.order("A", "ada")
    shop.order("A", "eve")
    ada, eve = (digest.closes_at.astimezone(UTC).hour for digest in shop.digests())
    assert (ada, eve) == (9, 0)


def test_cancelled_and_read_items_are_left_out(shop: DigestShop) -> None:
    shop.setting()
    kept, cancelled, read = (shop.order(number) for number in "ABC")
    waiting.cancel(Notification.objects.get(pk=cancelled.notification_id), "live")
    read_in_inbox(shop, read.notification_id)
    shop.close()
    assert shop.texts() == ["1: A"]
    assert shop.rows_of(cancelled.notification_id)["email"] == ("cancelled", "by_request")
    assert shop.rows_of(read.notification_id)["email"] == ("suppressed", "not_needed")
    assert shop.rows_of(kept.notification_id)["email"] == ("suppressed", "in_digest")


def test_a_digest_without_items_left_is_not_sent(shop: DigestShop) -> None:
    shop.setting()
    order = shop.order("A")
    waiting.cancel(Notification.objects.get(pk=order.notification_id), "live")
    assert shop.close() == 1
    [digest] = shop.digests()
    assert (digest.notification_id, digest.failure) == (None, "")
    assert digest.closed_at is not None and not DigestItem.objects.exists()
    assert shop.texts() == []


def test_an_opt_out_given_meanwhile_holds(shop: DigestShop) -> None:
    shop.setting()
    order = shop.order("A")
    ada = Recipient.objects.get(external_id="ada")
    Preference.objects.create(tenant=shop.tenant, recipient=ada, categories_off=["orders"])
    shop.close()
    assert shop.texts() == []
    assert shop.rows_of(shop.sent_digest().pk) == {"email": ("suppressed", "category_off")}
    assert shop.rows_of(order.notification_id)["email"] == ("suppressed", "in_digest")


def test_an_item_that_may_not_leave_so_late_expires(shop: DigestShop) -> None:
    shop.setting()
    late = shop.order("A", not_after=datetime.now(UTC) + timedelta(minutes=5))
    shop.order("B")
    shop.close(timedelta(hours=1))
    assert shop.rows_of(late.notification_id)["email"] == ("expired", "not_after")
    assert shop.texts() == ["1: B"]


def test_count_has_all_items_and_the_template_gets_the_newest(shop: DigestShop) -> None:
    shop.setting(max_items=2)
    for number in "ABC":
        shop.order(number)
    shop.close()
    assert shop.texts() == ["3: B C"]


def test_a_request_gathers_by_its_own_key(shop: DigestShop) -> None:
    for number, key in (("A", "x"), ("B", "y"), ("C", "x")):
        shop.order(number, digest=by_key(key))
    assert shop.close() == 2
    assert sorted(shop.texts()) == ["1: B", "2: A C"]


def test_messages_of_a_test_key_have_a_digest_of_their_own(shop: DigestShop) -> None:
    shop.setting()
    shop.order("A", mode=Mode.TEST)
    shop.order("B")
    shop.close()
    assert sorted(shop.texts()) == ["1: A", "1: B"]


def test_a_message_with_a_time_of_its_own_leaves_by_itself(shop: DigestShop) -> None:
    shop.setting()
    order = shop.order("A", send_at=datetime.now(UTC) + timedelta(days=1))
    assert shop.rows_of(order.notification_id)["email"] == ("queued", "")
    assert shop.digests() == []


def test_data_may_have_the_names_that_an_item_has_by_itself(shop: DigestShop) -> None:
    for created in (7, "yesterday", None):
        shop.accept(
            SendRequest(
                "ada", "order", data={"order": "x", "created_at": created}, digest=by_key(), channels=("email",)
            )
        )
    shop.close()
    assert [item["created_at"] for item in shop.sent_digest().data["items"]] == [7, "yesterday", None]


def test_a_template_that_fails_ends_the_items_visibly(shop: DigestShop) -> None:
    shop.setting()
    order = shop.order("A")
    publish(shop, "summary", {"email": {"en": {"subject": "s", "text": "{{ items[0].missing }}"}}})
    assert shop.close() == 1
    assert shop.rows_of(order.notification_id)["email"] == ("failed", "missing_variable")
    [digest] = shop.digests()
    assert "missing" in digest.failure
    assert shop.close() == 0


def test_a_digest_for_a_full_queue_is_tried_again(shop: DigestShop, settings: Any) -> None:
    shop.setting()
    order = shop.order("A")
    settings.ORDERING_QUEUE_LIMIT = 0
    shop.close(timedelta(hours=1))
    assert shop.rows_of(order.notification_id)["email"] == ("queued", "in_digest")
    settings.ORDERING_QUEUE_LIMIT = 200
    assert shop.close(timedelta(hours=1)) == 0, "not before a minute has passed"
    assert shop.close(timedelta(hours=1, minutes=2)) == 1
    assert shop.texts() == ["1: A"]


@pytest.mark.parametrize("by_cap", [False, True])
def test_a_request_that_a_full_queue_refuses_changes_no_digest(shop: DigestShop, settings: Any, by_cap: bool) -> None:
    """The refused items join by email, and find the queue of the inbox full."""
    publish(shop, "other", {"email": {"en": DIGEST_EMAIL}})
    if by_cap:
        loading.reset()
        Category.objects.filter(tenant=shop.tenant).update(over_cap="digest")
        category = Category.objects.get(tenant=shop.tenant)
        FrequencyCap.objects.create(tenant=shop.tenant, category=category, channel="email", most=1, period="week")
        shop.setting()
        shop.order("takes the place of the week", channels=("email",))

    def item(number: str, *channels: str, **digest: Any) -> SendRequest:
        own = None if by_cap else by_key(**digest)
        return SendRequest("ada", "order", data={"order": number}, channels=channels, digest=own)

    accept(shop.tenant.id, [item("A", "email")])
    before = Digest.objects.values().get()
    shop.order("B", channels=("in_app",))
    settings.ORDERING_QUEUE_LIMIT = 1
    changed = item("C", "email", "in_app", template="other", window="1h", max_items=3)
    another = item("E", "email", "in_app", key="another")
    outcomes = accept(shop.tenant.id, [changed, item("D", "email"), another])
    assert [type(outcome) is QueueFull for outcome in outcomes] == [True, False, True]
    after = Digest.objects.values().get()
    assert after["items"] == 2 and after["closes_at"] - before["closes_at"] < timedelta(minutes=1)
    assert [after[name] for name in ("template", "channels", "max_items")] == [
        before[name] for name in ("template", "channels", "max_items")
    ]
    items = {row.notification_id for row in DigestItem.objects.all() if row.notification_id}
    assert len(items) == 2 and Notification.objects.filter(pk__in=items).count() == 2
    settings.ORDERING_QUEUE_LIMIT = 200
    shop.close()
    assert shop.texts()[-1] == "2: A D"


def test_items_do_not_fail_when_the_newest_is_cancelled_whose_template_goes_elsewhere(shop: DigestShop) -> None:
    publish(shop, "inbox", {"in_app": {"en": {"title": "t", "body": LIST}}})
    first = shop.order("A", channels=("email",), digest=by_key())
    newest = shop.order("B", channels=("in_app",), digest=by_key(template="inbox"))
    waiting.cancel(Notification.objects.get(pk=newest.notification_id), "live")
    assert shop.close() == 1
    assert shop.rows_of(first.notification_id) == {"email": ("suppressed", "in_digest")}
    assert shop.rows_of(shop.sent_digest().pk) == {"in_app": ("queued", "")}


def test_a_digest_that_breaks_off_keeps_no_other_and_ends_after_a_day(shop: DigestShop) -> None:
    shop.setting()
    shop.recipient("eve", email="eve@example.com")
    broken, whole = shop.order("A", "ada"), shop.order("B", "eve")

    def breaks_off(tenant_id: uuid.UUID, requests: Sequence[SendRequest]) -> Any:
        if any(request.recipient == "ada" for request in requests):
            raise RuntimeError("a fault of the program")
        return accept(tenant_id, requests)

    for after in (timedelta(hours=1), timedelta(hours=2)):
        close_due(breaks_off, datetime.now(UTC) + after)
        assert shop.texts() == ["1: B"]
    assert shop.rows_of(whole.notification_id)["email"] == ("suppressed", "in_digest")
    assert shop.rows_of(broken.notification_id)["email"] == ("queued", "in_digest")
    close_due(breaks_off, datetime.now(UTC) + timedelta(days=2))
    assert shop.rows_of(broken.notification_id)["email"] == ("failed", "template_error")


def test_a_template_that_was_deleted_ends_the_items_visibly(shop: DigestShop) -> None:
    order = shop.order("A", digest=by_key())
    Template.objects.filter(key="summary").update(key="renamed")
    shop.close()
    assert shop.rows_of(order.notification_id)["email"] == ("failed", "template_error")


def test_a_message_over_a_cap_joins_the_digest_of_its_category(shop: DigestShop) -> None:
    shop.setting()
    Category.objects.filter(key="orders").update(over_cap="digest")
    order = shop.order("A")
    assert shop.rows_of(order.notification_id)["email"] == ("queued", ""), "without a cap it leaves by itself"


def test_a_campaigns_message_is_an_item_once_and_none_after_a_stop(shop: DigestShop) -> None:
    shop.setting()
    ada = Recipient.objects.get(external_id="ada")
    template, now = Template.objects.get(key="order"), datetime.now(UTC)
    running, stopped = (
        Campaign.objects.create(
            tenant=shop.tenant, name=state, template=template, state=state, channels=["email"], data={"order": state}
        )
        for state in ("running", "cancelled")
    )
    for campaign in (running, running, stopped):
        assert gather_campaign(shop.tenant, "orders", campaign.pk, [(ada.pk, "")], now)
    shop.order("B")
    shop.close()
    assert shop.texts() == ["2: running B"]
    assert [item.get("campaign") for item in shop.sent_digest().data["items"]] == ["running", None]


@pytest.mark.django_db(transaction=True)
def test_several_sweeps_at_once_send_one_digest_each(shop: DigestShop) -> None:
    shop.setting()
    for number in range(30):
        shop.recipient(f"p{number}", email=f"p{number}@example.com")
        shop.order("A", f"p{number}")
    now = datetime.now(UTC) + timedelta(days=1)

    def sweep(_: int) -> int:
        try:
            return close_due(accept, now)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        closed = sum(pool.map(sweep, range(8)))
    assert closed == 30
    assert shop.texts() == ["1: A"] * 30


def test_ten_thousand_items_make_one_digest(shop: DigestShop) -> None:
    shop.setting(max_items=500)
    for _ in range(10):
        accept(shop.tenant.id, [SendRequest("ada", "order", data={"order": "x"}, channels=("email",))] * 1000)
    assert shop.close() == 1
    [text] = shop.texts()
    assert text == "10000:" + " x" * 500


def read_in_inbox(shop: DigestShop, notification_id: uuid.UUID) -> None:
    """As if the recipient had read the notification in the inbox."""
    row = Delivery.objects.get(notification_id=notification_id, channel="in_app")
    Delivery.objects.filter(pk=row.pk).update(status=Status.DELIVERED)
    InboxMessage.objects.create(
        id=row.pk, tenant=shop.tenant, recipient_id=row.recipient_id, seq=1, title="t", body="b",
        created_at=row.accepted_at, read_at=row.accepted_at,
    )  # fmt: skip
