"""The count within a budget of time: exact, else an estimate that says so; the sample, and on which channels it can be
reached."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.db import connection, transaction

from campaigns.audience import budget, people_of, reach_of, reachable, segment, some_of
from campaigns.audience.budget import rows_within
from campaigns.models import Audience, AudienceMember
from notifier.delivery.planning.rule import Rule
from notifier.errors import InvalidInput
from tenants.access import set_scope
from tenants.models import Category, Device, Preference, Recipient, Suppression, Tenant
from tests.fixtures import People

MANY = """
INSERT INTO tenants_recipient (id, tenant_id, external_id, name, email, phone, locale, timezone, attributes, status,
                               created_at, updated_at)
SELECT gen_random_uuid(), %s, 'many-' || n, '', CASE WHEN n %% 4 = 0 THEN n || '@example.com' ELSE '' END, '', '', '',
       jsonb_build_object('points', n), 'active', now(), now()
FROM generate_series(1, %s) n
"""


def add_many(tenant: Tenant, n: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(MANY, [tenant.pk, n])
        cursor.execute("ANALYZE tenants_recipient")


def with_mail(tenant: Tenant) -> Audience:
    return segment(tenant.pk, [{"field": "email", "op": "exists", "value": True}])


@pytest.mark.django_db
def test_a_statement_over_its_time_is_cancelled_and_the_transaction_goes_on() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', '9s', true)")
        assert rows_within(20, "SELECT pg_sleep(5)", []) is None
        assert rows_within(5_000, "SELECT 1", []) == [(1,)]
        cursor.execute("SELECT current_setting('statement_timeout')")
        assert cursor.fetchone() == ("9s",)


def test_a_count_is_exact_and_its_sample_is_of_the_audience(people: People) -> None:
    add_many(people.acme, 2_000)
    add_many(people.globex, 100)
    reach = reach_of(with_mail(people.acme), sample=50)
    assert (reach.people, reach.exact, reach.sampled) == (500, True, True)
    rows = Recipient.objects.in_bulk(reach.ids)
    assert len(rows) == 50 and all(row.email and row.tenant_id == people.acme.pk for row in rows.values())
    assert len(some_of(with_mail(people.acme), reach, 10)) == 10
    assert reach_of(with_mail(people.acme), sample=50).ids == reach.ids


def test_a_small_audience_is_sampled_whole(people: People) -> None:
    add_many(people.acme, 40)
    reach = reach_of(with_mail(people.acme))
    assert (reach.people, len(reach.ids), reach.sampled) == (10, 10, False)


def test_a_count_that_takes_too_long_becomes_an_estimate(
    people: People, as_web: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A budget of one millisecond stands in for a table of ten million rows."""
    monkeypatch.setattr(budget, "PATIENCE", 1)
    add_many(people.acme, 60_000)
    add_many(people.globex, 20_000)
    with as_web(), transaction.atomic():
        set_scope([people.acme.pk])
        reach = reach_of(with_mail(people.acme), sample=100, ms=1)
    assert not reach.exact and reach.people is not None and 12_000 < reach.people < 18_000
    assert {row.tenant_id for row in Recipient.objects.in_bulk(reach.ids).values()} == {people.acme.pk}
    assert len(reach.ids) == 100


def test_a_list_is_sampled_by_steps_and_estimated_by_its_ids(people: People) -> None:
    add_many(people.acme, 300)
    ids = [f"many-{n}" for n in range(1, 301)] + [f"nobody-{n}" for n in range(100)]
    own_list = Audience.objects.create(tenant=people.acme, name="L", source="list", size=len(ids))
    AudienceMember.objects.bulk_create(
        AudienceMember(tenant=people.acme, audience=own_list, external_id=external_id) for external_id in ids
    )
    reach = reach_of(own_list, sample=40)
    assert (reach.people, reach.exact) == (300, True) and 20 < len(reach.ids) <= 40
    assert people_of(own_list).ids == ()


def test_a_topic_has_no_count(people: People) -> None:
    topic = Audience(tenant=people.acme, source=Audience.Source.TOPIC, topic="news")
    assert reach_of(topic).people is None


@pytest.mark.parametrize(
    ("field", "value"), [("list", str(uuid.UUID(int=7))), ("opted_in", "unheard-of"), ("opted_out", "unheard-of:email")]
)
def test_a_filter_may_name_only_what_the_tenant_has(people: People, field: str, value: str) -> None:
    Audience.objects.create(tenant=people.globex, name="L", source="list", pk=value if field == "list" else None)
    Category.objects.create(tenant=people.globex, key="unheard-of", name="x")
    with pytest.raises(InvalidInput) as refused:
        segment(people.acme.pk, [{"any": [{"field": field, "op": "in", "value": [value]}]}])
    assert refused.value.field == "filter.0.any.0.value.0"


AsWeb = Callable[[], AbstractContextManager[None]]


def test_channels_are_decided_by_the_rules_of_campaigns(people: People) -> None:
    acme = people.acme
    ada, bob, cy, dee = (
        Recipient.objects.create(tenant=acme, external_id=name, email=email, phone=phone, status=status)
        for name, email, phone, status in [
            ("ada", "ada@example.com", "+436601234567", "active"),
            ("bob", "bob@example.com", "", "active"),
            ("cy", "", "", "active"),
            ("dee", "dee@example.com", "", "blocked"),
        ]
    )
    Device.objects.create(tenant=acme, recipient=ada, token="ada-fcm-token")
    Device.objects.create(tenant=acme, recipient=ada, platform="apns", token="ada-apns-token")
    Suppression.objects.create(tenant=acme, channel="email", address="bob@example.com", cause="manual")
    Preference.objects.create(tenant=acme, recipient=ada, channels_off=["sms"], categories_off=["promo"])
    ids = [row.pk for row in (ada, bob, cy, dee)]
    seen = reachable.reachable(acme.pk, ids)
    by_name = {row.channel: row for row in seen.channels}
    assert (seen.looked_at, seen.nowhere) == (4, 3)
    assert by_name["push"].people == 1 and by_name["push"].platforms == {"fcm": 1, "apns": 1}
    assert by_name["push"].reasons == {"no_address": 2, "recipient_blocked": 1}
    assert by_name["email"].people == 1
    assert by_name["email"].reasons == {"address_suppressed": 1, "no_address": 1, "recipient_blocked": 1}
    assert by_name["sms"].reasons == {"channel_off": 1, "no_address": 2, "recipient_blocked": 1}
    assert by_name["in_app"].people == 3
    promo = reachable.reachable(acme.pk, ids, Rule(category="promo"))
    assert next(row for row in promo.channels if row.channel == "push").reasons["category_off"] == 1
