"""Uploads become imports once, whatever happens to their worker."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from tenants import tasks
from tenants.imports import jobs
from tenants.models import AuditLog, Import, Recipient
from tests.fixtures import People

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _uploads_elsewhere(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = str(tmp_path)


def upload(people: People, content: bytes) -> Import:
    file = ContentFile(content, name="../../people.csv")
    return jobs.submit(jobs.new_import(people.acme, file, people.ana), file)


def test_an_upload_is_imported_reported_recorded_and_deleted(people: People) -> None:
    job = upload(people, b"external_id,email,points\n1,a@example.com,5\n2,bad,6\n")
    file = job.stored
    assert jobs.run_waiting() == 1 and jobs.run_waiting() == 0
    job.refresh_from_db()
    assert (job.state, job.rows, job.created, job.rejected) == ("done", 2, 1, 1)
    assert job.columns == [["points", "number", []]]
    assert job.problems == [[3, "email: 'bad' is no email address."]]
    assert not default_storage.exists(file) and job.stored == ""
    assert list(AuditLog.objects.order_by("id").values_list("action", flat=True)) == ["import.uploaded", "import.done"]


def test_the_persons_file_name_never_becomes_a_path(people: People) -> None:
    assert upload(people, b"external_id\n1\n").stored.startswith("imports/")


def test_a_refused_upload_says_why(people: People) -> None:
    job = upload(people, "external_id\n1\né\n".encode("latin-1"))
    jobs.run_waiting()
    job.refresh_from_db()
    assert job.state == "refused" and "line 3" in job.failure
    assert not Recipient.objects.exists()


def test_an_import_whose_worker_died_starts_again_and_is_given_up_at_last(people: People) -> None:
    job = upload(people, b"external_id\n1\n")
    Import.objects.filter(pk=job.pk).update(state="running", attempts=1)
    jobs.run_waiting()
    job.refresh_from_db()
    assert job.state == "done"
    Import.objects.filter(pk=job.pk).update(state="running", attempts=3)
    jobs.run_waiting()
    job.refresh_from_db()
    assert job.state == "failed"


def test_a_file_that_is_missing_from_storage_is_reported(people: People) -> None:
    job = upload(people, b"external_id\n1\n")
    default_storage.delete(job.stored)
    jobs.run_waiting()
    job.refresh_from_db()
    assert job.state == "failed" and "upload it again" in job.failure


def test_a_file_that_a_dead_worker_left_after_the_end_is_deleted(people: People) -> None:
    ended, waiting = upload(people, b"external_id\n1\n"), upload(people, b"external_id\n2\n")
    Import.objects.filter(pk=ended.pk).update(state="done")
    tasks.forget_left_out_rows()
    assert not default_storage.exists(ended.stored) and default_storage.exists(waiting.stored)
    ended.refresh_from_db()
    assert ended.stored == ""


def test_an_import_that_the_storage_breaks_off_does_not_end_the_others(people: People, tmp_path: Any) -> None:
    broken, whole = upload(people, b"external_id\n1\n"), upload(people, b"external_id\n2\n")
    (tmp_path / broken.stored).unlink()
    (tmp_path / broken.stored).mkdir()  # opening it is an error, and not that it is missing
    assert jobs.run_waiting() == 1
    whole.refresh_from_db()
    broken.refresh_from_db()
    assert (whole.state, broken.state, broken.attempts) == ("done", "running", 1)
