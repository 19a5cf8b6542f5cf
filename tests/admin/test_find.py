"""The search box: each kind of term leads to its row, to no row of another tenant, and by an index."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse

from campaigns.models import Audience, Campaign
from notifier.models import Delivery, Notification, Template, TemplateVersion
from tenants.admin.search.terms import read_term
from tenants.models import Device, Recipient, Tenant, User
from tests.admin.conftest import Browser, Site
from tests.admin.lists.many_rows import many_rows
from tests.admin.lists.test_plans import BOUND, LIMITS, look

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(900)]
LogIn = Callable[[User], Browser]
FIND = "/admin/find/"


def timeline(recipient: Any) -> str:
    return reverse("admin:tenants_recipient_timeline", args=[recipient.pk])


@pytest.mark.parametrize(
    "text, phone, has_id, is_name",
    [
        ("  Ana  ", "", False, True),
        ("+43 660 123-45", "+4366012345", False, True),
        ("0190c5e0-0000-7000-8000-000000000000", "", True, False),
        ("a", "", False, False),
        ("", "", False, False),
    ],
    ids=["name", "phone", "id", "letter", "empty"],
)
def test_a_term_is_read_by_its_form(text: str, phone: str, has_id: bool, is_name: bool) -> None:
    term = read_term(text)
    assert (term.phone, term.id is not None, term.is_part_of_name) == (phone, has_id, is_name)


def test_each_kind_of_term_leads_to_its_row(site: Site, log_in: LogIn) -> None:
    rows, browser = site.acme_rows, log_in(site.people.ana)
    person, delivery = rows[Recipient], rows[Delivery]
    Recipient.objects.filter(pk=person.pk).update(phone="+4366012345")
    Delivery.objects.filter(pk=delivery.pk).update(provider_ref="SM-0042-zebra", platform="")
    campaign = Campaign.objects.create(tenant=rows[Tenant], name="Summer sale", template=rows[Template], channels=[])
    audience = Audience.objects.create(tenant=rows[Tenant], name="Loyal folk", source="everybody")
    message = f"{timeline(person)}?message={delivery.pk}"
    terms = {
        "zebra person": timeline(person),
        "zebra-1": timeline(person),
        str(person.pk): timeline(person),
        "zebra@example.com": timeline(person),
        "+43 660 123 45": timeline(person),
        rows[Device].token: timeline(person),
        str(delivery.pk): message,
        "SM-0042-zebra": message,
        str(rows[Notification].pk): reverse("admin:notifier_notification_change", args=[rows[Notification].pk]),
        "summer": reverse("admin:campaigns_campaign_change", args=[campaign.pk]),
        "zebra-welcome": reverse("admin:notifier_template_change", args=[rows[Template].pk]),
        "loyal": reverse("admin:campaigns_audience_change", args=[audience.pk]),
        "audit lo": reverse("admin:tenants_auditlog_changelist"),
    }
    found = {term: browser.get(FIND, {"q": term}) for term in terms}
    assert {term: getattr(answer, "url", answer.status_code) for term, answer in found.items()} == terms


def test_several_hits_are_listed_by_kind_and_nothing_found_says_what_one_can_search_by(
    site: Site, log_in: LogIn
) -> None:
    browser = log_in(site.people.ana)
    several = browser.get(FIND, {"q": "zebra"}).content.decode()
    assert "zebra person" in several and "zebra-welcome" in several
    for term in ("", "nobody at all", "%%%", "x" * 5000, "\x01"):
        nothing = browser.get(FIND, {"q": term})
        assert nothing.status_code == 200 and "You can search by" in nothing.content.decode()
    assert 'action="/admin/find/"' in several
    assert browser.post(FIND).status_code == 405


def test_another_tenant_s_rows_are_not_found(site: Site, log_in: LogIn) -> None:
    theirs, browser = site.globex_rows, log_in(site.people.ana)
    Delivery.objects.filter(pk=theirs[Delivery].pk).update(provider_ref="SM-quokka-7", platform="")
    ids = [str(theirs[model].pk) for model in (Recipient, Delivery, Notification)]
    for term in ["quokka", "quokka-1", "quokka@example.com", theirs[Device].token, "SM-quokka-7", *ids]:
        assert "You can search by" in browser.get(FIND, {"q": term}).content.decode(), term


def test_a_search_reads_few_rows_of_large_tables(site: Site, log_in: LogIn, settings: Any) -> None:
    settings.ADMIN_LIST_LIMITS = LIMITS
    many_rows(site.people.globex, site.globex_rows[TemplateVersion])
    browser, scope = log_in(site.people.cleo), [site.people.globex.pk]
    someone = Recipient.objects.get(external_id="u777")
    for term in ("Person", "u777 nobody", "+43777777", "no-such-token-of-a-device", str(someone.pk).replace("7", "6")):
        rows, sql = look(browser, FIND, {"q": term}, scope).worst()
        assert rows <= BOUND, (term, rows, sql)
