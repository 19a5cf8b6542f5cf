"""Addresses over a real server, which decodes them before the application reads them."""

from __future__ import annotations

import pytest

from tenants.models import Recipient
from tests.fixtures import People
from tests.inbox.web import Web
from tests.web.raw import HOST, Answer, request

pytestmark = pytest.mark.django_db(transaction=True)


def put(web: Web, key: str, address: str) -> Answer:
    headers = f"{HOST}Authorization: Bearer {key}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
    return request(web, f"PUT {address} HTTP/1.1\r\n{headers}\r\n{{}}")


def test_which_recipient_an_address_names(web: Web, people: People) -> None:
    created = ["/v1/recipients/team", "/v1/recipients/team%2Fpreferences", "/v1/recipients/M%C3%BCller"]
    assert [put(web, people.acme_key, address).status for address in created] == [201] * 3
    again = ["/v1/recipients/%74eam", "/v1/%72ecipients/team%2fpreferences", "/v1/recipients/team/preferences"]
    assert [put(web, people.acme_key, address).status for address in again] == [200] * 3
    refused = {
        "/v1/recipients/team/": 404,
        "/v1/recipients/team/preferences/": 404,
        "/v1/recipients/team//preferences": 404,
        "/v1/recipients/%00": 404,
        "/v1/recipients/M%FCller": 400,
        "/v1/recipients/M%E4ller": 400,
        "/v1/recipients/100%": 400,
        "/v1/recipients/..": 400,
    }
    assert {address: put(web, people.acme_key, address).status for address in refused} == refused
    assert set(Recipient.objects.values_list("external_id", flat=True)) == {"team", "team/preferences", "Müller"}
