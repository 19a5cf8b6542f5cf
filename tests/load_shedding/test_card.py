"""The card of load shedding on the home page, and the operator's switch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse

from notifier.vocabulary.load import Level, Switch
from tenants.load_shedding import read_state
from tenants.load_shedding.switch import set_switch
from tenants.models import AuditLog, User
from tests.admin.conftest import Browser, log_in
from tests.fixtures import People

pytestmark = pytest.mark.django_db
LogIn = Callable[[User], Browser]
__all__ = ["log_in"]


@pytest.fixture
def operator(people: People) -> User:
    User.objects.filter(pk=people.cleo.pk).update(is_superuser=True)
    people.cleo.refresh_from_db()
    return people.cleo


def home(browser: Browser) -> str:
    return str(browser.get(reverse("admin:index")).content.decode())


def press(browser: Browser, **fields: str) -> Any:
    return browser.post(reverse("admin:load_shedding"), fields)


def test_an_operator_switches_load_shedding_on_and_off(operator: User, log_in: LogIn) -> None:
    browser = log_in(operator)
    assert "Never shed load" in home(browser) and "Load is shed" not in home(browser)
    assert press(browser, switch="on", **{"for": "15m"}).status_code == 302
    state = read_state()
    assert (state.level, state.switched_by) == (Level.SHEDDING, "cleo")
    assert "switched on by cleo" in home(browser)
    press(browser, switch="auto")
    assert read_state().level is Level.NORMAL
    actions = AuditLog.objects.filter(tenant__slug="acme", user=operator).order_by("id").values_list("action", "detail")
    assert list(actions) == [("load_shedding.on", {"for": "15m"}), ("load_shedding.auto", {})]


def test_a_member_sees_that_work_waits_and_may_not_switch(people: People, log_in: LogIn) -> None:
    browser = log_in(people.ana)
    assert 'id="load"' not in home(browser)
    set_switch(Switch.ON)
    html = home(browser)
    assert "Load is shed" in html and reverse("admin:load_shedding") not in html and "switched on by" not in html
    assert press(browser, switch="off").status_code == 403
    assert read_state().level is Level.SHEDDING


@pytest.mark.parametrize("fields", [{}, {"switch": "sometimes"}, {"switch": "on"}, {"switch": "on", "for": "9d"}])
def test_a_wrong_switch_changes_nothing(operator: User, log_in: LogIn, fields: dict[str, str]) -> None:
    browser = log_in(operator)
    assert press(browser, **fields).status_code == 302
    assert "Choose o" in home(browser) and read_state().switch is Switch.AUTO
    assert browser.get(reverse("admin:load_shedding")).status_code == 405
