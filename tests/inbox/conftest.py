"""Messages and readers for the tests of the inbox."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from django.test import override_settings

from inbox.provider import InApp
from inbox.store import announcements
from notifier.channels.base import Envelope
from notifier.channels.in_app import InAppMessage
from notifier.providers.base import Config
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.people import Address
from notifier.vocabulary.verdicts import Verdict
from tenants.models import Recipient
from tests.fixtures import People


def message(to: Recipient, title: str = "Hello", **content: str) -> InAppMessage:
    """A message to a recipient, with a new delivery id."""
    delivery_id = new_id()
    address = Address(to.external_id)
    category = content.pop("category", "news")
    envelope = Envelope(delivery_id, to.tenant_id, to.pk, address, str(delivery_id), category=category)
    return InAppMessage(envelope, title=title, body=content.pop("body", "World"), **content)  # type: ignore[arg-type]


def send(*messages: InAppMessage) -> Sequence[Verdict]:
    """Send through the provider. Returns the verdicts in the order of the messages."""
    answers = [answer for batch in InApp(Config()).send(messages, None) for answer in batch]  # type: ignore[arg-type]
    return [verdict for _, verdict in sorted(answers, key=lambda answer: answer[0])]


@contextmanager
def announced_through(port: int) -> Iterator[None]:
    """Messages stored by the test process are announced through the Redis at this port."""
    with override_settings(REDIS_URL=f"redis://127.0.0.1:{port}/0"):
        announcements.reset()
        yield
    announcements.reset()


@pytest.fixture
def dora(people: People) -> Recipient:
    return Recipient.objects.create(tenant=people.acme, external_id="dora", name="Dora")


@pytest.fixture
def emil(people: People) -> Recipient:
    return Recipient.objects.create(tenant=people.acme, external_id="emil", name="Emil")


@pytest.fixture
def zoe(people: People) -> Recipient:
    """A recipient of the other tenant."""
    return Recipient.objects.create(tenant=people.globex, external_id="zoe", name="Zoe")
