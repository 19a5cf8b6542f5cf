"""Hits that wait in memory until they are stored with one statement."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext, override_settings

from notifier.delivery.engagement.hits import MOST_WAITING, Arrived, Hit, HitBuffer, unpack
from notifier.models import EngagementBatch
from tests.fixtures import People
from tests.flows.wait import until

HIT = Hit("opened", 1.0, delivery="0" * 32)


@pytest.fixture(autouse=True)
def written_later() -> Iterator[None]:
    with override_settings(ENGAGEMENT_WRITE_SECONDS=3_600):
        yield


@pytest.mark.django_db
def test_a_flood_is_stored_with_one_statement(people: People) -> None:
    buffer = HitBuffer()
    for number in range(3_000):
        tenant = people.acme if number % 3 else people.globex
        buffer.add(Arrived(tenant.pk, "email", HIT))
    assert not EngagementBatch.objects.exists()
    with CaptureQueriesContext(connection) as queries:
        buffer.flush()
    assert len([query for query in queries if "INSERT" in query["sql"]]) <= 1
    hits = {people.acme.pk: 0, people.globex.pk: 0}
    for row in EngagementBatch.objects.all():
        hits[row.tenant_id] += len(unpack(row.events))
    assert hits == {people.acme.pk: 2_000, people.globex.pk: 1_000}
    buffer.flush()
    assert EngagementBatch.objects.count() == 2


@pytest.mark.django_db
def test_what_waits_in_memory_has_a_limit(people: People) -> None:
    buffer = HitBuffer()
    for _ in range(MOST_WAITING + 10):
        buffer.add(Arrived(people.acme.pk, "email", HIT))
    buffer.flush()
    assert sum(len(unpack(row.events)) for row in EngagementBatch.objects.all()) == MOST_WAITING


@pytest.mark.django_db(transaction=True)
def test_hits_are_stored_by_themselves_after_a_while(people: People) -> None:
    buffer = HitBuffer()
    with override_settings(ENGAGEMENT_WRITE_SECONDS=0.05):
        for _ in range(2):
            buffer.add(Arrived(people.acme.pk, "email", HIT))
            until(EngagementBatch.objects.exists, "the hit to be stored")
            EngagementBatch.objects.all().delete()
