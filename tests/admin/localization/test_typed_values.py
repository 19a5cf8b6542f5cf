"""Locales, time zones and suppressed addresses as people type them in the admin."""

from __future__ import annotations

from html import unescape
from typing import Any

import pytest

from notifier.models import Template
from tenants.models import Preference, Recipient, Suppression, Tenant
from tests.admin.conftest import Site, url
from tests.admin.filled_forms import LogIn, errors, person, template

pytestmark = pytest.mark.django_db
TEXT = {"title": "Hi", "body": "x"}


def settings_of(tenant: Tenant, **values: Any) -> dict[str, Any]:
    texts = {"default_locale": "en", "timezone": "UTC", "link_schemes": "", "sms_segments": "6", "tracking": "off"}
    return {"name": tenant.name, **texts, **values}


@pytest.mark.parametrize(
    ("field", "written", "stored"),
    [
        ("default_locale", "pt_BR", "pt-BR"),
        ("default_locale", "DE", "de"),
        ("timezone", "europe/vienna", "Europe/Vienna"),
    ],
)
def test_a_tenants_locale_and_zone_are_stored_in_canonical_case(
    site: Site, log_in: LogIn, field: str, written: str, stored: str
) -> None:
    acme = site.people.acme
    answer = log_in(site.people.ana).post(url(Tenant, "change", acme.pk), settings_of(acme, **{field: written}))
    assert answer.status_code == 302, errors(answer)
    assert getattr(Tenant.objects.get(pk=acme.pk), field) == stored


@pytest.mark.parametrize(
    ("field", "written"),
    [
        ("default_locale", "klingon"),
        ("default_locale", ""),
        ("default_locale", "de at"),
        ("timezone", "localtime"),
        ("timezone", "Factory"),
        ("timezone", "Mars/Base"),
    ],
)
def test_a_tenants_bad_locale_or_zone_is_reported_at_its_field(
    site: Site, log_in: LogIn, field: str, written: str
) -> None:
    acme = site.people.acme
    answer = log_in(site.people.ana).post(url(Tenant, "change", acme.pk), settings_of(acme, **{field: written}))
    assert list(errors(answer)) == [field]
    assert Tenant.objects.get(pk=acme.pk).default_locale == "en"


@pytest.mark.parametrize(
    ("field", "written"),
    [("locale", "klingon"), ("locale", "de at"), ("timezone", "localtime"), ("timezone", "Factory")],
)
def test_a_recipients_bad_locale_or_zone_is_reported_at_its_field(
    site: Site, log_in: LogIn, field: str, written: str
) -> None:
    answer = log_in(site.people.ben).post(url(Recipient, "add"), person(site, **{field: written}))
    assert list(errors(answer)) == [field]
    assert not Recipient.objects.filter(external_id="new").exists()


def test_a_templates_locales_are_stored_in_canonical_case_and_found_by_the_tenants_default(
    site: Site, log_in: LogIn
) -> None:
    acme, browser = site.people.acme, log_in(site.people.ana)
    browser.post(url(Tenant, "change", acme.pk), settings_of(acme, default_locale="pt_BR"))
    for key, written in (("a", "pt_BR"), ("b", "pt-br")):
        answer = browser.post(url(Template, "add"), template(site, {"in_app": {written: TEXT}}, key))
        assert answer.status_code == 302, errors(answer)
        assert Template.objects.get(key=key).versions.get().content == {"in_app": {"pt-BR": TEXT}}
    page = url(Template, "change", Template.objects.get(key="a").pk)
    browser.post(page, template(site, {"in_app": {"PT-br": TEXT}}, "a"))
    assert Template.objects.get(key="a").versions.count() == 1


@pytest.mark.parametrize("more", ["klingon", "", "de at", "EN"])
def test_a_templates_bad_or_repeated_locale_is_reported(site: Site, log_in: LogIn, more: str) -> None:
    content = {"in_app": {"en": TEXT, more: TEXT}}
    answer = log_in(site.people.ben).post(url(Template, "add"), template(site, content, "new"))
    assert f"content.in_app.{more}: " in str(errors(answer)["content"])
    assert not Template.objects.filter(key="new").exists()


@pytest.mark.parametrize(
    ("field", "written", "message"),
    [
        ("categories_off", "zebra-nwes", "no category 'zebra-nwes'"),
        ("categories_off", "quokka-news", "no category 'quokka-news'"),
        ("categories_off", "zebra-news:pigeon", "no channel 'pigeon'"),
        ("language", "klingon", "is no locale"),
    ],
)
def test_a_bad_choice_of_a_recipient_is_reported_at_its_field(
    site: Site, log_in: LogIn, field: str, written: str, message: str
) -> None:
    new = Recipient.objects.create(tenant=site.people.acme, external_id="chooses")
    asked = {"tenant": str(site.people.acme.pk), "recipient": str(new.pk), field: written}
    assert message in unescape(str(errors(log_in(site.people.ben).post(url(Preference, "add"), asked))[field]))
    assert not Preference.objects.filter(recipient=new).exists()


def test_a_no_to_a_category_that_was_deleted_stays_when_others_are_edited(site: Site, log_in: LogIn) -> None:
    new = Recipient.objects.create(tenant=site.people.acme, external_id="chooses")
    stored = Preference.objects.create(tenant=site.people.acme, recipient=new, categories_off=["gone"])
    answer = log_in(site.people.ben).post(
        url(Preference, "change", stored.pk), {"categories_off": "gone,zebra-news:push", "language": "pt_BR"}
    )
    assert answer.status_code == 302, errors(answer)
    stored.refresh_from_db()
    assert (stored.categories_off, stored.language) == (["gone", "zebra-news:push"], "pt-BR")


# -- suppressions ------------------------------------------------------------------------------------------------------


def suppress(site: Site, log_in: LogIn, channel: str, address: str) -> Any:
    asked = {"tenant": str(site.people.acme.pk), "channel": channel, "address": address, "cause": "manual"}
    return log_in(site.people.ben).post(url(Suppression, "add"), asked)


@pytest.mark.parametrize(
    ("channel", "address", "remedy"),
    [
        ("in_app", "ann@example.com", "external id of a recipient"),
        ("in_app", "nobody-of-this-id", "external id of a recipient"),
        ("in_app", "quokka-1", "external id of a recipient"),
        ("push", "ann@example.com", "token"),
        ("push", "+491701234567", "token"),
        ("push", "zebra-1", "token"),
        ("push", "with blanks in it", "token"),
    ],
)
def test_an_address_of_another_kind_than_its_channels_is_refused_with_the_remedy(
    site: Site, log_in: LogIn, channel: str, address: str, remedy: str
) -> None:
    before = Suppression.objects.count()
    assert remedy in str(errors(suppress(site, log_in, channel, address))["address"])
    assert Suppression.objects.count() == before


def test_an_id_that_looks_like_an_email_address_is_suppressed_when_it_is_a_recipients(
    site: Site, log_in: LogIn
) -> None:
    Recipient.objects.create(tenant=site.people.acme, external_id="ann@example.com")
    assert suppress(site, log_in, "in_app", "ann@example.com\u200b").status_code == 302
    assert Suppression.objects.filter(channel="in_app", address="ann@example.com").exists()


def test_a_token_is_suppressed(site: Site, log_in: LogIn) -> None:
    assert suppress(site, log_in, "push", "dX:APA91b-token_of-a-phone").status_code == 302
    assert Suppression.objects.filter(channel="push", address="dX:APA91b-token_of-a-phone").exists()


def test_an_email_address_is_suppressed_and_found_in_any_spelling(site: Site, log_in: LogIn) -> None:
    assert suppress(site, log_in, "email", "Ann@Example.com").status_code == 302
    row = Suppression.objects.get(channel="email", address="ann@example.com")
    found = log_in(site.people.ben).get(url(Suppression, "changelist"), {"q": "ANN@example.com"})
    assert str(row.pk) in found.content.decode()
