"""Consents from a file: a no always holds, a yes does not overrule a later no, and each yes keeps its proof."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command

from notifier.channels import channels
from tenants.imports.consents import ConsentResult, Reading, import_consents
from tenants.imports.csv_file import UnreadableFile
from tenants.models import Category, ConsentChange, OptInProof, Preference, Recipient
from tenants.people.opt_out import opt_outs_since
from tests.fixtures import People

pytestmark = pytest.mark.django_db
HEADER = "external_id,category,channel,consent,at,source\n"
TOMORROW = (datetime.now(UTC) + timedelta(days=1)).isoformat()


@pytest.fixture
def ana(people: People) -> Recipient:
    Category.objects.create(tenant=people.acme, key="news", name="News", kind="marketing", opt_in="double")
    return Recipient.objects.create(tenant=people.acme, external_id="ana")


def read(people: People, *lines: str, header: str = HEADER) -> ConsentResult:
    return import_consents(people.acme.pk, io.BytesIO((header + "\n".join(lines)).encode()), channels())


def chosen(recipient: Recipient) -> tuple[list[str], list[str]]:
    preference = Preference.objects.get(recipient=recipient)
    return preference.categories_on, preference.categories_off


def test_a_yes_is_an_opt_in_with_its_proof(people: People, ana: Recipient) -> None:
    assert read(people, 'ana,news,,yes,2024-05-01T09:00:00Z,"form, version 3"').applied == 1
    assert chosen(ana) == (["news"], [])
    proof = OptInProof.objects.get()
    assert (proof.asked_by, proof.text, f"{proof.confirmed_at:%F}") == ("import", "form, version 3", "2024-05-01")
    assert list(ConsentChange.objects.values_list("source", "detail")) == [("import", {"categories_on": ["news"]})]


@pytest.mark.parametrize(
    ("answers", "on", "off"),
    [
        (["ana,news,,no,2024-05-01,x"], [], ["news"]),
        (["ana,news,email,no,2024-05-01,x"], [], ["news:email"]),
        # in the order of their times, not of the file
        (["ana,news,,no,2024-05-02,x", "ana,news,,yes,2024-05-01,x"], [], ["news"]),
        (["ana,news,,yes,2024-05-02,x", "ana,news,,no,2024-05-01,x"], ["news"], []),
        (["ana,news,email,yes,2024-05-01,x", "ana,news,,no,2024-05-02,x"], [], ["news"]),
        (["ana,news,email,no,2024-05-01,x", "ana,news,,yes,2024-05-02,x"], ["news"], ["news:email"]),
    ],
)
def test_the_latest_answer_counts(
    people: People, ana: Recipient, answers: list[str], on: list[str], off: list[str]
) -> None:
    assert read(people, *answers).problems == []
    assert chosen(ana) == (on, off)


OTHER_ROWS = [f"ana,tips,,{answer},2023-01-0{day},x" for day in range(1, 10) for answer in ("no", "yes")] * 60


@pytest.mark.parametrize(
    ("first", "last", "on", "off"),
    [
        ("no,2022", "yes,2024", ["news"], []),
        ("yes,2024", "no,2022", ["news"], []),
        ("yes,2022", "no,2024", [], ["news"]),
    ],
)
def test_the_latest_answer_counts_however_far_apart_the_rows_are(
    people: People, ana: Recipient, first: str, last: str, on: list[str], off: list[str]
) -> None:
    Category.objects.create(tenant=people.acme, key="tips", name="Tips", kind="marketing")
    result = read(people, f"ana,news,,{first}-01-01,x", *OTHER_ROWS, f"ana,news,,{last}-01-01,x")
    assert result.problems == []
    assert chosen(ana) == (sorted([*on, "tips"]), off)


def test_a_yes_for_one_channel_ends_an_earlier_no_to_the_category_there(people: People, ana: Recipient) -> None:
    read(people, "ana,news,,no,2022-01-01,x", "ana,news,email,yes,2024-01-01,x", "ana,news,sms,yes,2024-01-02,x")
    assert chosen(ana) == (["news:email", "news:sms"], ["news:chat", "news:in_app", "news:push"])


def test_a_no_is_not_said_again_by_an_opt_out_of_something_else(people: People, ana: Recipient) -> None:
    preference = Preference.objects.create(tenant=people.acme, recipient=ana, categories_off=["news"])
    between = datetime.now(UTC).isoformat()
    preference.categories_off = ["news", "tips"]
    preference.save()
    assert read(people, f"ana,news,,yes,{between},x").problems == []
    assert chosen(ana) == (["news"], ["tips"])


def test_a_file_that_is_read_again_after_its_worker_died_ends_the_same(people: People, ana: Recipient) -> None:
    uploaded_at = datetime.now(UTC)
    read(people, "ana,news,,no,2022-01-01,x")
    content = f"{HEADER}ana,news,,no,2022-01-01,x\nana,news,,yes,2024-01-01,x".encode()
    again = import_consents(people.acme.pk, io.BytesIO(content), channels(), Reading(uploaded_at=uploaded_at))
    assert again.problems == [] and chosen(ana) == (["news"], [])


def test_a_no_of_an_earlier_file_was_said_when_that_file_was_read(people: People, ana: Recipient) -> None:
    read(people, "ana,news,,no,2022-01-01,x")
    assert [p.reason for p in read(people, "ana,news,,yes,2024-01-01,x").problems] == [
        "the recipient said no after that"
    ]
    assert read(people, f"ana,news,,yes,{datetime.now(UTC).isoformat()},x").problems == []


JAN, FEB, MAR = (datetime(2024, month, 1, tzinfo=UTC) for month in (1, 2, 3))


@pytest.mark.parametrize(
    ("changes", "since"),
    [
        ([], {}),
        ([(JAN, {"categories_off": ["a"]}), (FEB, {"categories_off": ["a", "b"]})], {"a": JAN, "b": FEB}),
        ([(JAN, {"categories_off": ["a"]}), (FEB, {"categories_off": []})], {}),
        (
            [(JAN, {"categories_off": ["a"]}), (FEB, {"categories_off": []}), (MAR, {"categories_off": ["a"]})],
            {"a": MAR},
        ),
        ([(JAN, {"categories_off": ["a"]}), (FEB, {"language": "de"})], {"a": JAN}),
        ([(JAN, {"categories_off": ["a"]}), (FEB, {"deleted": True}), (MAR, {"categories_off": ["a"]})], {"a": MAR}),
        ([(JAN, {"everything_off": True}), (FEB, {"categories_off": ["a"]})], {"": JAN, "a": FEB}),
        ([(JAN, {"everything_off": True}), (FEB, {"everything_off": False})], {}),
        # the no to a category stays for its other channels
        ([(JAN, {"categories_off": ["a"]}), (FEB, {"categories_off": ["a:sms"]})], {"a:sms": JAN}),
        (
            [
                (JAN, {"categories_off": ["a:sms"]}),
                (FEB, {"categories_off": ["a", "a:sms"]}),
                (MAR, {"categories_off": ["a:sms"]}),
            ],
            {"a:sms": FEB},
        ),
    ],
)
def test_when_each_no_was_said(changes: list[tuple[datetime, dict[str, object]]], since: dict[str, datetime]) -> None:
    assert opt_outs_since(changes) == since


@pytest.mark.parametrize("columns", [{"categories_off": ["news"]}, {"everything_off": True}])
def test_a_yes_does_not_overrule_a_later_no(people: People, ana: Recipient, columns: dict[str, object]) -> None:
    Preference.objects.create(tenant=people.acme, recipient=ana, **columns)
    result = read(people, "ana,news,,yes,2024-05-01,x")
    assert (result.applied, [p.reason for p in result.problems]) == (0, ["the recipient said no after that"])
    assert not OptInProof.objects.exists() and chosen(ana)[0] == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("eve,news,,yes,2024-05-01,x", "external_id"),
        ("ana,olds,,yes,2024-05-01,x", "category"),
        ("ana,news,pigeon,yes,2024-05-01,x", "channel"),
        ("ana,news,,maybe,2024-05-01,x", "consent"),
        ("ana,news,,yes,yesterday,x", "at"),
        (f"ana,news,,yes,{TOMORROW},x", "at"),
        ("ana,news,,yes,0001-01-01T00:00:00+14:00,x", "at"),
        ("ana,news,,yes,2024-05-01,", "source"),
        ("ana,news,,yes,2024-05-01,x,y", "has 7 fields"),
    ],
    ids=["recipient", "category", "channel", "consent", "no-time", "future", "before-the-year-1", "source", "too-long"],
)
def test_a_bad_row_is_left_out_and_named(people: People, ana: Recipient, line: str, reason: str) -> None:
    result = read(people, line, "ana,news,email,yes,2024-05-01,x")
    assert (result.applied, len(result.problems)) == (1, 1)
    assert (result.problems[0].line, result.problems[0].reason.startswith(reason)) == (2, True)
    assert chosen(ana) == (["news:email"], [])


@pytest.mark.parametrize("header", ["external_id,category,consent,at\n", HEADER.replace("source", "sauce")])
def test_a_file_without_the_columns_is_refused(people: People, ana: Recipient, header: str) -> None:
    with pytest.raises(UnreadableFile):
        read(people, "ana,news,,yes,2024-05-01,x", header=header)
    assert not Preference.objects.exists()


def test_another_tenants_recipient_is_unknown(people: People, ana: Recipient) -> None:
    assert (
        import_consents(
            people.globex.pk, io.BytesIO(f"{HEADER}ana,news,,yes,2024-05-01,x".encode()), channels()
        ).applied
        == 0
    )


def test_from_the_command_line(people: People, ana: Recipient, tmp_path: object) -> None:
    file = tmp_path / "c.csv"  # type: ignore[operator]
    file.write_text(f"{HEADER}ana,news,,yes,2024-05-01,x\neve,news,,yes,2024-05-01,x\n")
    out = io.StringIO()
    call_command("import_consents", str(file), tenant=people.acme.slug, stdout=out)
    assert out.getvalue().splitlines() == ["line 3: external_id: there is no such recipient", "1 applied, 1 left out"]
    with pytest.raises(CommandError):
        call_command("import_consents", str(file), tenant="nobody")
