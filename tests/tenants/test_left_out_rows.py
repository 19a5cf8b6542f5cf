"""The rows that an import leaves out come back as a file, which is mended and uploaded again."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from notifier.values.csv_cells import csv_stream, formula_safe, without_mark
from tenants import audit, erasure
from tenants.imports import UnreadableFile, jobs, left_out
from tenants.models import Category, Import, OptInProof, Preference, Recipient
from tests.fixtures import People

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _uploads_elsewhere(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = str(tmp_path)


def run(people: People, content: str, kind: Import.Kind = Import.Kind.RECIPIENTS) -> Import:
    file = ContentFile(content.encode(), name="people.csv")
    job = jobs.submit(jobs.new_import(people.acme, file, people.ana, kind), file)
    jobs.run_waiting()
    job.refresh_from_db()
    assert job.state == Import.State.DONE, job.failure
    return job


def lines(job: Import) -> list[list[str]]:
    with default_storage.open(job.left_out, "rb") as file:
        return list(csv.reader(io.StringIO(file.read().decode("utf-8-sig"))))


@pytest.mark.parametrize(
    ("cell", "safe"),
    [("=1+1", "'=1+1"), ("+43660", "'+43660"), ("-5", "'-5"), ("@x", "'@x"), ("\tx", "'\tx"), ("a=b", "a=b"), ("", "")],
)
def test_a_formula_is_marked_and_the_mark_comes_off(cell: str, safe: str) -> None:
    assert formula_safe(cell) == safe and without_mark(safe) == cell


def test_a_text_that_begins_with_an_apostrophe_stays() -> None:
    assert without_mark("'tis") == "'tis" and formula_safe("'tis") == "'tis"


def test_a_stream_has_one_header_and_every_row() -> None:
    text = b"".join(csv_stream(["a", "b"], ([n, f"={n}"] for n in range(1_201)))).decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0] == ["a", "b"] and len(rows) == 1_202 and rows[-1] == ["1200", "'=1200"]


def test_left_out_people_are_mended_and_uploaded_again(people: People) -> None:
    Recipient.objects.create(tenant=people.acme, external_id="gone", status="erased")
    job = run(
        people,
        "external_id,email,phone,plan\n"
        "ada,ada@example.com,,pro\n"
        "bob,wrong,+436601234567,=cmd()\n"
        "cy,cy@example.com,,free,surplus\n"
        "gone,gone@example.com,,pro\n",
    )
    assert (job.created, job.rejected) == (1, 3)
    assert [5, "external_id: 'gone' was erased and is not created again"] in job.problems
    header, *rows = lines(job)
    assert header == ["notifier_line", "notifier_problem", "external_id", "email", "phone", "plan"]
    assert sorted(rows) == [
        ["3", "email: 'wrong' is no email address.", "bob", "wrong", "'+436601234567", "'=cmd()"],
        ["4", "has 5 fields, the header 4", "cy", "cy@example.com", "", "free", "surplus"],
    ]
    with default_storage.open(job.left_out, "rb") as file:
        mended = file.read().decode().replace("wrong,", "bob@example.com,").replace(",surplus", "")
    again = run(people, mended)
    assert (again.created, again.rejected) == (2, 0)
    bob = Recipient.objects.get(tenant=people.acme, external_id="bob")
    assert (bob.phone, bob.attributes) == ("+436601234567", {"plan": "=cmd()"})


@pytest.mark.parametrize(
    ("kind", "content", "problems"),
    [
        (
            Import.Kind.RECIPIENTS,
            "email,customer-id,phone\ngone@example.com,gone,\ngone@,gone,\ngone@,gone,,surplus\n",
            [(line, "external_id: 'gone' was erased and is not created again") for line in (2, 3, 4)],
        ),
        (
            Import.Kind.CONSENTS,
            "external_id,category,consent,at,source\ngone,news,yes,2024-05-01,call of gone@example.com\n",
            [(2, "external_id: there is no such recipient")],
        ),
    ],
)
def test_nothing_but_the_id_of_an_erased_person_is_stored(
    people: People, kind: Import.Kind, content: str, problems: list[tuple[int, str]]
) -> None:
    Recipient.objects.create(tenant=people.acme, external_id="gone", status="erased")
    job = run(people, content, kind)
    assert (job.left_out, job.rejected) == ("", len(problems))
    assert sorted(job.problems) == [list(problem) for problem in problems]


def test_a_file_without_bad_rows_leaves_none(people: People) -> None:
    assert run(people, "external_id\nada\n").left_out == ""


def test_consents_are_imported_by_a_worker_once(people: People) -> None:
    ada = Recipient.objects.create(tenant=people.acme, external_id="ada")
    Category.objects.create(tenant=people.acme, key="news", name="News")
    content = (
        "external_id,category,consent,at,source\n"
        "ada,news,yes,2024-05-01T09:00:00Z,form\n"
        "nobody,news,yes,2024-05-01T09:00:00Z,form\n"
        "ada,news,maybe,2024-05-01,form\n"
    )
    job = run(people, content, Import.Kind.CONSENTS)
    assert (job.rows, job.updated, job.rejected) == (3, 1, 2)
    assert Preference.objects.get(recipient=ada).categories_on == ["news"]
    assert [row[:3] for row in sorted(lines(job)[1:])] == [
        ["3", "external_id: there is no such recipient", "nobody"],
        ["4", "consent: 'maybe' is neither yes nor no", "ada"],
    ]
    mended = default_storage.open(job.left_out, "rb").read().decode().replace("maybe", "yes")
    assert run(people, mended, Import.Kind.CONSENTS).updated == 1
    # a worker that died: the file is read again, and no proof is kept twice
    proofs = OptInProof.objects.count()
    run(people, content, Import.Kind.CONSENTS)
    assert OptInProof.objects.count() == proofs


def test_a_file_of_consents_without_its_columns_is_refused_at_once() -> None:
    with pytest.raises(UnreadableFile, match="'category' is missing"):
        jobs.check_header(ContentFile(b"external_id,consent,at,source\n", name="x.csv"), Import.Kind.CONSENTS)


def test_the_file_goes_after_a_week_and_when_a_person_is_erased(people: People) -> None:
    old, new = run(people, "external_id,email\nada,x\n"), run(people, "external_id,email\nbob,x\ncy,cy@example.com\n")
    Import.objects.filter(pk=old.pk).update(created_at=datetime.now(UTC) - timedelta(days=8))
    assert left_out.delete_old(datetime.now(UTC)) == 1
    assert not default_storage.exists(old.left_out) and default_storage.exists(new.left_out)
    erasure.request(Recipient.objects.get(external_id="cy"), audit.Actor(people.ana))
    erasure.run_open(datetime.now(UTC))
    assert not default_storage.exists(new.left_out)
    new.refresh_from_db()
    assert new.left_out == ""
