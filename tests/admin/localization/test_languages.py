"""The admin in English, German and Spanish; the API in English."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from notifier.models import Template
from tenants.models import User
from tests.admin.conftest import Browser, Site
from tests.admin.test_home import campaign_of
from tests.catalogs import LANGUAGES, Entry, read_compiled, read_source
from tests.fixtures import Api, People

LogIn = Callable[[User], Browser]
PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[sd%]|\{\w*\}")
TAG = re.compile(r"</?\w+>")
#: texts of every page: the menu's name and two of its entries; and one of a campaign's page
PAGES = {
    "de": ("Hauptmenü", "Vorlagen", "Kampagnen", "Zielgruppe"),
    "es": ("Menú principal", "Plantillas", "Campañas", "Audiencia"),
}


def placeholders(text: str) -> Counter[str]:
    return Counter(PLACEHOLDER.findall(text) + TAG.findall(text))


def differs(entry: Entry) -> bool:
    """Whether a translation has other placeholders or tags than its text. The form for one may leave its number out."""
    if "msgid_plural" not in entry.fields:
        return placeholders(entry.fields["msgstr"]) != placeholders(entry.msgid)
    one, *more = entry.translations
    plural = placeholders(entry.fields["msgid_plural"])
    return not placeholders(one) <= plural or any(placeholders(text) != plural for text in more)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated_with_its_placeholders(language: str) -> None:
    entries = read_source(language)
    assert len(entries) > 1000
    assert [entry.msgid for entry in entries if entry.fuzzy or not all(entry.translations)] == []
    assert [entry.msgid for entry in entries if differs(entry)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_compiled_catalog_is_that_of_the_source(language: str) -> None:
    compiled: dict[str | tuple[str, int], str] = {}
    for entry in read_source(language):
        compiled |= entry.compiled()
    assert read_compiled(language) == compiled, "run `make messages`"


def test_all_languages_have_the_same_texts() -> None:
    german, spanish = ({(e.fields.get("msgctxt"), e.msgid) for e in read_source(language)} for language in LANGUAGES)
    assert german == spanish


@pytest.mark.django_db
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_pages_speak_the_language_of_the_cookie(site: Site, log_in: LogIn, language: str) -> None:
    browser = log_in(site.people.ana)
    browser.client.cookies[settings.LANGUAGE_COOKIE_NAME] = language
    campaign, template = campaign_of(site.acme_rows), site.acme_rows[Template]
    pages = [
        reverse("admin:index"),
        reverse("admin:campaigns_campaign_changelist"),
        reverse("admin:campaigns_campaign_change", args=[campaign.pk]),
        reverse("admin:notifier_template_change", args=[template.pk]),
    ]
    for page in pages:
        answer = browser.get(page)
        html = answer.content.decode()
        assert answer.status_code == 200 and re.search(rf'<html[^>]* lang="{language}"', html), page
        assert [text for text in PAGES[language][:3] if text not in html] == [], page
        assert "Main menu" not in html and "Log out" not in html, page
    assert PAGES[language][3] in browser.get(pages[2]).content.decode()


@pytest.mark.django_db
def test_the_menu_switches_the_language_by_a_post(site: Site, log_in: LogIn) -> None:
    browser, home = log_in(site.people.ana), reverse("admin:index")
    assert 'lang="en"' in browser.get(home).content.decode()
    answer = browser.post(reverse("set_language"), {"language": "de", "next": home})
    assert answer.status_code == 302 and answer.headers["Location"] == home
    assert "Hauptmenü" in browser.get(home).content.decode()


@pytest.mark.django_db
def test_the_first_page_takes_the_language_of_the_browser(client: Client) -> None:
    html = client.get(reverse("admin:login"), headers={"accept-language": "es-MX,es;q=0.9"}).content.decode()
    assert 'lang="es"' in html and "Iniciar sesión" in html


@pytest.mark.django_db
def test_the_errors_of_the_api_are_english_after_a_page_in_another_language(
    client: Client, people: People, api: Callable[[str | None], Api]
) -> None:
    client.get("/admin/login/", headers={"accept-language": "es"})
    server = api(people.acme_key)
    assert server("PUT", "/v1/recipients/ada", {}).status == 201
    answer = server("POST", "/v1/recipients/ada/devices", {"platform": "webpush", "token": "x" * 10_000})
    assert (answer.status, answer.body["field"]) == (400, "token")
    assert "4096 characters" in answer.body["detail"]


def test_the_errors_of_the_api_are_english_for_every_client(client: Client) -> None:
    english, german = (
        client.post("/v1/notifications", {}, headers={"accept-language": language}) for language in ("en", "de-DE")
    )
    assert english.status_code == german.status_code == 401
    errors = [{**answer.json(), "request_id": ""} for answer in (english, german)]
    assert errors[0] == errors[1]
