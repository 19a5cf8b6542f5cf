"""Guessing passwords at the login form: what is counted, who must wait, and who can still get in."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

from tenants.login import lockout
from tenants.login.lockout import COOKIE, LIMIT_EVERYWHERE, LIMIT_HERE, WINDOW
from tests.fixtures import People, as_web_role

pytestmark = pytest.mark.django_db
LOGIN, HOME = "/admin/login/", "/admin/"
RIGHT, WRONG = "a long password", "not the password"


def attempt(name: str, password: str = WRONG, address: str = "192.0.2.1", client: Client | None = None) -> Any:
    with as_web_role():
        form = {"username": name, "password": password}
        return (client or Client()).post(LOGIN, form, REMOTE_ADDR=address, HTTP_X_FORWARDED_FOR="198.51.100.9")


def fail(name: str, times: int, address: str = "192.0.2.1", client: Client | None = None) -> list[int]:
    return [attempt(name, WRONG, address, client).status_code for _ in range(times)]


def attempts_from_everywhere(name: str) -> None:
    """So many that the name is locked everywhere, and nowhere for its address alone."""
    for number in range(LIMIT_EVERYWHERE):
        fail(name, 1, f"203.0.113.{number % 50}")


def later(by: timedelta) -> None:
    moved: dict[str, Any] = {"by": by}
    with connection.cursor() as cursor:
        cursor.execute("UPDATE axes_accessattempt SET attempt_time = attempt_time - %(by)s", moved)


def rows() -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM axes_accessattempt")
        return list(cursor.fetchall())


def test_after_the_limit_of_failures_the_right_password_must_wait_too(people: People) -> None:
    assert fail("ana", LIMIT_HERE) == [200] * LIMIT_HERE
    answer = attempt("ana", RIGHT)
    assert answer.status_code == 429
    assert 0 < int(answer["Retry-After"]) <= WINDOW.total_seconds()
    assert "Try again in 15 minutes" in answer.content.decode()
    assert attempt("ana", RIGHT, "192.0.2.2").status_code == 302, "another address"
    assert attempt("ben", RIGHT).status_code == 302, "another name"


def test_a_lock_ends_by_itself_and_attempts_do_not_make_it_longer(people: People) -> None:
    fail("ana", LIMIT_HERE)
    later(WINDOW / 2)
    assert fail("ana", 3) == [429] * 3
    assert int(attempt("ana")["Retry-After"]) <= WINDOW.total_seconds() / 2
    later(WINDOW / 2)
    assert attempt("ana", RIGHT).status_code == 302


def test_failures_of_long_ago_do_not_count(people: People) -> None:
    fail("ana", LIMIT_HERE - 1)
    later(WINDOW)
    assert fail("ana", LIMIT_HERE) == [200] * LIMIT_HERE
    assert attempt("ana").status_code == 429


def test_a_login_forgets_the_failures_before_it(people: People) -> None:
    fail("ana", LIMIT_HERE - 1)
    assert attempt("ana", RIGHT).status_code == 302
    assert fail("ana", LIMIT_HERE - 1) == [200] * (LIMIT_HERE - 1)


def test_one_name_from_many_addresses_is_locked_everywhere(people: People) -> None:
    attempts_from_everywhere("ana")
    assert attempt("ana", RIGHT, "192.0.2.77").status_code == 429


def test_a_browser_that_is_known_gets_in_although_the_name_is_locked_everywhere(people: People) -> None:
    known = Client()
    assert attempt("ana", RIGHT, client=known).status_code == 302
    attempts_from_everywhere("ana")
    fail("ana", LIMIT_HERE)
    assert attempt("ana", RIGHT).status_code == 429, "the same address, not the same browser"
    assert attempt("ana", RIGHT, client=known).status_code == 302
    assert known.get(HOME).status_code == 200


def test_a_known_browser_has_a_limit_of_its_own_from_any_address(people: People) -> None:
    known = Client()
    attempt("ana", RIGHT, client=known)
    for number in range(LIMIT_HERE):
        assert attempt("ana", WRONG, f"203.0.113.{number}", known).status_code == 200
    assert attempt("ana", RIGHT, "203.0.113.200", known).status_code == 429


@pytest.mark.parametrize("cookie", ["", "forged", "a:b:c"])
def test_a_cookie_that_is_forged_or_of_another_user_makes_no_browser_known(cookie: str, people: People) -> None:
    client = Client()
    attempt("ben", RIGHT, client=client)
    if cookie:
        client.cookies[COOKIE] = cookie
    attempts_from_everywhere("ana")
    assert attempt("ana", RIGHT, "192.0.2.77", client).status_code == 429


def test_an_unknown_name_gets_the_same_response(people: People) -> None:
    def said(name: str) -> list[tuple[int, str]]:
        answers = [attempt(name) for _ in range(LIMIT_HERE + 1)]
        return [(a.status_code, a.content.decode().replace(name, "NAME").partition("csrf")[0]) for a in answers]

    assert said("ana") == said("nobody-has-this")


@pytest.mark.parametrize("name", ["", "x" * 5000, "Ω" * 300, "nul\0", "\ud800", "' OR 1=1 --"])
def test_odd_names_are_no_error(name: str, people: People) -> None:
    assert {attempt(name.encode(errors="replace").decode()).status_code for _ in range(3)} <= {200, 400}


def test_ipv6_is_counted_by_its_network(people: People) -> None:
    for number in range(LIMIT_HERE):
        fail("ana", 1, f"2001:db8::{number:x}")
    assert attempt("ana", RIGHT, "2001:db8::ffff").status_code == 429
    assert attempt("ana", RIGHT, "2001:db8:0:1::1").status_code == 302
    assert attempt("ben", WRONG, "").status_code == 200


def test_an_address_that_the_client_claims_is_not_believed(people: People) -> None:
    for number in range(LIMIT_HERE):
        Client().post(LOGIN, {"username": "ana", "password": WRONG}, HTTP_X_FORWARDED_FOR=f"192.0.2.{number}")
    answer = Client().post(LOGIN, {"username": "ana", "password": RIGHT}, HTTP_X_FORWARDED_FOR="192.0.2.99")
    assert answer.status_code == 429


def test_nothing_that_was_typed_is_stored_or_logged(people: People, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        fail("my-password-by-mistake", LIMIT_HERE + 1)
    for typed in ("my-password-by-mistake", WRONG):
        assert typed not in str(rows()) and typed not in caplog.text
    assert "login refused" in caplog.text and len(rows()) == 1


@pytest.mark.parametrize("command", [("axes_reset",), ("axes_reset_username", "ana"), ("axes_reset_ip", "192.0.2.1")])
def test_an_operator_unlocks_by_a_command(command: tuple[str, ...], people: People) -> None:
    fail("ana", LIMIT_HERE)
    call_command(*command)
    assert attempt("ana", RIGHT).status_code == 302


def test_what_no_longer_counts_is_removed(people: People) -> None:
    fail("ana", 1)
    later(WINDOW)
    fail("ben", 1)
    assert lockout.delete_expired() == 1 and len(rows()) == 1


def test_the_cookie_is_out_of_reach_of_scripts(people: People, settings: Any) -> None:
    cookie = attempt("ana", RIGHT).cookies[COOKIE]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/admin/")
    assert "ana" not in cookie.value


def test_the_login_page_leads_nowhere_else(people: People) -> None:
    for wanted in ("https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil.example"):
        form = {"username": "ana", "password": RIGHT, "next": wanted}
        answer = Client().post(f"{LOGIN}?next={wanted}", form)
        assert (answer.status_code, answer["Location"]) == (302, reverse("admin:index")), wanted


def test_a_login_needs_the_token_of_its_form_and_gets_a_session_of_its_own(people: People) -> None:
    form = {"username": "ana", "password": RIGHT}
    assert Client(enforce_csrf_checks=True).post(LOGIN, form).status_code == 403
    client = Client()
    client.cookies["sessionid"] = "planted"
    cookie = client.post(LOGIN, form).cookies["sessionid"]
    assert cookie.value != "planted"
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
