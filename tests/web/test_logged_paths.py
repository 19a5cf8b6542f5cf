"""The log names the page of a link, and not its token."""

from __future__ import annotations

import pytest
from django.test import Client
from structlog.testing import capture_logs

from notifier.logs import loggable
from tenants.models import Recipient
from tests.fixtures import People
from tests.web.test_preferences_page import path_of


@pytest.mark.django_db
def test_the_log_has_no_token_of_a_link(people: People, client: Client) -> None:
    ann = Recipient.objects.create(tenant=people.acme, external_id="ann")
    with capture_logs() as lines:
        client.get(path_of(ann))
    assert [line["path"] for line in lines if line["event"] == "request"] == ["/preferences/…"]
    assert loggable("Not Found: //preferences/AbC-_/") == "Not Found: //preferences/…"
