"""A form that was sent after the login expired is offered again after the login, and holds no secret."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tenants.models import Recipient
from tests.admin.conftest import Browser, Site, url
from tests.admin.filled_forms import person
from tests.fixtures import as_web_role

pytestmark = pytest.mark.django_db
PASSWORD = "a long password"


def fields(html: str) -> dict[str, str]:
    """The hidden fields of the offered form."""
    form = html[html.index('<form method="post" action') :]
    found = re.findall(r'<textarea name="([^"]+)" hidden>\n(.*?)</textarea>', form, flags=re.S)
    return {unescape(name): unescape(value) for name, value in found}


def expired(page: str, data: Any) -> tuple[Browser, Any]:
    browser = Browser(Client())
    return browser, browser.post(page, data)


def log_in_again(browser: Browser, answer: Any, password: str = PASSWORD) -> Any:
    kept = re.search(r'name="signed_form" value="([^"]+)"', answer.content.decode())
    assert kept is not None
    login = f"{reverse('admin:login')}?next={answer.context['next']}"
    return browser.post(login, {"username": "ben", "password": password, "signed_form": kept[1], "next": "/admin/"})


def test_a_typed_form_is_offered_after_the_login_and_sent_by_its_button(site: Site) -> None:
    page = url(Recipient, "add")
    typed = person(site, name='<b>Zoë</b>\n"two lines"', email="zoe@example.com")
    browser, asked = expired(page, typed)
    assert asked.status_code == 403 and "Nothing was stored yet" in asked.content.decode()
    wrong = log_in_again(browser, asked, "not this one")
    offered = log_in_again(browser, wrong)
    assert offered.status_code == 200 and not Recipient.objects.filter(external_id="new").exists()
    sent = fields(offered.content.decode())
    assert sent == {name: str(value) for name, value in typed.items()}
    assert f'action="{page}"' in offered.content.decode() and "csrfmiddlewaretoken" in offered.content.decode()
    assert browser.post(page, sent).status_code == 302
    assert Recipient.objects.get(external_id="new").name.startswith("<b>Zoë</b>")


def test_secrets_that_were_typed_are_not_written_into_a_page(site: Site) -> None:
    typed = {"name": "firebase", "config_service_account": "PRIVATE", "password1": "PRIVATE"}
    browser, asked = expired("/admin/notifier/provideraccount/add/?provider=fcm", typed)
    offered = log_in_again(browser, asked).content.decode()
    assert "PRIVATE" not in asked.content.decode() + offered
    assert "config_service_account, password1" in offered and fields(offered) == {"name": "firebase"}


def test_nothing_is_offered_that_was_not_kept_by_us(site: Site) -> None:
    browser = Browser(Client())
    for forged in ("x", "eyJwYXRoIjoiLyJ9:1tx:abc", ""):
        posted = {"username": "ben", "password": PASSWORD, "signed_form": forged}
        assert browser.post(f"{reverse('admin:login')}?next=/admin/", posted).status_code == 302
        with as_web_role():
            browser.client.logout()


def test_logging_out_twice_asks_for_nothing(site: Site) -> None:
    assert expired(reverse("admin:logout"), {})[1].status_code in (200, 302)
