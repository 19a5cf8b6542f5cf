"""Imports: types of columns, levels of attributes, and how large attributes may be."""

from __future__ import annotations

from typing import Any

import pytest

from tenants.imports import UnreadableFile
from tenants.models import Device, Recipient
from tests.fixtures import People
from tests.tenants.csv_files import problems, put, stored

pytestmark = pytest.mark.django_db


def attributes(people: People, file: str) -> dict[str, Any]:
    """Of each person of the file."""
    put(people, file)
    return {k: r.attributes for k, r in stored(people).items()}


@pytest.mark.parametrize(
    ("cells", "kind", "values"),
    [
        (["150", "0", "-3", "2.5"], "number", [150, 0, -3, 2.5]),
        (["true", "false"], "boolean", [True, False]),
        (["TRUE", "FALSE"], "boolean", [True, False]),
        (["2026-01-31", "2026-02-01T10:00:00Z"], "date", ["2026-01-31", "2026-02-01T10:00:00Z"]),
        (["00123", "1010"], "text", ["00123", "1010"]),
        (["1010", "00123"], "text", ["1010", "00123"]),
        (["7", "8", "n/a", "9"], "text", ["7", "8", "n/a", "9"]),
        (["+43660", "1"], "text", ["+43660", "1"]),
        (["9.90", "12.5"], "text", ["9.90", "12.5"]),
        (["12.5", "9.90"], "text", ["12.5", "9.90"]),
        (["1", "1e3"], "text", ["1", "1e3"]),
        (["1", "1234567890123456"], "text", ["1", "1234567890123456"]),
        (["TRUE", "FALSE", "unknown"], "text", ["TRUE", "FALSE", "unknown"]),
        (["True", "false"], "text", ["True", "false"]),
        (["true", "1"], "text", ["true", "1"]),
        (["yes", "no"], "text", ["yes", "no"]),
        (["2026-01-31", "2026-13-31"], "text", ["2026-01-31", "2026-13-31"]),
        (["-0", "NaN"], "text", ["-0", "NaN"]),
    ],
)
@pytest.mark.parametrize("name", ["x", "deep.er"])
def test_a_column_has_the_type_of_all_of_its_values(
    people: People, cells: list[str], kind: str, values: list[Any], name: str
) -> None:
    result = put(
        people, f"external_id,{name}\n" + "".join(f"{n},{cell}\n" for n, cell in enumerate(cells)) + "empty,\n"
    )
    assert [(c.name, c.type) for c in result.columns] == [(name, kind)]
    recipients = stored(people)
    attributes = [recipients[str(n)].attributes for n in range(len(cells))]
    assert attributes == [{"x": v} if name == "x" else {"deep": {"er": v}} for v in values]
    assert [type(v) for v in values] == [type(f["x"] if name == "x" else f["deep"]["er"]) for f in attributes]
    assert recipients["empty"].attributes == {}


def test_a_header_states_a_type(people: People) -> None:
    file = "external_id,points:number,vip:Boolean,since:date,zip:text,ns:key\n"
    result = put(people, file + "1,007.50,Yes,2026-01-31,1010,a\n2,x,,,,\n3,,maybe,,,\n4,,,31.1.2026,,\n5,,0,,,\n")
    people_ = stored(people)
    assert people_["1"].attributes == {"points": 7.5, "vip": True, "since": "2026-01-31", "zip": "1010", "ns:key": "a"}
    assert people_["5"].attributes == {"vip": False}
    assert problems(result) == [
        (3, "points: 'x' is no number, such as 12.5."),
        (4, "vip: 'maybe' is no boolean, such as true, false, yes or no."),
        (5, "since: '31.1.2026' is no date, such as 2026-01-31."),
    ]
    assert [str(c) for c in result.columns] == [
        "points: number",
        "vip: boolean",
        "since: date",
        "zip: text",
        "ns:key: text",
    ]


def test_another_type_than_before_is_reported(people: People) -> None:
    put(people, "external_id,code\n1,00123\n")
    again = put(people, "external_id,code\n2,123\n")
    assert [str(c) for c in again.columns] == ["code: number (stored people also have text there)"]
    third = put(people, "external_id,code\n3,x\n")
    assert [str(c) for c in third.columns] == ["code: text (stored people also have number there)"]


def test_a_dot_in_a_header_makes_levels_that_merge(people: People) -> None:
    first = "external_id,billing.country,attributes.billing.vat.id,plan\n1,AT,U1,pro\n1,,U2,\n2,DE,,\n"
    assert attributes(people, first) == {
        "1": {"billing": {"country": "AT", "vat": {"id": "U2"}}, "plan": "pro"},
        "2": {"billing": {"country": "DE"}},
    }
    again = put(people, first)
    assert (again.updated, again.unchanged) == (0, 2)
    assert attributes(people, "external_id,billing.city\n1,Graz\n")["1"] == {
        "billing": {"country": "AT", "city": "Graz", "vat": {"id": "U2"}},
        "plan": "pro",
    }
    assert attributes(people, "external_id,billing\n1,none\n")["1"]["billing"] == "none"
    assert attributes(people, "external_id,billing.city\n1,Graz\n")["1"]["billing"] == {"city": "Graz"}


def test_a_column_cannot_be_a_value_and_hold_others(people: People) -> None:
    for header in ("billing,billing.country", "billing.country.code,attributes.billing.country"):
        with pytest.raises(UnreadableFile, match=r"names 'billing.*' and 'billing.*'"):
            put(people, f"external_id,{header}\n1,a,b\n")


def test_attributes_are_as_large_as_the_api_allows(people: People) -> None:
    columns = [f"c{n}" for n in range(190)]
    wide = f"external_id,{','.join(columns)}\n"
    result = put(people, wide + f"1,{','.join(['x' * 2000] * 190)}\n2,{','.join(['x'] * 190)}\n")
    assert (set(stored(people)), result.rejected) == ({"2"}, 1)
    assert result.problems[0].line == 2 and "the limit is 16384" in result.problems[0].reason
    assert put(people, f"external_id,long\n3,{'x' * 16_000}\n").rejected == 0


@pytest.mark.parametrize("header", ["external_id,{}", "external_id,{},deep.er"])
def test_no_sum_of_files_or_rows_exceeds_the_limit_of_attributes(people: People, header: str) -> None:
    def row(name: str, who: str, letter: str) -> str:
        return f"{header.format(name)}\n{who},{letter * 9000}\n"

    assert put(people, row("a", "1", "x")).rejected == 0
    second = put(people, row("b", "1", "y") + "2,small\n")
    assert (second.rejected, second.created) == (1, 1)
    assert "all of '1' would have" in second.problems[0].reason and second.problems[0].line == 2
    assert stored(people)["1"].attributes == {"a": "x" * 9000}
    assert put(people, row("a", "1", "z")).updated == 1
    both = put(people, f"external_id,a,b,push_token\n3,{'x' * 9000},,\n3,,{'y' * 9000},token-aaaaaaa\n")
    assert (both.created, both.rejected, both.problems[0].line) == (0, 1, 3)
    assert not Device.objects.exists()


def test_an_erased_person_of_two_rows_is_reported_with_a_line_of_the_file(people: People) -> None:
    Recipient.objects.create(tenant=people.acme, external_id="gone", status="erased")
    result = put(people, "external_id,name\ngone,A\nx,X\ngone,B\n")
    assert [p.line for p in result.problems] == [4]
