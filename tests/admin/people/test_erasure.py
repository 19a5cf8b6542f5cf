"""Erasing people in the admin: an owner chooses them in the list, and is asked first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tenants.models import AuditLog, Erasure, Recipient, User
from tests.admin.conftest import Browser, Site, url

pytestmark = pytest.mark.django_db


def choose(browser: Browser, person: Recipient, **fields: str) -> Any:
    return browser.post(url(Recipient, "changelist"), {"action": "erase", "_selected_action": str(person.pk), **fields})


def test_an_owner_is_asked_before_a_person_is_erased(site: Site, log_in: Callable[[User], Browser]) -> None:
    person: Recipient = site.acme_rows[Recipient]
    owner = log_in(site.people.ana)
    Erasure.objects.all().delete()
    question = choose(owner, person)
    assert person.external_id in question.content.decode()
    person.refresh_from_db()
    assert person.status == "active"
    assert choose(owner, person, confirmed="yes").status_code == 302
    person.refresh_from_db()
    assert (person.status, person.email, Erasure.objects.get().recipient_id) == ("erased", "", person.pk)
    assert AuditLog.objects.get(action="recipient.erase").user == site.people.ana


def test_others_cannot_erase(site: Site, log_in: Callable[[User], Browser]) -> None:
    theirs: Recipient = site.globex_rows[Recipient]
    choose(log_in(site.people.ana), theirs, confirmed="yes")
    choose(log_in(site.people.ben), site.acme_rows[Recipient], confirmed="yes")
    assert set(Recipient.objects.values_list("status", flat=True)) == {"active"}


def test_nothing_is_written_to_an_erased_person_again(site: Site, log_in: Callable[[User], Browser]) -> None:
    gone = Recipient.objects.create(tenant=site.people.acme, external_id="gone", status="erased")
    page = url(Recipient, "change", gone.pk)
    owner = log_in(site.people.ana)
    assert owner.get(page).status_code == 200
    assert owner.post(page, {"email": "gone@example.com", "attributes": "{}", "status": "active"}).status_code == 403
    gone.refresh_from_db()
    assert (gone.email, gone.status) == ("", "erased")
