"""A worker reads large lists: what the API and the admin show meanwhile, and what a killed worker leaves."""

from __future__ import annotations

import csv
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.urls import reverse

from campaigns import arming
from campaigns.edit import uploads
from campaigns.models import Audience, AudienceMember, Campaign
from notifier.errors import Conflict
from tenants.imports import jobs
from tenants.models import AuditLog, Import, Tenant, User
from tests.campaigns.api.conftest import Api, AsWeb
from tests.campaigns.conftest import Browser, Site, armed, page, text

LARGE = uploads.AT_ONCE + 5_000


@pytest.fixture(autouse=True)
def _uploads_elsewhere(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = str(tmp_path)


@pytest.fixture
def api(site: Site, as_web: AsWeb) -> Api:
    return Api(site.people.acme_key, as_web)


def large(*first: str, rows: int = LARGE) -> bytes:
    """A file of these ids, and of so many ids without a recipient."""
    return "\n".join(["external_id", *first, *(f"nobody-{n}" for n in range(rows))]).encode()


def a_list(tenant: Tenant, *external_ids: str) -> Audience:
    audience = Audience.objects.create(tenant=tenant, name="List", source="list", size=len(external_ids))
    for external_id in external_ids:
        AudienceMember.objects.create(tenant=tenant, audience=audience, external_id=external_id)
    return audience


def members(audience: Audience) -> list[str]:
    return list(AudienceMember.objects.filter(audience=audience).order_by("id").values_list("external_id", flat=True))


def put(audience: Audience, content: bytes) -> Import:
    return uploads.put(audience, uploads.Upload(ContentFile(content, name="list.csv")))


def test_a_large_csv_is_accepted_and_loaded_by_a_worker(site: Site, api: Api) -> None:
    member_list = a_list(site.acme, "ada")
    address = f"/v1/audiences/{member_list.pk}/members"
    status, report = api("PUT", address, large("ada", "bob", "bob"), content_type="text/csv")
    assert (status, report["state"], report["stored"]) == (202, "waiting", 0)
    assert members(member_list) == ["ada"]
    assert api("GET", address)[1]["state"] == "waiting"
    assert api("GET", f"/v1/audiences/{member_list.pk}")[1]["loading"] is True
    assert jobs.run_waiting() == 1
    status, report = api("GET", address)
    assert (status, report["state"], report["rows"], report["stored"], report["duplicates"]) == (
        200,
        "done",
        LARGE + 3,
        LARGE + 2,
        1,
    )
    assert (report["known"], report["unknown"], report["unknown_ids"][:2]) == (2, LARGE, ["nobody-0", "nobody-1"])
    assert members(member_list)[:3] == ["ada", "bob", "nobody-0"]
    shown = api("GET", f"/v1/audiences/{member_list.pk}")[1]
    assert (shown["size"], shown["reaches"], shown["loading"]) == (LARGE + 2, 2, False)
    assert set(AuditLog.objects.values_list("action", flat=True)) >= {"audience.fill", "import.done"}


def test_a_small_csv_is_stored_at_once_and_read_at_the_same_address(site: Site, api: Api) -> None:
    member_list = a_list(site.acme)
    address = f"/v1/audiences/{member_list.pk}/members"
    assert api("GET", address)[0] == 404
    status, report = api("PUT", address, b"external_id\nada\n,\nnobody\n", content_type="text/csv")
    assert (status, report["state"], report["known"]) == (200, "done", 1)
    assert api("GET", address) == (200, report)
    status, report = api("PUT", address, {"external_ids": ["bob"]})
    assert (status, report["stored"]) == (200, 1)
    assert api("GET", address) == (200, report)


def test_too_many_ids_in_json_are_refused_with_the_field(site: Site, api: Api) -> None:
    member_list = a_list(site.acme, "ada")
    ids = [str(n) for n in range(uploads.AT_ONCE + 1)]
    status, problem = api("PUT", f"/v1/audiences/{member_list.pk}/members", {"external_ids": ids})
    assert (status, problem["field"], problem["code"]) == (400, "external_ids", "max_length")
    assert members(member_list) == ["ada"]


def test_another_tenants_upload_is_not_found(site: Site, as_web: AsWeb) -> None:
    member_list = a_list(site.acme)
    put(member_list, b"ada\n")
    assert Api(site.people.globex_key, as_web)("GET", f"/v1/audiences/{member_list.pk}/members")[0] == 404


@pytest.mark.parametrize("content", [b"email\n" + b"a@example.com\n" * LARGE, b"PK\x03\x04" + b"\n" * LARGE])
def test_a_file_whose_first_line_is_no_list_is_refused_at_once(site: Site, api: Api, content: bytes) -> None:
    member_list = a_list(site.acme, "ada")
    status, problem = api("PUT", f"/v1/audiences/{member_list.pk}/members", content, content_type="text/csv")
    assert (status, problem["code"]) == (400, "file_refused")
    assert not Import.objects.exists()


@pytest.mark.parametrize("end", ["é\n".encode("latin-1"), b'"never closed\n'])
def test_a_large_file_that_breaks_off_changes_nothing_and_says_why(site: Site, api: Api, end: bytes) -> None:
    member_list = a_list(site.acme, "ada")
    assert put(member_list, large() + b"\n" + end).state == "waiting"
    jobs.run_waiting()
    report = api("GET", f"/v1/audiences/{member_list.pk}/members")[1]
    assert report["state"] == "refused" and "ine 2500" in report["failure"]
    assert members(member_list) == ["ada"]


def test_a_large_file_without_a_usable_id_changes_nothing(site: Site) -> None:
    member_list = a_list(site.acme, "ada")
    put(member_list, b"external_id,x\n" + b",1\n" * LARGE)
    jobs.run_waiting()
    job = Import.objects.get()
    assert (job.state, members(member_list)) == ("refused", ["ada"]) and "has no external_id" in job.failure


def test_a_list_that_is_being_loaded_cannot_be_armed_or_replaced(site: Site, api: Api) -> None:
    member_list = a_list(site.acme, "ada")
    draft = site.draft(audience=member_list)
    put(member_list, large("bob"))
    with pytest.raises(Conflict, match="still being loaded"):
        arming.request_arm(draft)
    status, problem = api("POST", f"/v1/campaigns/{draft.pk}/arm")
    assert (status, problem["code"]) == (409, "audience_loading")
    for body, kind in ((b"cy\n", "text/csv"), (b'{"external_ids": ["cy"]}', "application/json")):
        status, problem = api("PUT", f"/v1/audiences/{member_list.pk}/members", body, content_type=kind)
        assert (status, problem["code"]) == (409, "audience_loading")
    jobs.run_waiting()
    armed(draft)
    assert draft.audience_size == LARGE + 1


def test_a_campaign_armed_with_the_old_list_is_a_draft_once_the_new_list_is_loaded(site: Site) -> None:
    member_list = a_list(site.acme, "ada")
    campaign = armed(site.draft(audience=member_list))
    put(member_list, large("bob"))
    campaign.refresh_from_db()
    assert campaign.state == Campaign.State.ARMED
    jobs.run_waiting()
    campaign.refresh_from_db()
    assert campaign.state == Campaign.State.DRAFT


def test_the_import_of_a_deleted_audience_is_refused_with_the_reason(site: Site) -> None:
    member_list = a_list(site.acme)
    put(member_list, large())
    member_list.delete()
    jobs.run_waiting()
    assert Import.objects.get().state == "refused" and "deleted" in Import.objects.get().failure


# ---- the admin ---------------------------------------------------------------------------------------------------

Browse = Callable[[User], Browser]


def test_the_page_of_an_audience_shows_how_far_its_list_is(site: Site, browser: Browse) -> None:
    ben = browser(site.people.ben)
    fields = {"tenant": site.acme.pk, "name": "Large", "source": "list", "filter": ""}
    answer = ben.post("/admin/campaigns/audience/add/", **fields, upload=SimpleUploadedFile("large.csv", large("ada")))
    assert "read in the background" in text(answer)
    member_list = Audience.objects.get(name="Large")
    change = reverse("admin:campaigns_audience_change", args=[member_list.pk])
    Import.objects.update(rows=7_000)
    waiting = ben.get(change)
    assert "large.csv is being read 7,000 rows so far" in text(waiting)
    assert b'http-equiv="refresh"' in waiting.content and b"<progress" in waiting.content
    upload = reverse("admin:campaigns_audience_upload", args=[member_list.pk])
    assert "still being loaded" in text(ben.post(upload, upload=SimpleUploadedFile("other.csv", b"bob\n")))
    jobs.run_waiting()
    done = ben.get(change)
    assert "1 are recipients, 25,000 are not: nobody-0" in text(done) and b'http-equiv="refresh"' not in done.content
    assert "large.csv" not in text(ben.get("/admin/tenants/import/"))


def test_the_page_of_an_audience_says_why_its_last_file_changed_nothing(site: Site, browser: Browse) -> None:
    member_list = a_list(site.acme, "ada")
    put(member_list, large() + b"\n\xff\n")
    jobs.run_waiting()
    shown = text(browser(site.people.ben).get(reverse("admin:campaigns_audience_change", args=[member_list.pk])))
    assert "The last file, list.csv, changed nothing. It is not UTF-8" in shown


def test_a_campaign_with_a_large_file_is_created_at_once_and_waits_for_it(site: Site, browser: Browse) -> None:
    ben = browser(site.people.ben)
    given = {"tenant": site.acme.pk, "name": "Big", "template": site.template.pk, "data": '{"what": "Spring"}'}
    file = SimpleUploadedFile("large.csv", large("ada"))
    answer = ben.post("/admin/campaigns/campaign/add/", **given, mode="live", audience="", upload=file)
    campaign = Campaign.objects.get()
    assert "The list of its audience is still being loaded : 0 rows so far" in text(answer)
    assert "still being loaded" in text(ben.post(page("arm", campaign), page("change", campaign)))
    jobs.run_waiting()
    assert "reaches 1 person now" in text(ben.get(page("change", campaign)))
    armed(campaign)


# ---- a killed worker ---------------------------------------------------------------------------------------------

WORKER = """
import django
django.setup()
from django.db import connection
connection.settings_dict["NAME"] = {name!r}
from tenants.imports import jobs
print("begins", flush=True)
jobs.run_waiting()
"""


@pytest.mark.django_db(transaction=True)
def test_a_killed_worker_leaves_the_old_list_and_the_next_worker_loads_the_new_one(site: Site, settings: Any) -> None:
    member_list = a_list(site.acme, "ada", "bob")
    job = put(member_list, large("cy", rows=60_000))
    with connection.cursor() as cursor:
        # the worker has written the new members, wants to count the recipients among them, and is killed there
        cursor.execute("BEGIN; LOCK TABLE tenants_recipient IN ACCESS EXCLUSIVE MODE")
        worker = _worker(settings)
        try:
            _until(lambda: _reading(job) and _waits_for_a_lock())
            os.kill(worker.pid, signal.SIGKILL)
            worker.wait(30)
        finally:
            worker.kill()
            cursor.execute("ROLLBACK")
    assert members(member_list) == ["ada", "bob"]
    job.refresh_from_db()
    assert (job.state, job.attempts) == ("running", 1)
    _until(lambda: jobs.run_waiting() == 1)
    job.refresh_from_db()
    assert (job.state, job.attempts, len(members(member_list))) == ("done", 2, 60_001)


def _worker(settings: Any) -> subprocess.Popen[bytes]:
    """A process with the servers of this one, which tests/settings.py named in the environment."""
    given = {"DJANGO_SETTINGS_MODULE": "notifier.settings", "UPLOADS_DIR": str(settings.MEDIA_ROOT)}
    script = WORKER.format(name=connection.settings_dict["NAME"])
    return subprocess.Popen([sys.executable, "-c", script], env={**os.environ, **given})


def _reading(job: Import) -> bool:
    return bool(Import.objects.filter(pk=job.pk, state="running", rows__gte=60_000).exists())


def _waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT 1 FROM pg_locks l WHERE NOT l.granted AND l.locktype = 'relation')")
        return bool(cursor.fetchone()[0])


def _until(holds: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.05)


def left_out(job: Import) -> list[list[str]]:
    with default_storage.open(job.left_out, "rb") as file:
        return list(csv.reader(io.StringIO(file.read().decode("utf-8-sig"))))


def test_a_small_and_a_large_list_report_the_same_rows(site: Site) -> None:
    rows = ["external_id", "ada", "=nobody", "bob", "ada", "x" * 129, "=nobody"]
    small, big = a_list(site.acme), Audience.objects.create(tenant=site.acme, name="Big", source="list")
    at_once = put(small, "\n".join(rows).encode())
    later = put(big, "\n".join([*rows, *["bob"] * LARGE]).encode())
    jobs.run_waiting()
    later.refresh_from_db()
    assert later.state == "done" and at_once.state == "done"
    expected = [
        ["notifier_line", "notifier_problem", "external_id"],
        ["3", "is no recipient", "'=nobody"],
        ["5", "is repeated; line 2 has it first", "ada"],
        ["7", "is repeated; line 3 has it first", "'=nobody"],
    ]
    for job in (at_once, later):
        shown = left_out(job)
        (bad,) = [row for row in shown if row[0] == "6"]
        assert bad[2] == "x" * 129
        assert [row for row in shown if row[0] != "6"][:4] == expected
    assert left_out(later)[-1] == [str(LARGE + 7), "is repeated; line 4 has it first", "bob"]


def test_mended_rows_are_added_to_the_list(site: Site) -> None:
    member_list = a_list(site.acme, "ada")
    added = uploads.put(member_list, uploads.Upload(ContentFile(b"bob\nada\nnobody\n", name="x.csv"), add=True))
    assert (added.list_report["stored"], added.list_report["duplicates"]) == (2, 1)
    assert (added.list_report["known"], added.list_report["unknown"]) == (2, 1)
    uploads.put(member_list, uploads.Upload(ContentFile(large("cy"), name="x.csv"), add=True))
    jobs.run_waiting()
    member_list.refresh_from_db()
    assert member_list.size == 4 + LARGE == AudienceMember.objects.filter(audience=member_list).count()
    assert members(member_list)[:4] == ["ada", "bob", "nobody", "cy"]
    # a repeated file is no error when its ids are in the list already
    again = uploads.put(member_list, uploads.Upload(ContentFile(b"bob\n", name="x.csv"), add=True))
    assert again.list_report["stored"] == 0
