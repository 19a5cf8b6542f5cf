"""The report: the funnel, its breakdowns and curves, its files, late receipts, large campaigns, two tenants."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from campaigns.lifecycle.fan_out import finish
from campaigns.models import Campaign, CampaignReport
from campaigns.report import accounting, stored
from campaigns.report.funnel import Cell, Interval, breakdown, curve, funnel_of, interval_width
from campaigns.report.report_json import pack, unpack
from notifier.delivery.receipts.apply import Source, apply_events
from notifier.models import Delivery
from notifier.vocabulary.receipts import EventKind, ReceiptEvent
from notifier.vocabulary.status import ConsentSource, Status
from tenants.access import set_consent_source
from tenants.models import ConsentChange, Member, Recipient, User
from tenants.people.opt_out import opt_out
from tests.broker import Broker, broker
from tests.campaigns.api.conftest import Api, AsWeb
from tests.campaigns.conftest import Browser, Site, armed, page, sent, text
from tests.fixtures import People

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["broker"]


@pytest.fixture
def over(site: Site) -> Campaign:
    """A campaign of four messages that has ended."""
    campaign = sent(armed(site.draft()))
    finish.finish_if_done(campaign.pk)
    accounting.account(campaign.pk)
    campaign.refresh_from_db()
    return campaign


def report(campaign: Campaign, **events: EventKind) -> None:
    """Receipts: external id -> what is reported."""
    rows = Delivery.objects.filter(campaign_id=campaign.pk)
    ids = dict(Recipient.objects.filter(tenant_id=campaign.tenant_id).values_list("external_id", "pk"))
    now = datetime.now(UTC)
    found = [
        ReceiptEvent(kind, delivery_id=rows.get(recipient_id=ids[name]).pk, at=now) for name, kind in events.items()
    ]
    with transaction.atomic():
        apply_events(Source(campaign.tenant_id, "in_app"), found)


def test_late_receipts_and_opt_outs_are_in_the_next_count(over: Campaign) -> None:
    counted = stored.count(over)
    before = funnel_of(counted.cells)
    assert (before.sent, before.delivered, before.opened, before.unsubscribed) == (4, 4, 0, 0)
    report(over, ada=EventKind.OPENED, bob=EventKind.CLICKED)
    ada = Recipient.objects.get(tenant_id=over.tenant_id, external_id="ada")
    with transaction.atomic():
        set_consent_source(ConsentSource.PERSON)
        opt_out(over.tenant_id, ada.pk, "in_app", over.category)
    counted = stored.count(over)
    funnel = funnel_of(counted.cells)
    # who clicked has opened, too
    assert (funnel.sent, funnel.delivered, funnel.opened, funnel.clicked, funnel.unsubscribed) == (4, 4, 2, 1, 1)
    ends = {step: curve(counted.intervals, step, counted.width)[-1][1] for step in ("sent", "opened", "clicked")}
    assert ends == {"sent": 4, "opened": 2, "clicked": 1}
    assert curve(counted.intervals, "unsubscribed", counted.width)[-1][1] == 1
    assert breakdown(counted.cells, "locale", counted.accounts).keys() == {"en"}
    assert next(iter(breakdown(counted.cells, "provider", counted.accounts))).endswith("(in_app)")


def test_an_opt_out_of_something_else_is_not_the_campaign_s(over: Campaign) -> None:
    ada = Recipient.objects.get(tenant_id=over.tenant_id, external_id="ada")
    with transaction.atomic():
        set_consent_source(ConsentSource.PERSON)
        opt_out(over.tenant_id, ada.pk, "email", "other")
    assert funnel_of(stored.count(over).cells).unsubscribed == 0


@pytest.mark.parametrize(
    ("left", "opted_out", "counts"),
    [
        ([0], [6], 1),
        ([0], [8], 0),
        # the rest of an A/B test, a late wave, or a retry
        ([20], [26], 1),
        ([20], [19], 0),
        ([20], [28], 0),
        # came back, and left again
        ([20], [3, 26], 1),
        # three devices, of which one got its message late
        ([0, 0, 20], [3], 2),
        ([0, 0, 20], [3, 21], 3),
    ],
)
def test_an_opt_out_counts_for_each_message_that_left_in_the_seven_days_before(
    site: Site, over: Campaign, as_web: AsWeb, left: list[int], opted_out: list[int], counts: int
) -> None:
    """Days after the launch."""
    launched = datetime.now(UTC) - timedelta(days=30)
    Campaign.objects.filter(pk=over.pk).update(launched_at=launched, accounted_at=launched + timedelta(days=21))
    rows = list(Delivery.objects.filter(campaign_id=over.pk).order_by("pk"))
    for row, days in zip(rows, left, strict=False):
        at = launched + timedelta(days=days, hours=1)
        Delivery.objects.filter(pk=row.pk).update(settled_at=at, recipient_id=rows[0].recipient_id)
    change = {"tenant": site.acme, "recipient_id": rows[0].recipient_id, "changed": "preference", "source": "person"}
    for days in opted_out:
        off = {"categories_off": [over.category]}
        ConsentChange.objects.create(**change, detail=off, at=launched + timedelta(days=days, hours=1))
    report = Api(site.people.acme_key, as_web)("GET", f"/v1/campaigns/{over.pk}/report")[1]
    assert report["funnel"]["unsubscribed"] == counts
    assert report["by"]["channel"]["in_app"]["unsubscribed"] == counts
    assert [total for _, total in report["over_time"]["unsubscribed"]][-1:] == ([counts] if counts else [])


def test_a_stored_report_is_the_counted_one(over: Campaign) -> None:
    counted = stored.count(over)
    assert pack(unpack(pack(counted))) == pack(counted)


def test_a_large_campaign_is_counted_by_a_task_and_read_from_its_row(over: Campaign, broker: Broker) -> None:
    assert stored.report_of(over, small=1) is None
    assert stored.report_of(over, small=1) is None
    assert broker.take("campaigns.report") == [str(over.pk)]
    assert stored.count_and_store(over.pk, small=1)
    first = stored.report_of(over, small=1)
    assert first is not None
    assert not first.is_counting
    assert funnel_of(first.counted.cells).sent == 4
    report(over, ada=EventKind.OPENED)
    CampaignReport.objects.update(computed_at=datetime.now(UTC) - timedelta(minutes=5))
    old = stored.report_of(over, small=1)
    assert old is not None
    assert old.is_counting
    assert funnel_of(old.counted.cells).opened == 0
    assert stored.count_and_store(over.pk, small=1)
    new = stored.report_of(over, small=1)
    assert new is not None
    assert funnel_of(new.counted.cells).opened == 1


def test_the_page_shows_the_funnel_and_a_choice_of_breakdowns(
    site: Site, over: Campaign, browser: Callable[..., Browser]
) -> None:
    report(over, ada=EventKind.CLICKED)
    ben = browser(site.people.ben)
    for by in ("channel", "locale", "platform", "provider", "nonsense"):
        answer = ben.get(f"{page('change', over)}?by={by}")
        assert answer.status_code == 200
        assert "From sent to unsubscribed" in text(answer)
    assert "Every message in the ledger" in text(answer)
    assert "shard" not in text(answer).lower()


def test_the_files_are_formula_safe_and_of_the_own_tenant_only(
    site: Site, over: Campaign, browser: Callable[..., Browser]
) -> None:
    row = Delivery.objects.filter(campaign_id=over.pk).order_by("id")[0]
    Recipient.objects.filter(pk=row.recipient_id).update(external_id="=cmd|'/c calc'!A1")
    Delivery.objects.filter(pk=row.pk).update(status=Status.FAILED, reason="exhausted", detail="+1 (see @log)")
    ben = browser(site.people.ben)
    failed = rows_of(ben.get(page("failed.csv", over)))
    assert [(r["external_id"], r["reason"], r["detail"]) for r in failed] == [
        ("'=cmd|'/c calc'!A1", "exhausted", "'+1 (see @log)")
    ]
    assert {(r["channel"], r["status"], r["messages"]) for r in rows_of(ben.get(page("results.csv", over)))} == {
        ("in_app", "delivered", "3"),
        ("in_app", "failed", "1"),
    }
    stranger = browser(globex_owner(site.people))
    for name in ("failed.csv", "results.csv", "compare", "retry", "correct"):
        assert stranger.get(page(name, over)).status_code == 404


def test_two_campaigns_stand_side_by_side(site: Site, over: Campaign, browser: Callable[..., Browser]) -> None:
    other = sent(armed(site.draft(name="Summer")))
    ben = browser(site.people.ben)
    shown = text(ben.get(f"{page('compare', over)}?with={other.pk}"))
    assert "Compare “Spring” with “Summer”" in shown
    assert "half had it after" in shown
    for wrong in ("", "nonsense", str(over.template_id)):
        assert ben.get(f"{page('compare', over)}?with={wrong}").status_code == 404


def test_a_viewer_may_neither_retry_nor_correct(site: Site, over: Campaign, browser: Callable[..., Browser]) -> None:
    vic = browser(site.vic)
    for name in ("retry", "correct"):
        assert vic.get(page(name, over)).status_code == 403
    assert not Campaign.objects.filter(corrects=over).exists()


def test_a_correction_is_made_from_its_page(site: Site, over: Campaign, browser: Callable[..., Browser]) -> None:
    ben = browser(site.people.ben)
    shown = text(ben.get(page("correct", over)))
    assert "in_app : 4 addresses" in shown
    assert "Cannot be replaced" in shown
    answer = ben.post(page("correct", over), channels=["in_app"])
    assert "Nothing is sent before you arm it" in text(answer)
    assert Campaign.objects.get(corrects=over).channels == ["in_app"]


def rows_of(answer: Any) -> list[dict[str, str]]:
    assert answer.status_code == 200
    content = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(content)))


def globex_owner(people: People) -> Any:
    user = User.objects.create_user("gus", "gus@example.com", "a long password", is_staff=True)
    Member.objects.create(tenant=people.globex, user=user, role=Member.Role.OWNER)
    return user


def test_curves_add_up_and_have_few_points() -> None:
    intervals = [Interval("push", "opened", 0, 3), Interval("push", "opened", 2, 4), Interval("email", "opened", 2, 1)]
    assert curve(intervals, "opened", 60) == [(0.0, 0), (60.0, 3), (120.0, 3), (180.0, 8)]
    assert curve(intervals, "opened", 60, "email") == [(0.0, 0), (120.0, 0), (180.0, 1)]
    assert curve(intervals, "clicked", 60) == []
    assert [interval_width(seconds) for seconds in (60, 4 * 3600, 86400, 60 * 86400)] == [60, 60, 900, 21600]


def test_a_step_that_nobody_reports_is_not_none() -> None:
    fcm = Cell("push", "fcm", "1", "en", int(Status.SENT), "", 10, 0)
    assert funnel_of([fcm]).count_of("opened") is None
    clicked = Cell("email", "", "2", "de", int(Status.CLICKED), "", 1, 1)
    assert funnel_of([clicked]).count_of("opened") == 1
