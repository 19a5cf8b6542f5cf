"""The admin's page of receipts that no worker could read."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from notifier.delivery.receipts.reading import read_receipts
from notifier.models import Receipt
from tests.fixtures import People, as_web_role
from tests.receipts.deliveries import a_delivery, status_of
from tests.receipts.reporter import SIGNATURE, an_account, path_of, report

pytestmark = pytest.mark.django_db


def test_an_owner_sees_what_came_and_has_it_read_again(people: People) -> None:
    account = an_account(people.acme)
    delivery = a_delivery(account)
    body = b'[{"kind": "delivered", "delivery_id": "%s"}' % str(delivery.pk).encode()
    Client().post(path_of(account), body, content_type="application/json", headers=SIGNATURE)
    read_receipts()
    receipt = Receipt.objects.get()
    page = reverse("admin:notifier_receipt_change", args=[receipt.pk])
    pages = {}
    for user in (people.ana, people.ben, people.cleo):
        client = Client()
        client.force_login(user)
        with as_web_role():
            answer = client.get(page)
        pages[user.username] = answer.content.decode() if answer.status_code == 200 else ""
    assert "application/json" in pages["ana"] and str(delivery.pk) in pages["ana"]
    assert path_of(account).rpartition("/")[2] not in pages["ana"]
    assert (pages["ben"], pages["cleo"]) == ("", "")
    owner = Client()
    owner.force_login(people.ana)
    with as_web_role():
        owner.post(
            reverse("admin:notifier_receipt_changelist"),
            {"action": "read_again", "_selected_action": [str(receipt.pk)]},
        )
    receipt.refresh_from_db()
    assert receipt.state == Receipt.State.NEW
    read_receipts()
    receipt.refresh_from_db()
    assert receipt.state == Receipt.State.UNREADABLE
    report(account, {"kind": "delivered", "delivery_id": str(delivery.pk)})
    read_receipts()
    assert status_of(delivery) == "delivered"
