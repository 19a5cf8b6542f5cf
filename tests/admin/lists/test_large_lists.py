"""Lists of tables that grow: paged by key, counted up to a bound, filtered a window at a time, searched by an index."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection

from campaigns.models import Campaign
from notifier.models import Delivery, Template, TemplateVersion
from notifier.vocabulary.status import Status
from tenants.admin.lists import keyset
from tenants.models import AuditLog, Device, Recipient, Suppression, User
from tests.admin.conftest import Browser, Site, url

pytestmark = pytest.mark.django_db
LogIn = Callable[[User], Browser]


@pytest.fixture
def many(site: Site) -> list[str]:
    """120 people of ACME beside zebra-1, in order."""
    tenant = site.people.acme
    names = [f"u{n:03d}" for n in range(120)]
    Recipient.objects.bulk_create(
        Recipient(tenant=tenant, external_id=name, name=f"Ann O'Neil {name}", email=f"{name}@x.org", phone=f"+4312{n}")
        for n, name in enumerate(names)
    )
    return [*names, "zebra-1"]


def changelist_of(browser: Browser, model: Any, query: str = "") -> Any:
    answer = browser.get(url(model, "changelist") + query)
    assert answer.status_code == 200
    return answer.context["cl"]


def test_pages_follow_one_another_both_ways(many: list[str], site: Site, log_in: LogIn) -> None:
    browser, query, pages = log_in(site.people.ana), "", []
    while True:
        page = changelist_of(browser, Recipient, query)
        pages.append([person.external_id for person in page.result_list])
        if not page.further:
            break
        query = page.further
    assert [len(names) for names in pages] == [50, 50, 21]
    assert [name for names in pages for name in names] == many
    back = changelist_of(browser, Recipient, page.back)
    assert [person.external_id for person in back.result_list] == pages[1]
    first = changelist_of(browser, Recipient, back.back)
    assert [person.external_id for person in first.result_list] == pages[0] and not first.back
    assert changelist_of(browser, Recipient, first.further).result_list == back.result_list


def test_a_list_counts_no_rows_of_other_tenants(many: list[str], site: Site, log_in: LogIn, settings: Any) -> None:
    assert changelist_of(log_in(site.people.ana), Recipient).count_text == "121"
    settings.ADMIN_LIST_LIMITS = {"counted": 100}
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE tenants_recipient")
    assert changelist_of(log_in(site.people.ana), Recipient).count_text == "about 120"
    assert changelist_of(log_in(site.people.cleo), Recipient).count_text == "1"


@pytest.mark.parametrize(
    ("count", "text"),
    [(10_000, "about 10,000"), (305_123, "about 310,000"), (1_000_000, "about 1.0 M"), (2_013_000, "about 2.0 M")],
)
def test_an_estimate_is_shown_in_two_figures(count: int, text: str) -> None:
    assert keyset.approximate(count) == text


def test_a_filter_looks_through_a_window_and_offers_the_next(site: Site, log_in: LogIn, settings: Any) -> None:
    settings.ADMIN_LIST_LIMITS = {"filter_window": 10}
    tenant = site.people.acme
    Suppression.objects.bulk_create(
        Suppression(tenant=tenant, channel="push", address=f"a{n}", cause="bounce" if n == 3 else "manual")
        for n in range(25)
    )
    browser, query, found, windows = log_in(site.people.ana), "?cause__exact=bounce", [], 0
    while query:
        page = changelist_of(browser, Suppression, query)
        found += [row.address for row in page.result_list]
        query, windows = page.further, windows + 1
    assert (found, windows) == (["a3"], 3)


@pytest.mark.parametrize("term", ["u077", "O'Neil u077", "neil U07", "077@x", "u077@x.org", "+431277", "ann u077"])
def test_a_search_finds_people_by_a_part_of_their_fields(term: str, many: list[str], site: Site, log_in: LogIn) -> None:
    page = changelist_of(log_in(site.people.ana), Recipient, f"?q={term.replace('+', '%2B')}")
    assert "u077" in [person.external_id for person in page.result_list]
    assert changelist_of(log_in(site.people.cleo), Recipient, f"?q={term.replace('+', '%2B')}").result_list == []


@pytest.mark.parametrize("term", ["%25%25%25", "___", "u0", "\\\\\\", "nobody at all"])
def test_pattern_characters_and_short_words_find_no_recipient(
    term: str, many: list[str], site: Site, log_in: LogIn
) -> None:
    assert changelist_of(log_in(site.people.ana), Recipient, f"?q={term}").result_list == []


def test_an_operator_searches_all_tenants_and_one(many: list[str], site: Site, log_in: LogIn, olga: User) -> None:
    both = changelist_of(log_in(olga), Recipient, "?q=person").result_list
    assert {person.external_id for person in both} == {"zebra-1", "quokka-1"}
    one = changelist_of(log_in(olga), Recipient, f"?q=person&of={site.people.globex.pk}").result_list
    assert {person.external_id for person in one} == {"quokka-1"}


def test_devices_are_found_by_token_and_by_person(site: Site, log_in: LogIn) -> None:
    browser, device = log_in(site.people.ana), site.acme_rows[Device]
    for term in (device.token, "zebra-1"):
        assert changelist_of(browser, Device, f"?q={term}").result_list == [device]
    assert changelist_of(browser, Device, f"?q={site.globex_rows[Device].token}").result_list == []


def test_the_messages_of_a_campaign_are_listed_from_it(site: Site, log_in: LogIn) -> None:
    tenant, template = site.people.acme, site.acme_rows[Template]
    delivery = site.acme_rows[Delivery]
    armed = int(delivery.pk.hex[:12], 16)
    campaign = Campaign.objects.create(
        tenant=tenant, name="sale", template=template, channels=["push"], first_armed_ms=armed
    )
    Delivery.objects.filter(pk=delivery.pk).update(campaign_id=campaign.pk, notification_id=None)
    browser = log_in(site.people.ana)
    assert changelist_of(browser, Delivery).result_list == []
    for query in ("", f"&status__exact={Status.FAILED.value}", "&channel=push"):
        assert changelist_of(browser, Delivery, f"?campaign_id={campaign.pk}{query}").result_list == [delivery]
    for query in (f"&status__exact={Status.SENT.value}", "&channel=in_app"):
        assert changelist_of(browser, Delivery, f"?campaign_id={campaign.pk}{query}").result_list == []
    assert changelist_of(log_in(site.people.cleo), Delivery, f"?campaign_id={campaign.pk}").result_list == []


def test_a_rows_history_is_its_rows_of_the_audit_log(site: Site, log_in: LogIn) -> None:
    browser = log_in(site.people.ana)
    answer = browser.get(url(TemplateVersion, "history", site.acme_rows[TemplateVersion].pk))
    assert answer.status_code == 302 and f"object_id={site.acme_rows[TemplateVersion].pk}" in answer.url
    row = site.acme_rows[AuditLog]
    page = browser.get(f"{url(AuditLog, 'changelist')}?object_id={row.object_id}").context["cl"]
    assert page.result_list == [row]


@pytest.mark.parametrize(
    ("chosen", "tokens"),
    [
        ({}, ["alive", "refused", "stale"]),
        ({"app": "courier"}, ["alive"]),
        ({"life": "alive"}, ["alive"]),
        ({"life": "dead"}, ["refused", "stale"]),
        ({"life": "stale"}, ["stale"]),
        ({"life": "odd", "platform": "apns"}, []),
    ],
)
def test_devices_are_filtered_by_platform_app_and_life(
    site: Site, log_in: LogIn, chosen: dict[str, str], tokens: list[str]
) -> None:
    owner = site.acme_rows[Recipient]
    Device.objects.filter(tenant=site.people.acme).delete()
    for name, app, reason in (("alive", "courier", ""), ("refused", "", "410 Unregistered"), ("stale", "", "stale")):
        dead_since = datetime.now(UTC) if reason else None
        columns = {"token": f"token-{name}", "app": app, "dead_reason": reason, "dead_since": dead_since}
        Device.objects.create(tenant=site.people.acme, recipient=owner, **columns)
    page = log_in(site.people.ana).get(url(Device, "changelist"), chosen)
    assert sorted(row.token.removeprefix("token-") for row in page.context["cl"].result_list) == tokens
    assert "courier" in page.content.decode()
