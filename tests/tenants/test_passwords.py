"""Passwords that are refused wherever a person chooses one."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from django.contrib.auth.management.commands import changepassword
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.test import Client

from tenants.bootstrap import create_user
from tenants.models import User
from tests.fixtures import People

WEAK = [
    "aaaaaaaaaaaa", "123456789012", "987654321098", "abcdefghijkl", "qwertzuiopasdf", "QWERTYUIOPas", "abababababab",
    "abcabcabcabcabc", "correcthorse1correcthorse1", "111222333444555", "ana@example.com", "short", "passwordpassword",
]  # fmt: skip
GOOD = ["a long password", "correct horse battery", "Xk2-pQ7z!mTr4", "what-the-operator-chose-99"]


@pytest.mark.parametrize("password", WEAK)
def test_a_weak_password_is_refused(password: str) -> None:
    with pytest.raises(ValidationError):
        validate_password(password, User(username="ana", email="ana@example.com"))


@pytest.mark.parametrize("password", GOOD)
def test_a_good_password_is_taken(password: str) -> None:
    validate_password(password, User(username="ana", email="ana@example.com"))


def test_generated_passwords_are_accepted() -> None:
    for _ in range(200):
        validate_password(secrets.token_urlsafe(15), User(username="ana", email="ana@example.com"))


@pytest.mark.django_db
@pytest.mark.parametrize("password", ["aaaaaaaaaaaa", "123456789012"])
def test_the_page_where_one_changes_it_says_why(password: str, people: People) -> None:
    client = Client()
    client.force_login(people.ana)
    passwords = {"old_password": "a long password", "new_password1": password, "new_password2": password}
    answer = client.post("/admin/password_change/", passwords)
    assert answer.status_code == 200
    assert any("sequence" in said for said in answer.context["form"].errors["new_password2"])
    people.ana.refresh_from_db()
    assert people.ana.check_password("a long password")


@pytest.mark.django_db
def test_an_operator_cannot_give_a_user_a_weak_password(people: People) -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("olga", "", "a long password"))
    weak = {"password1": "123456789012", "password2": "123456789012", "usable_password": "true"}
    assert client.post("/admin/tenants/user/add/", {"username": "weak", **weak}).status_code == 200
    assert not User.objects.filter(username="weak").exists()
    assert client.post(f"/admin/tenants/user/{people.ana.pk}/password/", weak).status_code == 200
    people.ana.refresh_from_db()
    assert people.ana.check_password("a long password")


@pytest.mark.django_db
def test_the_command_refuses_it(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    def type_it(*_: Any, **__: Any) -> str:
        return "aaaaaaaaaaaa"

    monkeypatch.setattr(changepassword.getpass, "getpass", type_it)  # type: ignore[attr-defined]
    with pytest.raises(CommandError, match="Aborting password change"):
        call_command("changepassword", "ana")
    people.ana.refresh_from_db()
    assert people.ana.check_password("a long password")


@pytest.mark.django_db
def test_a_generated_password_is_valid_and_logs_the_user_in() -> None:
    user, password = create_user("newcomer")
    validate_password(password, user)
    assert user.check_password(password) and user.is_staff and user.is_active
