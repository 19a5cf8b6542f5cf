"""A new tenant has what it needs, and its secrets are shown once."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from notifier.errors import Conflict, InvalidInput
from tenants.bootstrap import create_tenant
from tenants.models import ApiKey, Category, Member, User
from tests.fixtures import People

pytestmark = pytest.mark.django_db


def test_a_tenant_gets_categories_an_owner_and_two_keys() -> None:
    created = create_tenant("Initech", "initech", "peter")
    assert set(Category.objects.values_list("key", "kind")) == {
        ("order-updates", "transactional"),
        ("promotions", "marketing"),
        ("security", "critical"),
    }
    assert created.user.check_password(created.password) and created.user.is_staff and not created.user.is_superuser
    assert Member.objects.get(user=created.user).role == "owner"
    digests = {bytes(k.digest) for k in ApiKey.objects.all()}
    assert digests == {hashlib.sha256(key.encode()).digest() for key in (created.live_key, created.test_key)}
    assert created.live_key.startswith("nk_live_") and created.test_key.startswith("nk_test_")


def test_asking_again_makes_nothing_twice_and_shows_nothing_again() -> None:
    create_tenant("Initech", "initech", "peter")
    again = create_tenant("Initech", "initech", "peter")
    assert (again.password, again.live_key, again.test_key) == ("", "", "")
    assert (ApiKey.objects.count(), User.objects.count(), Category.objects.count()) == (2, 1, 3)


def test_a_user_of_another_tenant_with_the_name_does_not_become_owner(people: People) -> None:
    with pytest.raises(Conflict):
        create_tenant("Initech", "initech", "ana")


@pytest.mark.parametrize(("name", "slug"), [("", "ok"), ("Ok", ""), ("Ok", "not ok"), ("Ok", "ü"), ("Ok", "x" * 65)])
def test_a_name_or_slug_that_cannot_be_is_refused(name: str, slug: str) -> None:
    with pytest.raises(InvalidInput):
        create_tenant(name, slug)


def test_secrets_are_not_in_the_repr() -> None:
    created = create_tenant("Initech", "initech")
    assert created.password not in repr(created) and created.live_key not in repr(created)


def test_the_command_prints_the_secrets(capsys: Any) -> None:
    call_command("create_tenant", "--name", "Initech", "--slug", "initech")
    assert "nk_live_" in capsys.readouterr().out
    call_command("create_tenant", "--name", "Initech", "--slug", "initech")
    assert "cannot be shown again" in capsys.readouterr().out
    with pytest.raises(CommandError):
        call_command("create_tenant", "--name", "Initech", "--slug", "not a slug")
