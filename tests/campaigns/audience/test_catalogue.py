"""What the builder learns of a tenant's attributes, and the vocabulary that it makes of them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from campaigns.admin.audience.builder import attribute_field, vocabulary
from campaigns.audience.catalogue import Attribute, Kind, attributes_of, catalogue_of, kind_of
from campaigns.audience.segments.checking import check_filter
from campaigns.audience.segments.values import checked_value
from tenants.models import Import, Recipient
from tests.fixtures import People


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (5, Kind.NUMBER),
        (5.5, Kind.NUMBER),
        ("150", Kind.NUMBER),
        ("00123", Kind.TEXT),
        (True, Kind.BOOLEAN),
        ("TRUE", Kind.BOOLEAN),
        ("2026-01-31", Kind.DATE),
        ("2026-01-31T09:00:00Z", Kind.DATE),
        ("2026-99-99", Kind.TEXT),
        ("pro", Kind.TEXT),
        (["a"], Kind.LIST),
    ],
)
def test_a_value_has_a_kind(value: Any, kind: Kind) -> None:
    assert kind_of(value) == kind


def test_attributes_are_found_at_every_level() -> None:
    found = attributes_of([{"plan": "pro", "a": {"b": {"c": 1}}, "none": None, "empty": "", "x.y": 1, "tags": ["eu"]}])
    assert {path: one.kind for path, one in found.items()} == {
        "plan": Kind.TEXT,
        "a.b.c": Kind.NUMBER,
        "tags": Kind.LIST,
    }
    assert found["tags"].frequent == ["eu"]


def test_values_of_their_own_are_not_offered() -> None:
    unique = attributes_of({"mail": f"{n}@example.com"} for n in range(50))["mail"]
    shared = attributes_of({"plan": ("pro", "free")[n % 2]} for n in range(50))["plan"]
    assert unique.frequent == [] and sorted(shared.frequent) == ["free", "pro"]


def test_the_catalogue_is_of_the_tenant_and_knows_rare_columns_of_imports(people: People) -> None:
    Recipient.objects.create(tenant=people.acme, external_id="a", locale="de", attributes={"plan": "pro"})
    Recipient.objects.create(tenant=people.globex, external_id="b", locale="fr", attributes={"secret": 1})
    Import.objects.create(tenant=people.acme, columns=[["rare", "date", []]])
    found = catalogue_of(people.acme.pk)
    assert {one.path: one.kind for one in found.attributes} == {"plan": Kind.TEXT, "rare": Kind.DATE}
    assert (found.locales, found.looked_at >= 1) == (["de"], True)


EXAMPLES = {"text": "x", "number": 5, "date": "2026-01-31", "days": 7, "tokens": ["x"]}


def test_every_operator_that_the_builder_offers_is_taken_by_the_api(people: People) -> None:
    """Each field with each operator and a value of its input, as the builder writes it, is a valid filter."""
    shown = vocabulary(people.acme)
    fields = [field for group in shown["groups"] for field in group["fields"]]
    fields += [attribute_field(Attribute("a.b", Counter({kind: 1}))).as_json() for kind in Kind]
    fixed = {"locale": "de", "timezone": "Europe/Vienna"}
    for field in fields:
        for operator in field["operators"]:
            value = operator["value"] if operator["input"] == "none" else EXAMPLES.get(operator["input"])
            if operator["input"] in ("choice", "tokens") and field["choices"]:
                value = field["choices"][0][0]
            example = fixed.get(field["name"], value)
            if operator["op"] in ("in", "not_in"):
                example = example if isinstance(example, list) else [example]
            elif operator["op"] == "exists":
                example = operator["value"]
            check_filter([{"field": field["name"], "op": operator["op"], "value": example}])
    assert {field["name"] for field in fields} >= {"country", "channel", "device.platform", "created_at", "opened"}


@pytest.mark.parametrize(
    ("op", "value", "checked"),
    [
        ("eq", "Ann@Example.com", "ann@example.com"),
        ("in", ["A@b.CO"], ["a@b.co"]),
        ("contains", "@Example", "@example"),
    ],
)
def test_an_email_address_is_found_in_any_spelling(op: str, value: Any, checked: Any) -> None:
    assert checked_value("email", op, value, "value") == checked
