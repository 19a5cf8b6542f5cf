"""The typed addresses that a channel accepts. Runs over the registry."""

from __future__ import annotations

import uuid

import pytest

from notifier.channels import channel, channels
from notifier.errors import InvalidInput
from notifier.vocabulary.people import DeviceAddress, Person

ANN = Person(
    id=uuid.uuid4(), external_id="ann-1", name="Ann", email="ann@example.com", phone="+491701234567", locale="en",
    timezone="", attributes={"chat_id": 4711}, status="active",
    devices=(DeviceAddress(uuid.uuid4(), "fcm", "token-of-ann", ""),),
)  # fmt: skip


@pytest.mark.parametrize("name", sorted(channels()))
def test_a_channel_accepts_the_addresses_that_it_uses(name: str) -> None:
    addresses = channel(name).addresses(ANN)
    assert addresses
    for address in addresses:
        stored = channel(name).check_address(address.value, lambda external_id: external_id == ANN.external_id)
        assert stored == address.value


@pytest.mark.parametrize("name", sorted(channels()))
@pytest.mark.parametrize("address", ["two words of it", "token-of-\u200bann", "tab\tin-the-middle"])
def test_a_channel_refuses_a_malformed_address_and_names_the_field(name: str, address: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        channel(name).check_address(address, lambda external_id: False)
    assert refused.value.field == "address"


def test_an_email_address_has_one_spelling() -> None:
    email = channel("email")
    assert email.check_address("Ann@Example.COM", lambda external_id: False) == "ann@example.com"
    assert email.stored_spelling("Ann@Example.COM") == "ann@example.com"
