"""A process that imports only what a worker imports: what the layers above register is there (`AppConfig.ready`)."""

from __future__ import annotations

import os
import subprocess
import sys
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.db import connection

from campaigns.lifecycle.running import stopping
from inbox.models import InboxMessage
from notifier.delivery.infra import redis
from notifier.local.processes.programs import PROJECT
from notifier.models import Delivery
from notifier.vocabulary.status import QueuePosition, Status
from tests.delivery.build import Shop, an_order
from tests.delivery.scenes import a_campaign, of_campaign, running

pytestmark = pytest.mark.django_db(transaction=True)

#: what `celery worker` does before its first task, but for the import of the task modules of other packages
DELIVER = """
from notifier.celery import app
import django
django.setup()
from notifier.tasks import deliver_queue
deliver_queue("in_app.bulk")
"""


def run(code: str) -> None:
    """In a Python of its own, on the test's database."""
    url = urlsplit(os.environ["DATABASE_URL"])
    database = urlunsplit(url._replace(path=f"/{connection.settings_dict['NAME']}"))
    environ = {**os.environ, "DATABASE_URL": database, "DJANGO_SETTINGS_MODULE": "notifier.settings"}
    ran = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, env=environ, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


def test_a_retry_that_comes_back_after_a_stop_does_not_leave(market: Shop) -> None:
    campaign = running(a_campaign(market))
    stopping.stop(campaign.tenant_id, campaign.pk)
    back = {"status": Status.QUEUED, "queue_position": QueuePosition.HAS_TURN, "attempt": 1}
    content = {"title": "Hi", "body": "Order 7"}
    Delivery.objects.filter(campaign_id=campaign.pk).update(**back, content=content)
    market.accept(an_order())
    run(DELIVER)
    assert Delivery.objects.get(campaign_id=None).status == Status.DELIVERED
    assert of_campaign(campaign) == ["cancelled"]
    assert InboxMessage.objects.filter(tenant=market.tenant).count() == 1


def test_a_process_that_imported_no_task_wakes_the_workers() -> None:
    run("import django; django.setup(); from notifier.delivery.wakeup import signal; signal.notify(['test-signal'])")
    assert redis.client().llen("test-signal") == 1
    redis.client().delete("test-signal")
