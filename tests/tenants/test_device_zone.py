"""The zone of a recipient is that of the phone that was seen last."""

from __future__ import annotations

import pytest

from notifier.delivery.planning import recipients
from tenants.models import ConsentChange, Device, Recipient
from tenants.people import devices
from tests.fixtures import People

pytestmark = pytest.mark.django_db


@pytest.fixture
def ana(people: People) -> Recipient:
    return Recipient.objects.create(tenant=people.acme, external_id="ana", timezone="Europe/Vienna")


def zone_of(recipient: Recipient) -> str:
    recipient.refresh_from_db()
    loaded = recipients.load_by_ids(recipient.tenant_id, [recipient.pk])[recipient.pk].timezone
    assert loaded == (recipient.device_timezone or recipient.timezone)
    return loaded


def test_the_phone_that_was_seen_last_counts_before_the_recipients_own_zone(ana: Recipient) -> None:
    assert zone_of(ana) == "Europe/Vienna"
    first, _ = devices.register(ana, "fcm", "phone-one", timezone="America/Lima")
    assert zone_of(ana) == "America/Lima"
    second, _ = devices.register(ana, "fcm", "phone-two", timezone="Asia/Tokyo")
    assert zone_of(ana) == "Asia/Tokyo"
    devices.register(ana, "fcm", "phone-one")
    assert zone_of(ana) == "America/Lima"
    Device.objects.get(pk=first).delete()
    assert zone_of(ana) == "Asia/Tokyo"
    Device.objects.get(pk=second).delete()
    assert zone_of(ana) == "Europe/Vienna"


def test_a_phone_without_a_zone_changes_nothing(ana: Recipient) -> None:
    devices.register(ana, "fcm", "phone-one", timezone="America/Lima")
    devices.register(ana, "fcm", "phone-two")
    assert zone_of(ana) == "America/Lima"


def test_a_phone_that_moves_to_another_recipient_takes_its_zone_along(ana: Recipient, people: People) -> None:
    ben = Recipient.objects.create(tenant=people.acme, external_id="ben")
    devices.register(ana, "fcm", "phone-one", timezone="America/Lima")
    devices.register(ben, "fcm", "phone-one")
    assert (zone_of(ana), zone_of(ben)) == ("Europe/Vienna", "America/Lima")


def test_a_change_of_the_phones_zone_is_a_consent_change(ana: Recipient) -> None:
    devices.register(ana, "fcm", "phone-one", timezone="America/Lima")
    before = ConsentChange.objects.filter(recipient_id=ana.pk, changed="recipient").count()
    devices.register(ana, "fcm", "phone-one", timezone="America/Lima")
    assert ConsentChange.objects.filter(recipient_id=ana.pk, changed="recipient").count() == before
    devices.register(ana, "fcm", "phone-one", timezone="Asia/Tokyo")
    assert ConsentChange.objects.filter(recipient_id=ana.pk, changed="recipient").count() == before + 1


def test_the_deletion_of_a_recipient_with_phones_works(ana: Recipient) -> None:
    devices.register(ana, "fcm", "phone-one", timezone="America/Lima")
    devices.register(ana, "fcm", "phone-two", timezone="Asia/Tokyo")
    ana.delete()
    assert not Device.objects.filter(token__in=["phone-one", "phone-two"]).exists()
