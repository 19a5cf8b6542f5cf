"""What waits while load is shed, and leaves afterwards; and what does not wait."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile

from campaigns import arming, tasks
from campaigns.arming.workers import scheduler
from campaigns.states import State
from notifier.delivery.engagement.apply import apply_due
from notifier.delivery.engagement.hits import Arrived, Hit, store
from notifier.models import Delivery, ProviderAccount, Route
from notifier.tasks import deliver_queue
from notifier.vocabulary.load import Switch
from notifier.vocabulary.status import Status
from tenants.imports import jobs
from tenants.load_shedding.switch import set_switch
from tenants.models import Import, Recipient
from tests.campaigns.conftest import Site, armed, sent, site
from tests.delivery.build import a_shop, an_order
from tests.delivery.digests.build import a_digest_shop
from tests.fixtures import People
from tests.receipts.deliveries import a_delivery

# a claim compares with the time at which its transaction began
pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["site"]


@pytest.mark.parametrize("kind", ["critical", "transactional"])
def test_critical_and_transactional_messages_leave(kind: str) -> None:
    shop = a_shop(kind)
    shop.recipient("ada")
    set_switch(Switch.ON)
    shop.accept(an_order())
    deliver_queue("in_app")
    assert shop.statuses() == ["delivered"]


def test_marketing_messages_wait_and_leave_afterwards() -> None:
    shop = a_shop("marketing")
    shop.recipient("ada")
    set_switch(Switch.ON)
    shop.accept(an_order())
    deliver_queue("in_app.bulk")
    assert shop.statuses() == ["queued"]
    set_switch(Switch.AUTO)
    deliver_queue("in_app.bulk")
    assert shop.statuses() == ["delivered"]


def test_digests_wait_and_close_afterwards() -> None:
    shop = a_digest_shop()
    shop.setting()
    shop.order("A")
    set_switch(Switch.ON)
    assert shop.close() == 0 and shop.texts() == []
    set_switch(Switch.AUTO)
    assert shop.close() == 1 and shop.texts() == ["1: A"]


def opened(people: People) -> Delivery:
    account = ProviderAccount.objects.create(tenant=people.acme, name="x", provider="smtp", channel="email")
    now = datetime.now(UTC)
    email = a_delivery(account, Status.SENT, settled_at=now - timedelta(hours=1), accepted_at=now - timedelta(hours=2))
    store([Arrived(people.acme.pk, "email", Hit("clicked", now.timestamp(), delivery=email.pk.hex, url="https://x.y"))])
    return email


def status_of(delivery: Delivery) -> str:
    delivery.refresh_from_db()
    return Status(delivery.status).label


def test_clicks_wait_and_are_applied_afterwards(people: People) -> None:
    email = opened(people)
    set_switch(Switch.ON)
    assert apply_due() == 0 and status_of(email) == "sent"
    set_switch(Switch.AUTO)
    assert apply_due() == 1 and status_of(email) == "clicked"


def test_clicks_do_not_wait_while_a_route_needs_them(people: People) -> None:
    email = opened(people)
    set_switch(Switch.ON)
    shop = a_shop()
    shop.recipient("ada")
    [accepted] = shop.accept(an_order())
    due_at = datetime.now(UTC) + timedelta(seconds=30)
    Route.objects.create(notification_id=accepted.notification_id, tenant=shop.tenant, steps=[], step=1, due_at=due_at)  # type: ignore[union-attr]
    assert apply_due() == 1 and status_of(email) == "clicked"


def test_imports_wait_and_are_read_afterwards(people: People, settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = str(tmp_path)
    file = ContentFile(b"external_id\n1\n", name="people.csv")
    jobs.submit(jobs.new_import(people.acme, file, people.ana), file)
    set_switch(Switch.ON)
    assert jobs.run_waiting() == 0 and Import.objects.get().state == "waiting"
    set_switch(Switch.AUTO)
    assert jobs.run_waiting() == 1 and Recipient.objects.count() == 1


def test_arming_waits_unless_its_launch_is_planned(site: Site) -> None:
    planned = site.draft(name="planned", launch_at=datetime.now(UTC) + timedelta(hours=1))
    unplanned = site.draft(name="unplanned")
    for campaign in (unplanned, planned):
        arming.request_arm(campaign)
    set_switch(Switch.ON)
    for _ in range(3):
        scheduler.arm_next()
    for campaign in (unplanned, planned):
        campaign.refresh_from_db()
    assert (unplanned.state, planned.state) == (State.ARMING, State.ARMED)
    set_switch(Switch.AUTO)
    scheduler.arm_next()
    unplanned.refresh_from_db()
    assert unplanned.state == State.ARMED


def test_a_campaign_leaves_and_its_outcomes_are_copied_afterwards(site: Site) -> None:
    campaign = armed(site.draft())
    set_switch(Switch.ON)
    assert sent(campaign).state == State.FINISHED
    copied = Delivery.objects.filter(campaign_id=campaign.pk, status=Status.DELIVERED)
    tasks.account(str(campaign.pk))
    assert not copied.exists()
    set_switch(Switch.AUTO)
    tasks.account(str(campaign.pk))
    assert copied.count() == campaign.audience_size
