"""What an address of a channel looks like when a person types one; runs over the registry."""

from __future__ import annotations

import uuid

import pytest

from notifier.channels import channel, channels
from notifier.errors import InvalidInput
from notifier.vocabulary.people import DeviceAddress, Person

ANN = Person(
    id=uuid.uuid4(), external_id="ann-1", name="Ann", email="ann@example.com", phone="+491701234567", locale="en",
    timezone="", attributes={}, status="active", devices=(DeviceAddress(uuid.uuid4(), "fcm", "token-of-ann", ""),),
)  # fmt: skip


@pytest.mark.parametrize("name", sorted(channels()))
def test_a_channel_takes_the_addresses_that_it_uses(name: str) -> None:
    found = channel(name).addresses(ANN)
    assert found
    for address in found:
        assert channel(name).check_address(address.value, lambda known: known == ANN.external_id) == address.value


@pytest.mark.parametrize("name", sorted(channels()))
@pytest.mark.parametrize("address", ["two words of it", "token-of-\u200bann", "tab\tin-the-middle"])
def test_a_channel_refuses_what_is_no_address_and_names_the_field(name: str, address: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        channel(name).check_address(address, lambda known: False)
    assert refused.value.field == "address"
