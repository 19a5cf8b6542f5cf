"""One token of many at once: requests and imports that register it end with one row, and none of them fails."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections

from tenants.imports import import_recipients
from tenants.models import Device, Recipient
from tenants.people import devices
from tests.fixtures import People

pytestmark = pytest.mark.django_db(transaction=True)
THREADS = 50


def at_once(work: Any, count: int) -> list[Any]:
    """`work(n)` for each n, on connections of their own."""

    def one(n: int) -> Any:
        try:
            return work(n)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def test_fifty_registrations_of_one_token_for_two_people_leave_one_device(people: People) -> None:
    pair = [Recipient.objects.create(tenant=people.acme, external_id=name) for name in ("ada", "bob")]

    def register(n: int) -> bool:
        return devices.register(pair[n % 2], "fcm", "token-of-both", f"app {n % 3}" if n % 4 else None)[1]

    assert sum(at_once(register, THREADS)) == 1
    [device] = Device.objects.all()
    assert device.recipient in pair


def test_imports_and_registrations_of_one_token_at_once_leave_one_device(people: People) -> None:
    pair = [Recipient.objects.create(tenant=people.acme, external_id=name) for name in ("ada", "bob")]
    tokens = [f"token-number-{n}" for n in range(30)]

    def work(n: int) -> None:
        if n % 2:
            for token in tokens if n % 4 == 1 else reversed(tokens):
                devices.register(pair[n % 4 == 1], "fcm", token, "shop")
        else:
            name, app = (("ada", ""), ("bob", "news"))[n % 4 == 0]
            rows = "".join(f"{name},{token},{app}\n" for token in tokens)
            import_recipients(people.acme.pk, io.BytesIO(f"external_id,push_token,app\n{rows}".encode()))

    at_once(work, 12)
    assert sorted(Device.objects.values_list("token", flat=True)) == sorted(tokens)
