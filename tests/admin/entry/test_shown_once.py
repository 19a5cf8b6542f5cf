"""Secrets are shown once, by a page that may be reloaded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tenants.models import ApiKey, Member, User
from tests.admin.conftest import Browser, Site, url

pytestmark = pytest.mark.django_db
LogIn = Callable[[User], Browser]


def made(site: Site, browser: Browser, model: Any) -> tuple[Any, str]:
    tenant = str(site.people.acme.pk)
    asked = {
        ApiKey: {"tenant": tenant, "name": "shop", "mode": "live", "scopes": ["send"]},
        Member: {"tenant": tenant, "username": "dan", "email": "", "role": "viewer"},
    }[model]
    answer = browser.post(url(model, "add"), asked)
    assert answer.status_code == 302
    return browser.get(answer.url), answer.url


@pytest.mark.parametrize(("model", "name"), [(ApiKey, "key"), (Member, "password")])
def test_reloading_the_page_of_a_secret_makes_no_second_and_shows_it_no_more(
    model: Any, name: str, site: Site, log_in: LogIn
) -> None:
    browser, before = log_in(site.people.ana), model.objects.count()
    shown, page = made(site, browser, model)
    secret = shown.context["values"][name]
    assert secret in shown.content.decode() and "no-store" in shown["Cache-Control"]
    assert secret not in str(dict(browser.client.session.items()))
    for _ in range(2):
        again = browser.get(page)
        assert again.status_code == 200 and secret not in again.content.decode()
    assert model.objects.count() == before + 1


def test_a_secret_waits_encrypted_and_for_its_user_only(site: Site, log_in: LogIn) -> None:
    browser = log_in(site.people.ana)
    asked = {"tenant": str(site.people.acme.pk), "name": "shop", "mode": "live", "scopes": ["send"]}
    page = browser.post(url(ApiKey, "add"), asked).url
    assert "nk_live" not in str(dict(browser.client.session.items()))
    assert "nk_live" not in log_in(site.people.ben).get(page).content.decode()
    assert "nk_live" in browser.get(page).content.decode()
