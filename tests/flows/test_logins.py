"""Logins on the running site. Its web process can read only the login and the session of the request."""

from __future__ import annotations

import re
from html import unescape

import pytest

from tests.flows.admin import Browser
from tests.flows.site import Site
from tests.flows.tenant import Tenant

HOME, LOGIN = "/admin/", "/admin/login/?next=/admin/"
USERS = "/admin/tenants/user/"


def copy_of(browser: Browser) -> Browser:
    """A browser with the same cookies, such as a second window or a thief has."""
    return Browser(browser.origin, dict(browser.cookies))


@pytest.fixture
def operator(site: Site) -> Browser:
    browser = Browser(site.url)
    browser.log_in(*site.operator)
    return browser


def shown_password(page: str) -> str:
    match = re.search(r"<dt>password</dt><dd><code>(.+?)</code>", page)
    assert match, page
    return unescape(match[1])


@pytest.mark.parametrize(
    ("name", "password"),
    [("nobody-of-that-name", "x"), ("{owner}", "wrong"), ("{owner} ", "wrong"), ("nul\0", "x"), ("Ω" * 300, "x")],
)
def test_unknown_names_and_wrong_passwords_are_refused(tenant: Tenant, site: Site, name: str, password: str) -> None:
    browser = Browser(site.url)
    answer = browser.submit(LOGIN, username=name.format(owner=tenant.credentials.username), password=password)
    assert answer.status == 200
    assert browser.get(HOME).status == 302


def test_logging_out_ends_the_session_for_every_copy_of_its_cookie(tenant: Tenant) -> None:
    browser = tenant.owner()
    copy, elsewhere = copy_of(browser), tenant.owner()
    assert copy.get(HOME).status == 200
    assert browser.post("/admin/logout/").status == 200
    assert copy.get(HOME).status == 302
    assert elsewhere.get(HOME).status == 200


def test_a_changed_password_replaces_the_old_one_and_ends_other_sessions(tenant: Tenant, site: Site) -> None:
    browser, elsewhere = tenant.owner(), tenant.owner()
    new = "a-new-Password-of-mine-4711"
    words = {"new_password1": new, "new_password2": new}
    page = "/admin/password_change/"
    assert browser.submit(page, old_password="wrong", **words).status == 200
    assert browser.submit(page, old_password=tenant.credentials.password, **words).status == 302
    assert (browser.get(HOME).status, elsewhere.get(HOME).status) == (200, 302)
    refused = Browser(site.url).submit(
        LOGIN, username=tenant.credentials.username, password=tenant.credentials.password
    )
    assert refused.status == 200
    Browser(site.url).log_in(tenant.credentials.username, new)


def test_an_owner_invites_a_member_who_logs_in_and_sees_that_tenant(tenant: Tenant, site: Site) -> None:
    owner, name = tenant.owner(), f"{tenant.tag}guest"
    form = {"username": name, "email": "guest@example.com", "role": "viewer"}
    added = owner.submit("/admin/tenants/member/add/", **form)
    assert added.status == 302, added.text
    shown = owner.get(added.headers["location"])
    guest = Browser(site.url)
    name = f"{name}@{tenant.credentials.slug}"
    guest.log_in(name, shown_password(shown.text))
    assert guest.get("/admin/tenants/recipient/").status == 200
    assert guest.get("/admin/tenants/member/").status == 200
    members = owner.get("/admin/tenants/member/").text
    assert name in members and tenant.credentials.username in members
    taken = owner.submit("/admin/tenants/member/add/", **form)
    assert (taken.status, "has a login of this name" in taken.text) == (200, True)


def test_an_operator_manages_logins_and_periodic_tasks(operator: Browser, tenant: Tenant, site: Site) -> None:
    listed = operator.get(f"{USERS}?q={tenant.credentials.username}")
    pk = re.findall(rf'href="{USERS}(\d+)/change/', listed.text)[0]
    change = f"{USERS}{pk}/change/"
    assert tenant.credentials.username in operator.get(change).text
    new = "what-the-operator-chose-99"
    words = {"password1": new, "password2": new, "usable_password": "true"}
    assert operator.submit(f"{USERS}{pk}/password/", **words).status == 302
    owner = Browser(site.url)
    owner.log_in(tenant.credentials.username, new)
    assert operator.get("/admin/django_celery_beat/periodictask/").text.count("notifier sweep") >= 1
    added = operator.submit(
        f"{USERS}add/", username=f"{tenant.tag}second", password1=new, password2=new, usable_password="true"
    )
    assert added.status == 302, added.text
    every = operator.submit("/admin/django_celery_beat/intervalschedule/add/", every="7", period="days")
    assert every.status == 302, every.text
    # an owner has rights in one tenant only, and may open none of these pages
    for page in (USERS, change, "/admin/django_celery_beat/periodictask/"):
        assert owner.get(page).status in (302, 403), page


def test_an_operator_disables_a_login_and_its_sessions_end(operator: Browser, tenant: Tenant) -> None:
    owner = tenant.owner()
    pk = re.findall(rf'href="{USERS}(\d+)/change/', operator.get(f"{USERS}?q={tenant.credentials.username}").text)[0]
    saved = operator.submit(
        f"{USERS}{pk}/change/",
        username=tenant.credentials.username,
        is_staff="on",
        date_joined_0="2026-01-01",
        date_joined_1="00:00:00",
    )
    assert saved.status == 302, saved.text
    assert owner.get(HOME).status == 302


def test_an_operator_invites_a_new_member_and_an_existing_one(operator: Browser, tenant: Tenant, site: Site) -> None:
    page = "/admin/tenants/member/add/"
    found = operator.get(f"/admin/tenants/tenant/?q={tenant.credentials.slug}").text
    pk = re.findall(r'href="/admin/tenants/tenant/([\w-]+)/change/', found)
    form = {"tenant": pk[0], "username": f"{tenant.tag}new", "email": "", "role": "author"}
    added = operator.submit(page, **form)
    assert added.status == 302, added.text
    shown = operator.get(added.headers["location"])
    guest = Browser(site.url)
    guest.log_in(f"{tenant.tag}new@{tenant.credentials.slug}", shown_password(shown.text))
    assert guest.get("/admin/tenants/recipient/").status == 200
    copy_of = operator.submit(page, **{**form, "username": f"{tenant.tag}new@{tenant.credentials.slug}"})
    assert (copy_of.status, "member already" in copy_of.text) == (200, True)


def test_the_running_site_counts_wrong_passwords_and_a_known_browser_may_still_log_in(
    tenant: Tenant, site: Site
) -> None:
    known = tenant.owner()
    known.post("/admin/logout/")
    stranger, name = Browser(site.url), tenant.credentials.username
    answers = [stranger.submit(LOGIN, username=name, password=f"guess {n}").status for n in range(11)]
    assert answers == [*[200] * 10, 429]
    refused = stranger.submit(LOGIN, username=name, password=tenant.credentials.password)
    assert (refused.status, int(refused.headers["retry-after"]) > 0) == (429, True)
    known.log_in(name, tenant.credentials.password)
