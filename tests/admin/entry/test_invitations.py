"""Members by invitation: the mail, the link, who joins with which login, and what must not work."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core import mail
from django.test import Client
from django.urls import reverse

from tenants.models import AuditLog, Invitation, LoginSession, Member, Tenant, User
from tests.admin.conftest import Browser, url
from tests.admin.entry.second_factors import code_for, log_in_with_password, secret_on
from tests.admin.filled_forms import errors
from tests.fixtures import People

pytestmark = pytest.mark.django_db
PASSWORD = "seven purple kettles sing"


@pytest.fixture
def with_mail(settings: Any) -> None:
    settings.EMAIL_HOST_GIVEN = True


def invite(browser: Browser, people: People, email: str = "dan@example.com", role: str = "author") -> Any:
    fields = {"tenant": str(people.acme.pk), "email": email, "role": role}
    answer = browser.post(url(Invitation, "add"), fields)
    assert answer.status_code == 302, errors(answer)
    return answer


def link_in_mail() -> str:
    found = re.search(r"https?://[^/]+(/admin/join/\S+)", str(mail.outbox[-1].body))
    assert found is not None
    return found[1]


def new_person(**values: str) -> dict[str, str]:
    return {"full_name": "Dan Diaz", "username": "dan", "password": PASSWORD, "again": PASSWORD, **values}


@pytest.mark.usefixtures("with_mail")
def test_an_invited_person_sets_a_password_and_is_in(people: People, log_in: Any) -> None:
    invite(log_in(people.ana), people)
    assert mail.outbox[-1].to == ["dan@example.com"] and "ana invites you to ACME" in mail.outbox[-1].body
    dan = Browser(Client())
    page = dan.get(link_in_mail())
    assert "You are invited to ACME" in page.content.decode()
    assert dan.post(link_in_mail(), new_person()).url == "/admin/"
    assert dan.get("/admin/").status_code == 200
    member = Member.objects.get(user__username="dan@acme")
    assert (member.role, member.user.email, member.user.get_full_name()) == ("author", "dan@example.com", "Dan Diaz")
    assert Browser(Client()).get(link_in_mail()).status_code == 410, "a link works once"
    assert set(AuditLog.objects.values_list("action", flat=True)) >= {"invitation.added", "invitation.accepted"}


@pytest.mark.usefixtures("with_mail")
def test_a_person_with_a_login_joins_with_it(people: People, log_in: Any) -> None:
    invite(log_in(people.ana), people, "cleo@example.com", "viewer")
    cleo = Browser(Client())
    anonymous = cleo.get(link_in_mail()).content.decode()
    assert "I have a login already" in anonymous and "cleo@globex" not in anonymous
    log_in_with_password(cleo, "cleo")
    assert "Join as cleo" in cleo.get(link_in_mail()).content.decode()
    assert not Member.objects.filter(user=people.cleo, tenant=people.acme).exists(), "a GET changes nothing"
    assert cleo.post(link_in_mail()).url == "/admin/"
    assert Member.objects.get(user=people.cleo, tenant=people.acme).role == "viewer"


@pytest.mark.usefixtures("with_mail")
def test_who_joins_a_tenant_that_asks_for_a_second_factor_sets_one_up_first(people: People, log_in: Any) -> None:
    invite(log_in(people.ana), people, "cleo@example.com", "viewer")
    Tenant.objects.filter(pk=people.acme.pk).update(require_two_factor=True)
    cleo, elsewhere = Browser(Client()), Browser(Client())
    for browser in (cleo, elsewhere):
        log_in_with_password(browser, "cleo")
    assert cleo.post(link_in_mail()).url == reverse("admin:login_setup")
    assert Member.objects.filter(user=people.cleo, tenant=people.acme).exists()
    for browser in (cleo, elsewhere):
        assert browser.get("/admin/").status_code == 302, "no session without a second factor is left"
    secret = secret_on(cleo.get(reverse("admin:login_setup")))
    assert "recovery" in cleo.post(reverse("admin:login_setup"), {"code": code_for(secret)}).content.decode()
    assert cleo.get("/admin/").status_code == 200


@pytest.mark.usefixtures("with_mail")
@pytest.mark.parametrize("how", ["changed", "revoked", "resent", "expired", "inactive tenant", "another's"])
def test_a_link_that_is_not_open_opens_nothing(how: str, people: People, log_in: Any) -> None:
    owner = log_in(people.ana)
    invite(owner, people)
    link, invitation = link_in_mail(), Invitation.objects.get()
    if how == "changed":
        link = link.replace("/join/", "/join/x")
    elif how == "revoked":
        owner.post(url(Invitation, "changelist"), {"action": "revoke", ACTION_CHECKBOX_NAME: [str(invitation.pk)]})
    elif how == "resent":
        owner.post(url(Invitation, "changelist"), {"action": "send_again", ACTION_CHECKBOX_NAME: [str(invitation.pk)]})
        assert link_in_mail() != link
    elif how == "expired":
        Invitation.objects.update(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    elif how == "inactive tenant":
        Tenant.objects.update(active=False)
    else:
        Invitation.objects.update(nonce="of another link")
    before = User.objects.count()
    for answer in (Browser(Client()).get(link), Browser(Client()).post(link, new_person())):
        assert answer.status_code == 410
    assert User.objects.count() == before


@pytest.mark.usefixtures("with_mail")
@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("password", {"password": "short", "again": "short"}),
        ("password", {"password": "dan@example.com", "again": "dan@example.com"}),
        ("again", {"again": "another one entirely"}),
        ("username", {"username": "ana@globex"}),
        ("username", {"username": "taken"}),
        ("full_name", {"full_name": ""}),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_stored(
    field: str, values: dict[str, str], people: People, log_in: Any
) -> None:
    User.objects.create_user("taken@acme")
    invite(log_in(people.ana), people)
    answer = Browser(Client()).post(link_in_mail(), new_person(**values))
    assert answer.status_code == 400 and field in answer.context["form"].errors
    assert Invitation.objects.get().accepted_at is None


def test_without_a_mail_server_the_owner_copies_the_link(people: People, log_in: Any) -> None:
    owner = log_in(people.ana)
    page = owner.get(invite(owner, people).url).content.decode()
    shown = re.search(r"<code>https?://[^/]+(/admin/join/[^<]+)</code>", page)
    assert shown is not None and "EMAIL_URL" in page
    assert Browser(Client()).get(shown[1]).status_code == 200
    assert mail.outbox == []
    assert "/admin/join/" not in owner.get(url(Invitation, "changelist")).content.decode()


@pytest.mark.usefixtures("with_mail")
def test_a_mail_server_that_is_away_is_said(people: People, log_in: Any, settings: Any) -> None:
    settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = (
        "django.core.mail.backends.smtp.EmailBackend",
        "127.0.0.1",
        1,
    )
    owner = log_in(people.ana)
    page = owner.get(invite(owner, people).url).content.decode()
    assert "did not take the mail" in page and Invitation.objects.get().sent_at is None


@pytest.mark.parametrize("user", ["ben", "cleo"])
def test_only_an_owner_of_the_tenant_invites(user: str, people: People, log_in: Any) -> None:
    fields = {"tenant": str(people.acme.pk), "email": "dan@example.com", "role": "owner"}
    log_in(getattr(people, user)).post(url(Invitation, "add"), fields)
    assert not Invitation.objects.exists()


def test_the_last_owner_is_neither_demoted_nor_removed(people: People, log_in: Any, olga: User) -> None:
    member = Member.objects.get(user=people.ana)
    for browser in (log_in(people.ana), log_in(olga)):
        answer = browser.post(url(Member, "change", member.pk), {"role": "viewer"})
        assert "at least one owner" in str(errors(answer))
        browser.post(url(Member, "delete", member.pk), {"post": "yes"})
        browser.post(
            url(Member, "changelist"),
            {"action": "delete_selected", ACTION_CHECKBOX_NAME: [str(member.pk)], "post": "yes"},
        )
    assert Member.objects.get(user=people.ana).role == "owner"
    Member.objects.filter(user=people.ben).update(role="owner")
    assert log_in(people.ana).post(url(Member, "change", member.pk), {"role": "viewer"}).status_code == 302
    assert Member.objects.get(user=people.ana).role == "viewer"


def test_sessions_are_listed_and_ended(people: People, log_in: Any) -> None:
    here, there = log_in(people.ana), log_in(people.ana)
    page = here.get("/admin/account/")
    assert len(page.context["sessions"]) == 2 and "This session" in page.content.decode()
    other = LoginSession.objects.exclude(digest=page.context["this_session"]).get()
    strange = log_in(people.cleo)
    strange.post(f"/admin/account/sessions/{other.pk}/end/")
    assert there.get("/admin/").status_code == 200, "another person's session stays"
    here.post(f"/admin/account/sessions/{other.pk}/end/")
    assert there.get("/admin/").status_code == 302 and here.get("/admin/").status_code == 200
    third = log_in(people.ana)
    here.post("/admin/account/sessions/end-others/")
    assert third.get("/admin/").status_code == 302 and here.get("/admin/").status_code == 200


def test_a_new_password_ends_every_other_session(people: People) -> None:
    here, there = Browser(Client()), Browser(Client())
    for browser in (here, there):
        log_in_with_password(browser, "ana")
    words = {"old_password": "a long password", "new_password1": PASSWORD, "new_password2": PASSWORD}
    assert here.post("/admin/password_change/", words).status_code == 302
    assert here.get("/admin/").status_code == 200 and there.get("/admin/").status_code == 302
    assert [row.digest for row in LoginSession.objects.all()] == [here.get("/admin/account/").context["this_session"]]


def test_an_owner_ends_the_sessions_of_a_member_only(people: People, log_in: Any) -> None:
    ben, cleo, owner = log_in(people.ben), log_in(people.cleo), log_in(people.ana)
    rows = {name: Member.objects.get(user=getattr(people, name)).pk for name in ("ben", "cleo")}
    assert owner.get(f"/admin/tenants/member/{rows['ben']}/login/").status_code == 200
    for pk in rows.values():
        owner.post(f"/admin/tenants/member/{pk}/end-sessions/")
    assert ben.get("/admin/").status_code == 302 and cleo.get("/admin/").status_code == 200
    assert log_in(people.ben).post(f"/admin/tenants/member/{rows['ben']}/end-sessions/").status_code == 403


def test_logging_out_takes_the_session_off_the_list(people: People) -> None:
    browser = Browser(Client())
    log_in_with_password(browser, "ana")
    assert LoginSession.objects.count() == 1
    browser.post("/admin/logout/")
    assert LoginSession.objects.count() == 0
