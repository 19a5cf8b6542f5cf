"""Members → Add, for owners and operators: who is let in, under which name, and what the answer tells of others."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tenants.models import Member, User
from tests.admin.conftest import Browser, Site, url
from tests.admin.filled_forms import errors

pytestmark = pytest.mark.django_db
LogIn = Callable[[User], Browser]


def member_fields(site: Site, username: str, **values: str) -> dict[str, str]:
    return {"tenant": str(site.people.acme.pk), "username": username, "email": "", "role": "viewer", **values}


def made(browser: Browser, form: dict[str, str]) -> tuple[str, str]:
    """The login and the password that the page shows once."""
    answer = browser.post(url(Member, "add"), form)
    assert answer.status_code == 302, errors(answer)
    what = browser.get(answer.url).context["values"]
    return what["username"], what["password"]


def logs_in(username: str, password: str) -> bool:
    client = Client()
    client.post(reverse("admin:login"), {"username": username, "password": password})
    return client.get(reverse("admin:index")).status_code == 200


@pytest.mark.parametrize("who", ["owner", "operator"])
def test_a_new_member_gets_a_login_that_works(who: str, site: Site, log_in: LogIn, olga: User) -> None:
    browser = log_in(site.people.ana if who == "owner" else olga)
    login, password = made(browser, member_fields(site, "dan", email="dan@example.com"))
    assert login == "dan@acme"
    assert logs_in(login, password)
    member = Member.objects.get(user__username=login)
    assert (member.tenant, member.role, member.user.email) == (site.people.acme, "viewer", "dan@example.com")
    assert not member.user.is_superuser


def test_an_operator_adds_a_login_that_is_there_and_its_password_stays(site: Site, log_in: LogIn, olga: User) -> None:
    answer = log_in(olga).post(url(Member, "add"), member_fields(site, "cleo", role="author"))
    assert (answer.status_code, answer.url) == (302, url(Member, "changelist"))
    assert set(Member.objects.filter(user=site.people.cleo).values_list("tenant__slug", "role")) == {
        ("acme", "author"),
        ("globex", "owner"),
    }
    assert logs_in("cleo", "a long password")


def test_a_login_made_under_users_can_log_in_and_be_added(site: Site, log_in: LogIn, olga: User) -> None:
    browser = log_in(olga)
    words = {"password1": "what-the-operator-chose-99", "password2": "what-the-operator-chose-99"}
    added = browser.post(url(User, "add"), {"username": "emil", "usable_password": "true", **words})
    assert added.status_code == 302
    assert browser.post(url(Member, "add"), member_fields(site, "emil")).status_code == 302
    assert logs_in("emil", words["password1"])


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "required"),
        ("dan@globex", "without @"),
        ("cleo@example.com", "without @"),
        ("d an", "valid username"),
        ("x" * 150, "shorten"),
        ("taken", "a login of this name"),
    ],
)
@pytest.mark.parametrize("who", ["owner", "operator"])
def test_an_impossible_name_is_reported_at_its_field(
    who: str, name: str, reason: str, site: Site, log_in: LogIn, olga: User
) -> None:
    User.objects.create_user("taken@acme")
    before = User.objects.count()
    answer = log_in(site.people.ana if who == "owner" else olga).post(url(Member, "add"), member_fields(site, name))
    assert list(errors(answer)) == ["username"] and reason in str(errors(answer)["username"])
    assert User.objects.count() == before


def test_an_operator_cannot_add_a_member_twice_or_an_inactive_login(site: Site, log_in: LogIn, olga: User) -> None:
    User.objects.create_user("gone", is_active=False)
    for name, reason in [("ben", "member already"), ("gone", "inactive")]:
        answer = log_in(olga).post(url(Member, "add"), member_fields(site, name))
        assert reason in str(errors(answer)["username"])


def message_for(browser: Browser, site: Site, name: str) -> Any:
    """All that the answer to an invitation says, without the name and what is random."""
    answer = browser.post(url(Member, "add"), member_fields(site, name))
    location = re.sub(r"[\w-]{22}", "…", answer.get("Location", ""))
    page = browser.get(answer.url).content.decode() if answer.status_code == 302 else answer.content.decode()
    page = re.sub(r"shown-once/[^/]+/", "…", page)
    page = re.sub(r'(<code>)[\w-]{20}(</code>)|value="[\w-]{64}"', "…", page).replace(name, "NAME")
    return answer.status_code, location, page


@pytest.mark.parametrize("existing", ["cleo", "olga", "zed", "globex-owner"])
def test_an_owner_cannot_tell_a_login_of_another_tenant_from_a_free_one(
    existing: str, site: Site, log_in: LogIn, olga: User
) -> None:
    for login in ("zed@globex", "globex-owner"):
        User.objects.create_user(login, is_staff=True)
    browser, free = log_in(site.people.ana), "nobody-has-this"
    assert message_for(browser, site, existing) == message_for(browser, site, free)
    # what names another tenant's login in full is refused the same way, whether it exists or not
    assert message_for(browser, site, "zed@globex") == message_for(browser, site, "yak@globex")


def test_a_removed_member_loses_access_at_once_although_the_session_lives(site: Site, log_in: LogIn) -> None:
    browser = log_in(site.people.ben)
    page = url(type(site.people.acme), "change", site.people.acme.pk)
    assert browser.get(page).status_code == 200
    member = Member.objects.get(user=site.people.ben)
    log_in(site.people.ana).post(url(Member, "delete", member.pk), {"post": "yes"})
    assert not Member.objects.filter(user=site.people.ben).exists()
    assert browser.get(page).status_code in (302, 403)
    assert browser.get(url(Member, "changelist")).status_code in (302, 403)


def test_an_inactive_user_is_logged_out(site: Site, log_in: LogIn) -> None:
    browser = log_in(site.people.ben)
    User.objects.filter(pk=site.people.ben.pk).update(is_active=False)
    assert browser.get(reverse("admin:index")).status_code == 302
