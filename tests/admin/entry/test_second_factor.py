"""The second factor: it is asked for, cannot be passed by, and each code works once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from tenants.login import second_factor
from tenants.models import AuditLog, Authenticator, LoginSession, Member, RecoveryCode, Tenant, User
from tests.admin.conftest import Browser
from tests.admin.entry.second_factors import (
    code_for,
    code_of,
    forget_last_code,
    log_in_with_password,
    secret_on,
    set_up,
)
from tests.fixtures import People, as_web_role

pytestmark = pytest.mark.django_db
CODE, SETUP, INDEX = "/admin/login/code/", "/admin/login/setup/", "/admin/"


@pytest.fixture
def browser() -> Browser:
    return Browser(Client())


def is_inside(browser: Browser) -> bool:
    return int(browser.get(INDEX).status_code) == 200


def test_a_password_alone_opens_nothing_once_there_is_a_second_factor(people: People, browser: Browser) -> None:
    set_up(people.ana)
    answer = log_in_with_password(browser, "ana")
    assert (answer.status_code, answer.url) == (302, CODE)
    for page in (INDEX, "/admin/tenants/member/", "/inbox/", "/admin/account/", "/admin/password_change/"):
        assert browser.get(page).status_code == 302, page
    assert browser.get(SETUP).url == CODE, "a password must not replace the second factor"
    assert browser.post(CODE, {"code": "000000"}).status_code == 403
    assert not is_inside(browser)
    forget_last_code(people.ana)
    assert browser.post(CODE, {"code": code_of(people.ana)}).url == INDEX
    assert is_inside(browser)


def test_a_code_works_once_and_a_recovery_code_too(people: People) -> None:
    codes = set_up(people.ana)
    code = code_of(people.ana)
    accepted = []
    for typed in (code, code, codes[0], codes[0], codes[1].upper(), code_of(people.ana, -1)):
        browser = Browser(Client())
        log_in_with_password(browser, "ana")
        Authenticator.objects.update(throttling_failure_count=0)
        browser.post(CODE, {"code": typed})
        accepted.append(is_inside(browser))
    assert accepted == [True, False, True, False, True, False]
    assert second_factor.unused_recovery_codes(people.ana) == second_factor.RECOVERY_CODES - 2
    assert AuditLog.objects.filter(action="login.recovery_code_used", tenant=people.acme).count() == 2


def test_secrets_and_recovery_codes_are_not_stored_as_they_are(people: People) -> None:
    codes = set_up(people.ana)
    stored = [bytes(row.digest) for row in RecoveryCode.objects.all()]
    assert all(code.replace("-", "").encode() not in digest for code in codes for digest in stored)
    secret = second_factor.begin_setup(people.ana)
    assert secret.encode() not in bytes(Authenticator.objects.get().secret)


@pytest.mark.parametrize(
    ("failures", "seconds_ago", "wait"),
    [(0, 0, 0), (1, 0, 1), (1, 1, 0), (3, 1, 3), (3, 4, 0), (11, 0, 900), (5000, 0, 900), (5000, 900, 0)],
)
def test_wrong_codes_make_the_next_one_wait(failures: int, seconds_ago: int, wait: int) -> None:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    last = now - timedelta(seconds=seconds_ago)
    row = Authenticator(throttling_failure_count=failures, throttling_failure_timestamp=last)
    assert second_factor.seconds_to_wait(row, now) == wait


def test_guesses_of_codes_are_locked_out_as_guesses_of_passwords_are(people: People, browser: Browser) -> None:
    set_up(people.ana)
    log_in_with_password(browser, "ana")
    statuses = []
    for _ in range(12):
        Authenticator.objects.update(throttling_failure_count=0)
        statuses.append(browser.post(CODE, {"code": "000000"}).status_code)
    assert statuses[0] == 403 and statuses[-1] == 429
    forget_last_code(people.ana)
    assert browser.post(CODE, {"code": code_of(people.ana)}).status_code == 429, "also the right code"


def test_the_second_stage_ends_after_ten_minutes_and_with_the_password(people: People, browser: Browser) -> None:
    set_up(people.ana)
    log_in_with_password(browser, "ana")
    session = browser.client.session
    session["login_stage"] = {**session["login_stage"], "at": session["login_stage"]["at"] - 601}
    session.save()
    assert browser.post(CODE, {"code": code_of(people.ana)}).url == "/admin/login/"
    log_in_with_password(browser, "ana")
    people.ana.set_password("another long password")
    people.ana.save()
    assert browser.post(CODE, {"code": code_of(people.ana)}).url == "/admin/login/"


def test_a_tenant_that_asks_for_it_leads_its_members_to_set_it_up(people: People, browser: Browser) -> None:
    Tenant.objects.filter(pk=people.acme.pk).update(require_two_factor=True)
    assert log_in_with_password(browser, "ben").url == SETUP
    assert not is_inside(browser)
    page = browser.get(SETUP)
    assert "<svg" in page.content.decode() and "no-store" in page["Cache-Control"]
    assert browser.post(SETUP, {"code": "123"}).status_code == 400
    done = browser.post(SETUP, {"code": code_for(secret_on(page))})
    assert len(done.context["codes"]) == 10
    assert is_inside(browser)
    assert AuditLog.objects.filter(action="login.second_factor_added", user=people.ben, tenant=people.acme).exists()


def test_a_session_without_a_second_factor_sees_nothing_of_a_tenant_that_asks_for_one(
    people: People, log_in: Any
) -> None:
    browser = log_in(people.ben)
    assert browser.get("/admin/tenants/recipient/").status_code == 200
    Tenant.objects.filter(pk=people.acme.pk).update(require_two_factor=True)
    assert browser.get("/admin/tenants/recipient/").status_code == 403
    set_up(people.ben)
    assert browser.get("/admin/tenants/recipient/").status_code == 200


def test_a_platform_operator_needs_one_in_production(settings: Any, browser: Browser, olga: User) -> None:
    settings.DEBUG = False
    assert log_in_with_password(browser, "olga").url == SETUP
    settings.DEBUG = True
    assert log_in_with_password(browser, "olga").url == INDEX


def test_a_user_turns_it_off_with_a_code_only(people: People, log_in: Any) -> None:
    set_up(people.ana)
    browser = log_in(people.ana)
    assert browser.post("/admin/account/second-factor/remove/", {"code": "000000"}).status_code == 403
    assert browser.post("/admin/account/codes/", {"code": ""}).status_code == 403
    forget_last_code(people.ana)
    shown = browser.post("/admin/account/codes/", {"code": code_of(people.ana)})
    new = shown.context["codes"]
    assert len(new) == 10
    assert browser.post("/admin/account/second-factor/remove/", {"code": new[0]}).status_code == 302
    assert not second_factor.has_second_factor(people.ana)
    assert not RecoveryCode.objects.exists()


@pytest.mark.parametrize(
    ("actor", "target", "may"),
    [
        ("ana", "ben", True),
        ("ben", "ana", False),
        ("cleo", "ben", False),
        ("ana", "cleo", False),
        ("olga", "ben", True),
    ],
)
def test_an_owner_resets_the_second_factor_of_a_member(
    actor: str, target: str, may: bool, people: People, log_in: Any, olga: User
) -> None:
    users = {"ana": people.ana, "ben": people.ben, "cleo": people.cleo, "olga": olga}
    set_up(users[target])
    log_in(users[target])
    member = Member.objects.get(user=users[target])
    browser = log_in(users[actor])
    browser.post(reverse("admin:tenants_member_reset_factor", args=[member.pk]))
    assert second_factor.has_second_factor(users[target]) is not may
    assert LoginSession.objects.filter(user=users[target]).exists() is not may
    assert AuditLog.objects.filter(action="member.second_factor_reset").exists() is may


def test_an_owner_of_one_tenant_cannot_weaken_a_login_that_another_tenant_relies_on(
    people: People, log_in: Any
) -> None:
    Member.objects.create(tenant=people.globex, user=people.ben, role=Member.Role.VIEWER)
    set_up(people.ben)
    member = Member.objects.get(user=people.ben, tenant=people.acme)
    answer = log_in(people.ana).post(reverse("admin:tenants_member_reset_factor", args=[member.pk]))
    assert answer.status_code == 302 and second_factor.has_second_factor(people.ben)


def test_a_command_resets_it_for_a_platform_operator_who_is_locked_out(olga: User) -> None:
    set_up(olga)
    call_command("reset_second_factor", "olga")
    assert not second_factor.has_second_factor(olga)


def test_row_level_security_hides_the_second_factors_of_others(people: People) -> None:
    set_up(people.ana)
    from django.db import transaction

    from tenants.access import act_as, set_scope

    with as_web_role(), transaction.atomic():
        act_as(people.ben.pk)
        set_scope([people.acme.pk])
        assert not Authenticator.objects.exists() and not RecoveryCode.objects.exists()
        assert second_factor.users_with_second_factor() == {people.ana.pk}
        set_scope([people.globex.pk])
        assert second_factor.users_with_second_factor() == frozenset()
