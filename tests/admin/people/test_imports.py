"""The page of imports: people and consents are uploaded, followed, and what was left out is downloaded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from tenants.imports import jobs
from tenants.models import Import, User
from tests.admin.conftest import Browser, Site

pytestmark = pytest.mark.django_db
LogIn = Callable[[User], Browser]


def upload(browser: Browser, site: Site, content: bytes, **fields: Any) -> Import:
    data = {"tenant": str(site.people.acme.pk), "file": SimpleUploadedFile("file.csv", content), **fields}
    before = set(Import.objects.values_list("pk", flat=True))
    answer = browser.post(reverse("admin:tenants_import_add"), data)
    assert answer.status_code == 302, answer.content.decode()[-3000:]
    return Import.objects.exclude(pk__in=before).get()


def test_an_import_is_followed_and_its_bad_rows_are_downloaded(site: Site, log_in: LogIn, vera: User) -> None:
    browser = log_in(site.people.ben)
    job = upload(browser, site, b"external_id,email\nnew-1,x@example.com\nnew-2,wrong\n")
    progress, file = (reverse(f"admin:tenants_import_{name}", args=[job.pk]) for name in ("progress", "left_out"))
    assert browser.get(progress).json()["running"] is True
    jobs.run_waiting()
    assert browser.get(progress).json() == {"running": False, "percent": 100, "text": "2 rows read, 1 left out."}
    assert file in browser.get(reverse("admin:tenants_import_change", args=[job.pk])).content.decode()
    content = b"".join(browser.get(file).streaming_content).decode("utf-8-sig")
    assert content.splitlines()[0] == "notifier_line,notifier_problem,external_id,email" and "new-2,wrong" in content
    assert log_in(vera).get(file).status_code == 403, "a viewer sees no addresses by the thousand"
    stranger = log_in(site.people.cleo)
    assert stranger.get(progress).status_code == stranger.get(file).status_code == 404


def test_consents_are_uploaded_in_the_admin_and_their_header_is_checked_at_once(site: Site, log_in: LogIn) -> None:
    browser = log_in(site.people.ben)
    header = b"external_id,category,consent,at,source\n"
    job = upload(browser, site, header + b"nobody,news,yes,2024-05-01,form\n", holds="consents")
    jobs.run_waiting()
    job.refresh_from_db()
    assert (job.kind, job.state, job.rejected) == ("consents", "done", 1)
    data = {"tenant": str(site.people.acme.pk), "holds": "consents"}
    wrong = SimpleUploadedFile("file.csv", b"external_id,email\n")
    answer = browser.post(reverse("admin:tenants_import_add"), {**data, "file": wrong})
    assert answer.status_code == 200 and "Unknown column" in answer.content.decode()
