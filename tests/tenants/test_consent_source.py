"""Each consent change says who made it, and what changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.db import transaction
from django.test import Client

from notifier.delivery.content.links import preferences_link, unsubscribe_link
from notifier.delivery.ledger.people.dead_addresses import DeadAddress, mark_addresses_dead
from notifier.vocabulary.people import Address
from notifier.vocabulary.status import ConsentSource
from tenants.access import scope
from tenants.imports import import_recipients
from tenants.models import Category, ConsentChange, Device, Preference, Recipient
from tests.fixtures import Api, People, as_web_role

pytestmark = pytest.mark.django_db


@pytest.fixture
def dora(people: People) -> Recipient:
    Category.objects.create(tenant=people.acme, key="news", name="News", kind="marketing")
    return Recipient.objects.create(tenant=people.acme, external_id="dora", email="dora@example.com")


def changes() -> list[tuple[str, str, dict[str, object]]]:
    """What was recorded, as (changed, source, detail)."""
    return list(ConsentChange.objects.order_by("id").values_list("changed", "source", "detail"))


def test_the_api_is_the_source(people: People, dora: Recipient, api: Callable[[str | None], Api]) -> None:
    acme = api(people.acme_key)
    assert acme("PUT", "/v1/recipients/dora/preferences", {"categories": {"news": False}}).status == 200
    assert acme("PUT", "/v1/recipients/dora/preferences", {"quiet_hours": None}).status == 200
    assert changes()[0] == ("preference", "api", {"categories_off": ["news"]})


def test_a_link_and_a_page_are_the_person(people: People, dora: Recipient) -> None:
    link = unsubscribe_link.OptOut(people.acme.pk, dora.pk, "email", "news")
    Client().post(urlsplit(unsubscribe_link.link_to(link)).path)
    page = preferences_link.url_of(preferences_link.new_link(people.acme.pk, dora.pk))
    Client().post(urlsplit(page).path, {"shown": "channel.email"})
    assert changes() == [
        ("preference", "person", {"categories_off": ["news:email"]}),
        ("preference", "person", {"channels_off": ["email"]}),
    ]


def test_a_provider_that_refuses_an_address_is_a_receipt(people: People, dora: Recipient) -> None:
    phone = Device.objects.create(tenant=people.acme, recipient=dora, token="t")
    with transaction.atomic():
        as_of = phone.last_seen_at
        mark_addresses_dead(
            [
                DeadAddress(people.acme.pk, "push", Address("t", "fcm", phone.pk), as_of),
                DeadAddress(people.acme.pk, "email", Address(dora.email), as_of, "bounce"),
            ]
        )
    device = {"device": str(phone.pk), "dead": True, "moved": False}
    assert changes() == [("device", "receipt", device), ("suppression", "receipt", {"cause": "bounce"})]


def test_an_import_is_the_source(people: People, dora: Recipient, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("external_id,email\ndora,other@example.com\n")
    with file.open("rb") as stream:
        import_recipients(people.acme.pk, stream)
    assert changes() == [("recipient", "import", {"email": True, "phone": False})]


@pytest.mark.django_db(transaction=True)
def test_the_source_ends_with_its_transaction(people: People, dora: Recipient) -> None:
    with as_web_role(), scope(people.acme.pk, source=ConsentSource.PERSON):
        Preference.objects.create(tenant=people.acme, recipient=dora, language="de")
    Preference.objects.update(language="en")
    assert changes() == [("preference", "person", {"language": "de"}), ("preference", "system", {"language": "en"})]


def test_a_write_that_changes_nothing_is_no_consent_change(people: People, dora: Recipient) -> None:
    preference = Preference.objects.create(tenant=people.acme, recipient=dora, channels_off=["sms"])
    preference.save()
    assert [detail for _, _, detail in changes()] == [{"channels_off": ["sms"]}]
