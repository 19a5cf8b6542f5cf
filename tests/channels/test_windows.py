"""How many messages of a channel may be in flight at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from notifier.channels import channel
from notifier.channels.base import Channel, Envelope, Message
from notifier.vocabulary.people import Address, Person


class Chat(Channel):
    name = ""  # no name: the registry does not learn of this channel
    parts = {"text": True}
    window = 20

    def addresses(self, person: Person) -> tuple[Address, ...]:
        return ()

    def message(self, envelope: Envelope, content: Mapping[str, Any]) -> Message:
        return Message(envelope)


class Careful(Chat):
    name = ""
    repeat_when_in_doubt = False


@pytest.mark.parametrize(("streams", "in_flight"), [(1_600, 20), (20, 20), (7, 7)])
def test_a_campaign_on_a_channel_where_a_repeat_hurts_keeps_within_its_window(streams: int, in_flight: int) -> None:
    assert Careful().in_flight(streams) == in_flight


@pytest.mark.parametrize("streams", [1_600, 7])
def test_a_campaign_on_a_channel_that_hides_repeats_uses_every_stream(streams: int) -> None:
    assert Chat().in_flight(streams) == streams
    assert {channel(name).in_flight(streams) for name in ("push", "in_app")} == {streams}
