"""Which role may do what: one table of deeds, tried by a member of each role, and by a user without one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.db.models import Model
from django.urls import reverse

from campaigns.models import Audience, Campaign, Schedule
from notifier.models import DeadLetter, ProviderAccount, Receipt, Sender, Template
from tenants.models import ApiKey, AuditLog, Category, Import, Member, Recipient, Tenant, User
from tests.admin.conftest import Browser, Site, url

pytestmark = pytest.mark.django_db
LogIn = Callable[[User], Browser]
ROLES = ("owner", "author", "approver", "operator", "viewer")
Deed = Callable[[Browser, Site], bool]


def opens(model: type[Model], page: str = "add") -> Deed:
    """Whether the page opens."""

    def deed(browser: Browser, site: Site) -> bool:
        row = site.acme_rows.get(model)
        args = [row.pk] if page in ("change", "delete") and row is not None else []
        return int(browser.get(url(model, page, *args)).status_code) == 200

    return deed


def offers(model: type[Model], action: str) -> Deed:
    """Whether the list of the model offers an action."""

    def deed(browser: Browser, site: Site) -> bool:
        page = browser.get(url(model, "changelist"))
        form = page.context["action_form"] if page.status_code == 200 else None
        return form is not None and action in [name for name, _ in form.fields["action"].choices]

    return deed


def _campaign(site: Site) -> Campaign:
    acme = site.people.acme
    audience, _ = Audience.objects.get_or_create(tenant=acme, name="Everybody", source="everybody")
    return Campaign.objects.create(
        tenant=acme, name="Spring", channels=["in_app"], template=site.acme_rows[Template], audience=audience
    )


def controls_a_campaign(browser: Browser, site: Site) -> bool:
    page = reverse("admin:campaigns_campaign_stop", args=[_campaign(site).pk])
    return int(browser.post(page, {}).status_code) == 302


def copies_a_campaign(browser: Browser, site: Site) -> bool:
    page = reverse("admin:campaigns_campaign_copy", args=[_campaign(site).pk])
    return int(browser.post(page, {}).status_code) == 302


def checks_an_account(browser: Browser, site: Site) -> bool:
    page = reverse("admin:notifier_provideraccount_test", args=[site.acme_rows[ProviderAccount].pk])
    return int(browser.post(page).status_code) == 302


def changes_settings(browser: Browser, site: Site) -> bool:
    page = browser.get(url(Tenant, "change", site.people.acme.pk))
    return page.status_code == 200 and bool(page.context["has_change_permission"])


@dataclass(frozen=True)
class Row:
    does: Deed
    roles: str  #: the initials of the roles that may: o(wner), a(uthor), (a)p(prover), (o)r: operator, v(iewer)


TABLE = {
    "looks at recipients": Row(opens(Recipient, "changelist"), "o a p r v"),
    "looks at campaigns": Row(opens(Campaign, "changelist"), "o a p r v"),
    "looks at dead letters": Row(opens(DeadLetter, "changelist"), "o a p r v"),
    "adds a recipient": Row(opens(Recipient), "o a"),
    "erases a recipient": Row(offers(Recipient, "erase"), "o"),
    "blocks a recipient": Row(offers(Recipient, "block"), "o a"),
    "imports people": Row(opens(Import), "o a"),
    "writes a template": Row(opens(Template), "o a"),
    "adds a category": Row(opens(Category), "o a"),
    "makes an audience": Row(opens(Audience), "o a"),
    "writes a campaign": Row(opens(Campaign), "o a"),
    "copies a campaign": Row(copies_a_campaign, "o a"),
    "controls a campaign": Row(controls_a_campaign, "o a r"),
    "writes a schedule": Row(opens(Schedule), "o a"),
    "re-drives dead letters": Row(offers(DeadLetter, "send_again"), "o r"),
    "reads receipts again": Row(offers(Receipt, "read_again"), "o r"),
    "tests a provider account": Row(checks_an_account, "o r"),
    "adds a provider account": Row(opens(ProviderAccount), "o"),
    "adds a sender": Row(opens(Sender), "o"),
    "makes an API key": Row(opens(ApiKey), "o"),
    "adds a member": Row(opens(Member), "o"),
    "changes the settings of the tenant": Row(changes_settings, "o"),
    "reads the audit log": Row(opens(AuditLog, "changelist"), "o a p r v"),
    "adds a tenant": Row(opens(Tenant), ""),
    "adds a user": Row(opens(User), ""),
}
INITIALS = dict(zip("oaprv", ROLES, strict=True))


def member(site: Site, role: str) -> User:
    user = User.objects.create_user(f"{role}-of-acme", "", "a long password", is_staff=True)
    Member.objects.create(tenant=site.people.acme, user=user, role=role)
    return user


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_do_what_the_table_says_and_nothing_else(role: str, site: Site, log_in: LogIn) -> None:
    browser = log_in(member(site, role))
    may = {name for name, row in TABLE.items() if row.does(browser, site)}
    assert may == {name for name, row in TABLE.items() if role in [INITIALS[i] for i in row.roles.split()]}


def test_a_platform_operator_may_do_everything(site: Site, log_in: LogIn, olga: User) -> None:
    browser = log_in(olga)
    assert {name for name, row in TABLE.items() if row.does(browser, site)} == set(TABLE)


def test_the_owner_of_another_tenant_reaches_nothing_of_this_one(site: Site, log_in: LogIn) -> None:
    browser = log_in(site.people.cleo)
    named: list[Any] = [controls_a_campaign, copies_a_campaign, checks_an_account, changes_settings]
    assert [deed.__name__ for deed in named if deed(browser, site)] == []
