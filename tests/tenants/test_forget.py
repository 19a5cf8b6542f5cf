"""What is over is removed by the clock."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from tenants import tasks
from tests.fixtures import People


@pytest.mark.django_db
def test_sessions_that_are_over_are_removed_and_no_others(people: People) -> None:
    clients = Client(), Client()
    for client in clients:
        client.force_login(people.ana)
    over = Session.objects.order_by("session_key")[0]
    Session.objects.filter(pk=over.pk).update(expire_date=timezone.now() - timedelta(seconds=1))
    assert tasks.forget_sessions() == 1
    assert Session.objects.count() == 1
    assert sorted(client.get("/admin/").status_code for client in clients) == [200, 302]
