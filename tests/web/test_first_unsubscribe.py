"""An unsubscribe that comes first, before the recipient has any preferences, while another surface changes them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.db import connection, transaction
from django.test import Client

from notifier.api.people.preferences import change
from notifier.delivery.content.links.preferences_link import new_link, url_of
from tenants.models import Category, Preference, Recipient
from tenants.people.opt_out import opt_out
from tests.fixtures import People

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ann(people: People) -> Recipient:
    for key in ("news", "orders"):
        Category.objects.create(tenant=people.acme, key=key, name=key.title(), kind="marketing")
    return Recipient.objects.create(tenant=people.acme, external_id="ann", email="ann@mail.example")


@contextmanager
def while_ann_unsubscribes(ann: Recipient, change_preferences: Callable[[], object]) -> Iterator[None]:
    """Her unsubscribe from `news` by email is committed when the change waits for it."""

    def call() -> None:
        try:
            change_preferences()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as thread:
        with transaction.atomic():
            opt_out(ann.tenant_id, ann.pk, "email", "news")
            called = thread.submit(call)
            wait_for_a_lock()
        called.result()
        yield


def wait_for_a_lock() -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_locks WHERE NOT granted AND transactionid IS NOT NULL")
            if cursor.fetchone():
                return
        time.sleep(0.01)
    raise AssertionError("nothing waits for the unsubscribe")


def opt_outs(ann: Recipient) -> list[str]:
    return sorted(Preference.objects.get(recipient=ann).categories_off)


def test_the_page_keeps_it(ann: Recipient) -> None:
    path = "/" + url_of(new_link(ann.tenant_id, ann.pk)).split("/", 3)[3]
    boxes = [f"category.{key}.{channel}" for key in ("news", "orders") for channel in ("email", "in_app")]
    form = {"shown": boxes, "was_on": boxes, "on": boxes[:3], "quiet_from": "", "quiet_until": ""}
    with while_ann_unsubscribes(ann, lambda: Client().post(path, form)):
        assert opt_outs(ann) == ["news:email", "orders:in_app"]


def test_a_change_that_does_not_name_the_category_keeps_it(ann: Recipient) -> None:
    with while_ann_unsubscribes(ann, lambda: change(ann.tenant_id, ann.pk, {"language": "de"})):
        assert opt_outs(ann) == ["news:email"] and Preference.objects.get().language == "de"
