"""A CSV file of recipients, in the forms that programs really write."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tenants.models import ConsentChange, Device, Recipient
from tests.fixtures import People
from tests.tenants.csv_files import ANNE, problems, put, stored

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "file",
    [
        ANNE.encode(),
        ANNE.encode("utf-8-sig"),
        ANNE.replace("\n", "\r\n").encode(),
        ANNE.replace(",", ";").encode(),
        ANNE.replace(",", "\t").encode(),
        b"\xef\xbb\xbf" + ANNE.replace(",", ";").replace("\n", "\r\n").encode(),
        ANNE.rstrip().encode(),
        b"\n\n" + ANNE.encode() + b"\n\n",
        b"email,name,external_id\nanne@example.com,Anne,a1\n",
        b"EMAIL,Name,External-ID\nanne@example.com,Anne,a1\n",
        b"E-Mail;Full name;User ID\nanne@example.com;Anne;a1\n",
        b'"external_id","name","email"\n"a1","Anne","anne@example.com"\n',
        b" external_id , name , email \n a1 , Anne , anne@example.com \n",
        b"external_id,name,email,,\na1,Anne,anne@example.com,,\n",
    ],
)
def test_the_same_person_is_read_from_every_usual_form(file: bytes, people: People) -> None:
    result = put(people, file)
    anne = stored(people)["a1"]
    assert (anne.name, anne.email, result.created, result.rejected) == ("Anne", "anne@example.com", 1, 0)


def test_quoted_fields_hold_newlines_separators_quotes_and_carriage_returns(people: People) -> None:
    put(people, 'external_id,note\n1,"two\nlines, ""quoted""\r\nand\ra third"\n2,x\n')
    assert stored(people)["1"].attributes == {"note": 'two\nlines, "quoted"\r\nand\ra third'}


@pytest.mark.parametrize(
    "file",
    [
        "sep=;\nexternal_id;name;email\na1;Anne;anne@example.com\n",
        "\ufeffSEP=\t\r\nexternal_id\tname\temail\r\na1\tAnne\tanne@example.com\r\n",
        '"sep=|"\nexternal_id|name|email\na1|Anne|anne@example.com\n',
        "external_id,email,name,city,plan\na1,anne@example.com,Anne\n",
        "external_id,email,name\na1,anne@example.com,Anne,,, \u200b\n",
        "external_id,email,name\n,,\n \u200b,,\na1,anne@example.com,Anne\n",
        "\u200bexternal_id\u00a0,email\u200e,\u2060name\na1\u200b,\u200fanne@example.com\u00a0,\ufeffAnne\u200e\n",
        '"Full\nname",external_id,email\nAnne,a1,anne@example.com\n',
        "\ufeffexternal_id,name,email\na1,Anne,\n\ufeffexternal_id,name,email\na1,,anne@example.com\n",
        '\ufeff"external_id","name","email"\n"a1","Anne",\n\ufeff"external_id","name","email"\n"a1",,"anne@example.com"\n',
    ],
)
def test_the_same_person_is_read_from_what_spreadsheets_leave_out_or_add(file: str, people: People) -> None:
    result = put(people, file)
    (anne,) = stored(people).values()
    assert (anne.external_id, anne.name, anne.email) == ("a1", "Anne", "anne@example.com")
    assert (result.created, result.rejected, anne.attributes) == (1, 0, {})


def test_a_line_break_in_a_name_is_kept(people: People) -> None:
    put(people, 'external_id,name\n1,"Anna\nMaria"\n2,"Jan\r\nPeter"\n')
    assert {k: r.name for k, r in stored(people).items()} == {"1": "Anna\nMaria", "2": "Jan\nPeter"}


def test_a_person_is_the_same_with_and_without_invisible_characters(people: People) -> None:
    result = put(people, "external_id,plan\nann,pro\nann\u200b,\n\ufeffann,\n\u00a0ann\u2060,\nann\u200d\u200e,x\n")
    assert (set(stored(people)), result.rows, result.created) == ({"ann"}, 5, 1)


def test_an_emoji_keeps_what_it_is_made_of(people: People) -> None:
    flag, family = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "👩‍👧"
    put(people, f"external_id,name,team\n1,{family},{flag}\n")
    assert (stored(people)["1"].name, stored(people)["1"].attributes) == (family, {"team": flag})


def test_every_other_column_is_an_attribute(people: People) -> None:
    put(people, "external_id,plan,attributes.City,ID\n1,pro,Köln,77\n2,,,\n")
    assert stored(people)["1"].attributes == {"plan": "pro", "City": "Köln", "ID": 77}
    assert stored(people)["2"].attributes == {}


def test_all_fields_arrive(people: People) -> None:
    put(
        people,
        "external_id,phone,locale,timezone,token,platform,app\n"
        f"1,+491701234567,de_AT,Europe/Vienna,{'AB' * 32},apns,shop\n",
    )
    one = stored(people)["1"]
    device = Device.objects.get(recipient=one)
    assert (one.phone, one.locale, one.timezone) == ("+491701234567", "de-AT", "Europe/Vienna")
    assert (device.platform, device.token, device.app) == ("apns", "ab" * 32, "shop")


def test_rows_of_one_person_are_merged_and_every_token_is_kept(people: People) -> None:
    file = """external_id,name,email,push_token,plan,city
1,Old,old@example.com,token-aaaaaaa,free,Rome
2,Two,,token-ccccccc,,
1,New,,token-bbbbbbb,pro,
1,,new@example.com,token-aaaaaaa,,
"""
    result = put(people, file)
    one = stored(people)["1"]
    assert (one.name, one.email, one.attributes) == ("New", "new@example.com", {"plan": "pro", "city": "Rome"})
    assert {d.token for d in one.devices.all()} == {"token-aaaaaaa", "token-bbbbbbb"}
    assert (result.rows, result.created, result.devices) == (4, 2, 3)


def test_an_empty_cell_erases_nothing_and_the_same_file_changes_nothing(people: People) -> None:
    put(people, "external_id,name,email,plan\n1,Anne,a@example.com,pro\n")
    before = stored(people)["1"].updated_at
    again = put(people, "external_id,name,email,plan\n1,Anne,,\n")
    assert (again.created, again.updated, again.unchanged) == (0, 0, 1)
    third = put(people, "external_id,name,city\n1,Anna,Rome\n")
    anne = stored(people)["1"]
    assert (third.updated, anne.name, anne.email, anne.attributes) == (
        1,
        "Anna",
        "a@example.com",
        {"plan": "pro", "city": "Rome"},
    )
    assert anne.updated_at > before or third.updated == 1


def test_a_token_moves_to_the_recipient_of_its_last_row_and_leaves_a_consent_change(people: People) -> None:
    put(people, "external_id,push_token\n1,token-aaaaaaa\n")
    ConsentChange.objects.filter(tenant=people.globex).count()
    result = put(people, "external_id,push_token\n2,token-aaaaaaa\n")
    assert Device.objects.get(token="token-aaaaaaa").recipient.external_id == "2"
    assert (result.devices, ConsentChange.objects.filter(changed="device").count()) == (1, 1)


def test_a_token_of_two_rows_with_and_without_an_app_is_one_device_of_the_last(people: People) -> None:
    put(people, "external_id,push_token,app\n1,token-aaaaaaa,shop\n2,token-aaaaaaa,\n")
    [device] = Device.objects.all()
    assert device.recipient.external_id == "2"
    again = put(people, "external_id,push_token,app\n3,token-aaaaaaa,news\n")
    [moved] = Device.objects.all()
    assert (moved.pk, moved.recipient.external_id, moved.app, again.devices) == (device.pk, "3", "news", 1)


def test_an_app_that_is_named_later_is_kept_with_the_token(people: People) -> None:
    put(people, "external_id,push_token\n1,token-aaaaaaa\n")
    seen = Device.objects.get().last_seen_at
    assert put(people, "external_id,push_token,app\n1,token-aaaaaaa,shop\n").devices == 1
    assert put(people, "external_id,push_token,app\n1,token-aaaaaaa,\n").devices == 0
    device = Device.objects.get()
    assert (device.app, device.last_seen_at) == ("shop", seen)


def test_a_dead_token_stays_dead(people: People) -> None:
    put(people, "external_id,push_token\n1,token-aaaaaaa\n")
    Device.objects.update(dead_since="2026-01-01T00:00Z")
    put(people, "external_id,push_token\n1,token-aaaaaaa\n2,token-bbbbbbb\n")
    assert Device.objects.get(token="token-aaaaaaa").dead_since is not None


@pytest.mark.parametrize("owner", ["1", "2"], ids=["same person", "another person"])
def test_a_list_is_no_sign_that_a_token_was_seen_within_a_month(people: People, owner: str) -> None:
    put(people, "external_id,push_token\n1,token-aaaaaaa\n")
    long_ago = datetime.now(UTC) - timedelta(days=29)
    Device.objects.update(last_seen_at=long_ago)
    put(people, f"external_id,push_token\n{owner},token-aaaaaaa\n")
    device = Device.objects.get(token="token-aaaaaaa")
    assert (device.recipient.external_id, device.last_seen_at) == (owner, long_ago)


def test_an_erased_person_is_not_made_again(people: People) -> None:
    Recipient.objects.create(tenant=people.acme, external_id="gone", status="erased")
    result = put(people, "external_id,name,push_token\nx,X,\ngone,Back,token-aaaaaaa\n")
    assert (result.created, result.rejected, result.problems[0].line) == (1, 1, 3)
    assert stored(people)["gone"].name == "" and not Device.objects.exists()


def test_bad_rows_are_reported_by_line_and_reason_and_good_rows_are_imported(people: People) -> None:
    file = (
        "external_id,email,phone,timezone,locale,push_token,platform,note\n"
        'ok,ok@example.com,+491701234567,UTC,de,,,"spans\nthree\nlines"\n'
        "e,nonsense,,,,,,\n"
        "p,,12,,,,,\n"
        "t,,,Mars/Base,,,,\n"
        "l,,,,!!,,,\n"
        "k,,,,,no,fcm,\n"
        "q,,,,,token-aaaaaaa,pager,\n"
        ",x@example.com,,,,,,\n"
        "short,s@example.com\n"
        "long,,,,,,,,,more\n"
        f"{'x' * 129},,,,,,,\n"
        'bad "quote,,,,,,,\n'
        '"bad"quote,,,,,,,\n'
    )
    result = put(people, file)
    reasons = dict(problems(result))
    starts = {
        5: "email",
        6: "phone",
        7: "timezone",
        8: "locale",
        9: "push_token",
        10: "push_platform",
        11: "external_id",
    }
    assert {line: reason.split(":")[0] for line, reason in reasons.items() if line in starts} == starts
    assert 12 not in reasons and "has 10 fields, the header 8" in reasons[13]
    assert "at most 128" in reasons[14] and "CSV" in reasons[16]
    assert set(stored(people)) == {"ok", "short", 'bad "quote'}
    assert (result.rows, result.rejected) == (13, 10)


def test_many_problems_are_counted_and_the_first_thousand_listed(people: People) -> None:
    result = put(people, "external_id,email\n" + "x,bad\n" * 1500)
    assert (result.rejected, len(result.problems)) == (1500, 1000)


def test_locales_and_zones_are_stored_in_canonical_case_and_bad_ones_are_reported(people: People) -> None:
    good = "1,pt_BR,europe/vienna\n2,DE,UTC\n3,zh-hans-cn,\n"
    result = put(people, f"external_id,locale,timezone\n{good}4,klingon,\n5,de at,\n6,,localtime\n7,,Factory\n")
    kept = {(r.locale, r.timezone) for r in stored(people).values()}
    assert kept == {("pt-BR", "Europe/Vienna"), ("de", "UTC"), ("zh-Hans-CN", "")}
    fields = [(line, reason.partition(":")[0]) for line, reason in problems(result)]
    assert fields == [(5, "locale"), (6, "locale"), (7, "timezone"), (8, "timezone")]
