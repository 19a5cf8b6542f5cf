"""Times in the admin are the tenant's: what is typed, stored and shown, with the zone beside it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from campaigns.models import Campaign
from notifier.models import Delivery, Template
from tenants.models import AuditLog, Member, Recipient, Tenant, User
from tests.admin.conftest import Browser, Site, url

pytestmark = pytest.mark.django_db
LogIn = Callable[[User], Browser]
#: 17:00 in Vienna, in winter
MOMENT = datetime(2026, 11, 20, 16, 0, tzinfo=UTC)


@pytest.fixture
def vienna(site: Site) -> Site:
    """ACME is in Vienna, Globex in New York."""
    Tenant.objects.filter(pk=site.people.acme.pk).update(timezone="Europe/Vienna")
    Tenant.objects.filter(pk=site.people.globex.pk).update(timezone="America/New_York")
    return site


def campaign(site: Site, **values: Any) -> dict[str, Any]:
    base = {"tenant": str(site.people.acme.pk), "name": "sale", "template": str(site.acme_rows[Template].pk)}
    return {**base, "data": "{}", "mode": "live", **values}


def add(site: Site, browser: Browser, day: str, time: str) -> Any:
    return browser.post(url(Campaign, "add"), campaign(site, not_after_0=day, not_after_1=time))


@pytest.mark.parametrize(("day", "time", "stored"), [
    ("2098-12-24", "18:00", datetime(2098, 12, 24, 17, tzinfo=UTC)),
    ("2098-07-01", "18:00", datetime(2098, 7, 1, 16, tzinfo=UTC)),
])  # fmt: skip
def test_not_after_is_the_tenants_time(day: str, time: str, stored: datetime, vienna: Site, log_in: LogIn) -> None:
    browser = log_in(vienna.people.ben)
    assert "Europe/Vienna time" in browser.get(url(Campaign, "add")).content.decode()
    assert add(vienna, browser, day, time).status_code == 302
    made = Campaign.objects.get(name="sale")
    assert made.not_after == stored
    html = browser.get(url(Campaign, "change", made.pk)).content.decode()
    assert f'value="{time}:00"' in html and f'value="{day}"' in html and "Europe/Vienna time" in html


@pytest.mark.parametrize(("day", "time"), [("2027-03-28", "02:30"), ("2027-10-31", "02:30")])
def test_a_time_that_is_never_or_twice_is_refused(day: str, time: str, vienna: Site, log_in: LogIn) -> None:
    answer = add(vienna, log_in(vienna.people.ben), day, time)
    assert "Europe/Vienna" in str(answer.context["adminform"].form.errors["not_after"])
    assert not Campaign.objects.filter(name="sale").exists()


def test_an_operator_writes_in_the_zone_of_the_rows_tenant(vienna: Site, log_in: LogIn, olga: User) -> None:
    made = Campaign.objects.create(
        tenant=vienna.people.acme,
        name="sale",
        template=vienna.acme_rows[Template],
        channels=["in_app"],
        not_after=MOMENT,
    )
    browser = log_in(olga)
    html = browser.get(url(Campaign, "change", made.pk)).content.decode()
    assert 'value="17:00:00"' in html and "Europe/Vienna time" in html
    posted = campaign(vienna, channels=["in_app"], not_after_0="2098-11-20", not_after_1="19:30")
    assert browser.post(url(Campaign, "change", made.pk), posted).status_code == 302
    made.refresh_from_db()
    assert made.not_after == datetime(2098, 11, 20, 18, 30, tzinfo=UTC)
    assert "UTC time" in browser.get(url(Campaign, "add")).content.decode()


def test_every_time_that_is_shown_has_its_zone(vienna: Site, log_in: LogIn, olga: User) -> None:
    Recipient.objects.filter(pk=vienna.acme_rows[Recipient].pk).update(created_at=MOMENT)
    Delivery.objects.filter(pk=vienna.acme_rows[Delivery].pk).update(accepted_at=MOMENT, settled_at=MOMENT)
    listed = log_in(vienna.people.ana).get(url(Delivery, "changelist")).content.decode()
    assert listed.count("20 Nov 2026, 17:00:00 CET") == 2
    row = log_in(vienna.people.ana).get(url(Delivery, "change", vienna.acme_rows[Delivery].pk)).content.decode()
    assert "20 Nov 2026, 17:00:00 CET" in row
    for user, page in ((vienna.people.ana, row), (vienna.people.ana, listed)):
        assert not re.search(r"\d\d:\d\d:\d\d(?! (CET|CEST)|[.+:\d])", times_of(page)), user
    assert "20 Nov 2026, 11:00:00 EST" not in log_in(olga).get(url(Delivery, "changelist")).content.decode()
    assert "20 Nov 2026, 16:00:00 UTC" in log_in(olga).get(url(Delivery, "changelist")).content.decode()
    chosen = log_in(olga).get(url(Delivery, "changelist"), {"of": str(vienna.people.acme.pk)}).content.decode()
    assert "20 Nov 2026, 17:00:00 CET" in chosen


def times_of(page: str) -> str:
    return re.sub(r"<script.*?</script>|<[^>]*>", " ", page, flags=re.S)


def test_a_member_of_two_tenants_sees_each_rows_own_zone(vienna: Site, log_in: LogIn) -> None:
    Member.objects.create(tenant=vienna.people.globex, user=vienna.people.ana, role=Member.Role.VIEWER)
    Delivery.objects.filter(pk__in=[vienna.acme_rows[Delivery].pk, vienna.globex_rows[Delivery].pk]).update(
        settled_at=MOMENT
    )
    browser = log_in(vienna.people.ana)
    for row, shown in ((vienna.acme_rows, "17:00:00 CET"), (vienna.globex_rows, "11:00:00 EST")):
        assert shown in browser.get(url(Delivery, "change", row[Delivery].pk)).content.decode()


def test_a_request_leaves_its_zone_to_no_other_request(vienna: Site, log_in: LogIn, olga: User) -> None:
    log_in(vienna.people.ana).get(url(Delivery, "change", vienna.acme_rows[Delivery].pk))
    html = log_in(olga).get(url(AuditLog, "changelist")).content.decode()
    assert " UTC<" in html and " CET<" not in html
