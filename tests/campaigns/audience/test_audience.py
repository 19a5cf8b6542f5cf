"""Segments: which filters are refused, which recipients a filter finds, and never one of another tenant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from campaigns import audience as audiences
from campaigns.audience import segments
from campaigns.models import Audience
from notifier.delivery.planning.recipients import load_by_query
from notifier.errors import InvalidInput
from notifier.vocabulary.people import Person
from tenants.models import Recipient, Tenant
from tests.fixtures import People

PEOPLE: dict[str, dict[str, Any]] = {
    "ada": {"name": "Ada Lovelace", "locale": "de-AT", "attributes": {"plan": "pro", "age": 36, "vip": True}},
    "bob": {"name": "Bob", "locale": "de", "attributes": {"plan": "free", "age": 9, "tags": ["new", "eu"]}},
    "cy": {
        "name": "",
        "locale": "en",
        "attributes": {"age": "36", "vip": "TRUE", "zip": "01036", "a": {"b": {"c": 1}}, "since": "2026-01-05"},
    },
    "dee": {"name": "O'Dee %_\\", "locale": "fr", "attributes": {"plan": None, "we'ird\"key": 'x"; DROP TABLE'}},
    "eve": {"name": "Eve", "locale": "EN", "status": "blocked", "attributes": {"plan": "pro", "age": 36.0}},
}


@pytest.fixture
def acme(people: People) -> Tenant:
    for external_id, columns in PEOPLE.items():
        Recipient.objects.create(tenant=people.acme, external_id=external_id, **columns)
        Recipient.objects.create(tenant=people.globex, external_id=external_id, **columns)
    return people.acme


def segment(tenant: Tenant, *conditions: tuple[str, str, Any]) -> Audience:
    filter_ = [{"field": field, "op": op, "value": value} for field, op, value in conditions]
    return Audience(tenant=tenant, name="x", source=Audience.Source.SEGMENT, filter=filter_)


def recipients_by_range(audience: Audience, size: int) -> list[tuple[list[Person], int]]:
    """The recipients of each range, and how many of its entries are no recipients."""
    bounds = audiences.key_ranges(audience, size)
    return [load_by_query(audience.tenant_id, audiences.recipient_query(audience, b.after, b.until)) for b in bounds]


def recipients_of(audience: Audience) -> set[str]:
    """External ids by ranges; the count and the sample must agree with them, and all must be of the tenant."""
    ids = [person.id for persons, _ in recipients_by_range(audience, 2) for person in persons]
    rows = Recipient.objects.in_bulk(ids)
    assert len(ids) == len(set(ids)) == audiences.count_recipients(audience)
    assert {r.pk for r in audiences.sample_recipients(audience, 100)} == set(ids)
    assert {r.tenant_id for r in rows.values()} <= {audience.tenant_id}
    return {r.external_id for r in rows.values()}


ALL = set(PEOPLE)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (("locale", "eq", "de"), {"bob"}),
        (("locale", "ne", "de"), ALL - {"bob"}),
        (("locale", "in", ["de", "de-AT"]), {"ada", "bob"}),
        (("locale", "not_in", ["de", "de-AT"]), {"cy", "dee", "eve"}),
        (("locale", "prefix", "DE"), {"ada", "bob"}),
        (("locale", "eq", "de_at"), {"ada"}),
        (("locale", "in", ["DE", "DE_AT"]), {"ada", "bob"}),
        (("locale", "prefix", "de_"), {"ada"}),
        (("name", "contains", "love"), {"ada"}),
        (("name", "contains", "%_\\"), {"dee"}),
        (("name", "contains", "%"), {"dee"}),
        (("name", "exists", False), {"cy"}),
        (("name", "exists", True), ALL - {"cy"}),
        (("name", "eq", "O'Dee %_\\"), {"dee"}),
        (("name", "eq", "' OR 1=1 --"), set()),
        (("name", "contains", "'); DROP TABLE tenants_recipient; --"), set()),
        (("name", "in", ["%s", "{}", "Bob"]), {"bob"}),
        (("status", "eq", "blocked"), {"eve"}),
        (("created_at", "gt", "2001-01-01"), ALL),
        (("created_at", "lt", "2001-01-01T00:00:00+02:00"), set()),
        (("attributes.plan", "eq", "pro"), {"ada", "eve"}),
        (("attributes.plan", "ne", "pro"), {"bob", "cy", "dee"}),
        (("attributes.plan", "in", ["pro", "free"]), {"ada", "bob", "eve"}),
        (("attributes.plan", "not_in", ["pro", "free"]), {"cy", "dee"}),
        (("attributes.plan", "exists", True), {"ada", "bob", "eve"}),
        (("attributes.plan", "exists", False), {"cy", "dee"}),
        (("attributes.plan", "prefix", "PR"), {"ada", "eve"}),
        (("attributes.vip", "eq", True), {"ada", "cy"}),
        (("attributes.vip", "ne", True), {"bob", "dee", "eve"}),
        (("attributes.vip", "eq", "true"), {"ada"}),
        (("attributes.vip", "eq", False), set()),
        (("attributes.vip", "eq", 1), set()),
        (("attributes.age", "eq", 36), {"ada", "cy", "eve"}),
        (("attributes.age", "eq", 36.0), {"ada", "cy", "eve"}),
        (("attributes.age", "eq", "36"), {"ada", "cy", "eve"}),
        (("attributes.age", "ne", 36), {"bob", "dee"}),
        (("attributes.age", "in", [9, 36]), {"ada", "bob", "cy", "eve"}),
        (("attributes.age", "not_in", [9, "36"]), {"dee"}),
        (("attributes.age", "gt", 9), {"ada", "cy", "eve"}),
        (("attributes.age", "gte", 9), {"ada", "bob", "cy", "eve"}),
        (("attributes.age", "gt", "9"), {"ada", "cy", "eve"}),
        (("attributes.age", "lt", 1e300), {"ada", "bob", "cy", "eve"}),
        (("attributes.age", "lt", "4"), set()),
        (("attributes.age", "prefix", "3"), {"ada", "cy", "eve"}),
        (("attributes.age", "contains", "6"), {"ada", "cy", "eve"}),
        (("attributes.zip", "gt", 0), set()),
        (("attributes.zip", "eq", 1036), set()),
        (("attributes.zip", "prefix", "010"), {"cy"}),
        (("attributes.plan", "gt", 0), set()),
        (("attributes.plan", "gt", "m"), {"ada", "eve"}),
        (("attributes.plan", "gt", "2026-01-01"), set()),
        (("attributes.since", "gte", "2026-01-01"), {"cy"}),
        (("attributes.since", "lt", "2026-01-05T10:00:00Z"), {"cy"}),
        (("attributes.since", "gt", 5), set()),
        (("external_id", "eq", "ada\u200b"), {"ada"}),
        (("external_id", "in", [" ada", "bob\ufeff"]), {"ada", "bob"}),
        (("attributes.tags", "contains", "eu"), {"bob"}),
        (("attributes.tags", "eq", "eu"), set()),
        (("attributes.plan", "contains", "RE"), {"bob"}),
        (("attributes.a.b.c", "eq", 1), {"cy"}),
        (("attributes.a.b.c.d", "exists", True), set()),
        (("attributes.a.b", "gt", 0), set()),
        (("attributes.we'ird\"key", "eq", 'x"; DROP TABLE'), {"dee"}),
        (("attributes.') OR 1=1 --", "exists", True), set()),
        (("attributes.%s", "eq", "%s"), set()),
    ],
)
def test_a_condition_finds_exactly_its_recipients(
    acme: Tenant, condition: tuple[str, str, Any], expected: set[str]
) -> None:
    assert recipients_of(segment(acme, condition)) == expected


UNUSUAL = [
    150,
    150.0,
    "150",
    "150.0",
    "150.00",
    9e200,
    -5,
    "1e3",
    "0150",
    "+150",
    "150 ",
    "１５０",
    "２",
    "150\n",
    "1.",
    ".",
]
UNUSUAL += ["NaN", "Infinity", "", "-", "9" * 400, "0." + "9" * 400, None, True, [], {}, [150], {"x": 150}]


def test_no_unusual_value_makes_a_comparison_fail_for_other_recipients(people: People) -> None:
    for n, value in enumerate(UNUSUAL):
        Recipient.objects.create(tenant=people.acme, external_id=f"unusual-{n}", attributes={"points": value})
    hundreds = {f"unusual-{n}" for n in range(5)}
    assert recipients_of(segment(people.acme, ("attributes.points", "eq", 150))) == hundreds
    assert recipients_of(segment(people.acme, ("attributes.points", "gt", 149.5))) == hundreds | {"unusual-5"}
    assert recipients_of(segment(people.acme, ("attributes.points", "lt", 0))) == {"unusual-6"}
    for op in ("eq", "ne", "gt", "lte", "contains", "prefix", "in"):
        for value in ("150", "9" * 400, "2026-01-01", "x"):
            recipients_of(segment(people.acme, ("attributes.points", op, [value] if op == "in" else value)))


MANY = """
INSERT INTO tenants_recipient (id, tenant_id, external_id, name, email, phone, locale, timezone, attributes, status,
                               created_at, updated_at)
SELECT gen_random_uuid(), %s, 'many-' || n, '', '', '', '', '', jsonb_build_object('points', n), 'active', now(), now()
FROM generate_series(1, 50000) n
"""


def test_equality_of_an_attribute_uses_its_index(acme: Tenant) -> None:
    conditions = [{"field": "attributes.points", "op": "in", "value": [150, "151", 9.9]}]
    where, params = segments.compile_filter(segments.check_filter(conditions))
    with connection.cursor() as cursor:
        cursor.execute(MANY, [acme.pk])
        cursor.execute("SELECT gin_clean_pending_list('segment_attributes')")
        cursor.execute("ANALYZE tenants_recipient")
        cursor.execute(f"EXPLAIN SELECT FROM tenants_recipient r WHERE tenant_id = %s{where}", [acme.pk, *params])
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "segment_attributes" in plan and "Seq Scan" not in plan


def test_all_conditions_must_hold(acme: Tenant) -> None:
    both = segment(acme, ("attributes.plan", "eq", "pro"), ("status", "ne", "blocked"))
    assert recipients_of(both) == {"ada"}


def all_recipients(tenant: Tenant) -> Audience:
    return Audience(tenant=tenant, name="x", source=Audience.Source.EVERYBODY)


def test_all_recipients_are_a_source_of_their_own(acme: Tenant) -> None:
    assert recipients_of(all_recipients(acme)) == ALL


@pytest.mark.parametrize("empty", [[], None])
def test_a_stored_segment_without_conditions_is_refused(acme: Tenant, empty: Any) -> None:
    stored = Audience(tenant=acme, name="x", source=Audience.Source.SEGMENT, filter=empty)
    uses: list[Callable[[], object]] = [
        lambda: audiences.count_recipients(stored),
        lambda: audiences.sample_recipients(stored, 5),
        lambda: list(audiences.key_ranges(stored, 5)),
        lambda: audiences.recipient_query(stored, "", ""),
    ]
    for use in uses:
        with pytest.raises(InvalidInput, match='source "everybody"'):
            use()


def two_conditions(field: Any = "name", op: Any = "eq", value: Any = "x", **more: Any) -> list[Any]:
    return [{"field": "locale", "op": "eq", "value": "de"}, {"field": field, "op": op, "value": value, **more}]


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (None, "filter"),
        ([], "filter"),
        ({}, "filter"),
        ("name = x", "filter"),
        ([{}] * 31, "filter"),
        (["name"], "filter.0"),
        ([{}], "filter.0.field"),
        (two_conditions("locale", "eq", "klingon"), "filter.1.value"),
        (two_conditions("locale", "in", ["de", "de at"]), "filter.1.value.1"),
        (two_conditions("timezone", "eq", "localtime"), "filter.1.value"),
        (two_conditions("timezone", "ne", "Factory"), "filter.1.value"),
        (two_conditions(also="x"), "filter.1"),
        (two_conditions("password"), "filter.1.field"),
        (two_conditions("tenant_id"), "filter.1.field"),
        (two_conditions("name; DROP TABLE tenants_recipient"), "filter.1.field"),
        (two_conditions(["name"]), "filter.1.field"),
        (two_conditions("attributes"), "filter.1.field"),
        (two_conditions("attributes."), "filter.1.field"),
        (two_conditions("attributes.a..b"), "filter.1.field"),
        (two_conditions("attributes." + ".".join("abcdefghi")), "filter.1.field"),
        (two_conditions("attributes." + "a" * 65), "filter.1.field"),
        (two_conditions("attributes.a\0b"), "filter.1.field"),
        (two_conditions("attributes.\ud800"), "filter.1.field"),
        (two_conditions(op="like"), "filter.1.op"),
        (two_conditions(op=None), "filter.1.op"),
        (two_conditions(op=["eq"]), "filter.1.op"),
        (two_conditions(op="gt"), "filter.1.op"),
        (two_conditions("created_at", "eq", "2026-01-01"), "filter.1.op"),
        (two_conditions("created_at", "gt", "yesterday"), "filter.1.value"),
        (two_conditions("created_at", "gt", 5), "filter.1.value"),
        (two_conditions(value=5), "filter.1.value"),
        (two_conditions(value=""), "filter.1.value"),
        (two_conditions(value="a\0b"), "filter.1.value"),
        (two_conditions(value="\udfff"), "filter.1.value"),
        (two_conditions(value="x" * 501), "filter.1.value"),
        (two_conditions(op="in", value="de"), "filter.1.value"),
        (two_conditions(op="in", value=[]), "filter.1.value"),
        (two_conditions(op="in", value=["x"] * 1001), "filter.1.value"),
        (two_conditions(op="in", value=["x", 1]), "filter.1.value.1"),
        (two_conditions(op="exists", value="yes"), "filter.1.value"),
        (two_conditions("status", "eq", "dead"), "filter.1.value"),
        (two_conditions("status", "in", ["active", "dead"]), "filter.1.value.1"),
        (two_conditions("attributes.a", "eq", None), "filter.1.value"),
        (two_conditions("attributes.a", "eq", {"b": 1}), "filter.1.value"),
        (two_conditions("attributes.a", "eq", float("nan")), "filter.1.value"),
        (two_conditions("attributes.a", "eq", float("inf")), "filter.1.value"),
        (two_conditions("attributes.a", "eq", 10**400), "filter.1.value"),
        (two_conditions("attributes.a", "gt", True), "filter.1.value"),
        (two_conditions("attributes.a", "in", ["x"] * 101), "filter.1.value"),
        (two_conditions("attributes.a", "contains", 5), "filter.1.value"),
    ],
)
def test_a_wrong_filter_names_the_condition_and_the_part(raw: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        segments.check_filter(raw)
    assert refused.value.field == field


def test_values_are_never_part_of_the_statement() -> None:
    raw = [{"field": "attributes.evil'", "op": op, "value": "evil'"} for op in ("eq", "ne", "contains", "prefix", "gt")]
    sql, params = segments.compile_filter(segments.check_filter(raw))
    assert "evil" not in sql and sql.count("%s") == len(params)


@pytest.mark.parametrize(("size", "entries"), [(1, [1] * 5), (2, [2, 2, 1]), (5, [5]), (6, [5])])
def test_ranges_are_of_even_size_and_end_with_the_last_recipient(acme: Tenant, size: int, entries: list[int]) -> None:
    assert [b.entries for b in audiences.key_ranges(all_recipients(acme), size)] == entries
    assert [len(persons) for persons, _ in recipients_by_range(all_recipients(acme), size)] == entries


def test_a_recipient_created_after_the_freeze_is_in_no_range(acme: Tenant) -> None:
    audience = all_recipients(acme)
    bounds = list(audiences.key_ranges(audience, 2))
    Recipient.objects.create(tenant=acme, external_id="late")
    by_range = [load_by_query(acme.id, audiences.recipient_query(audience, b.after, b.until))[0] for b in bounds]
    assert sum(map(len, by_range)) == 5
