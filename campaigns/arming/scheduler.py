"""Whose campaign is armed next: the tenant's who has waited longest, a slice at a time."""

from __future__ import annotations

import time
import uuid

from django.conf import settings
from django.db import connection
from django.db.models.functions import Now

from campaigns.arming import run
from campaigns.arming.memory import limited_memory
from campaigns.models import Campaign
from notifier.channels.queues import BATCH
from notifier.tasks import post, waiting
from tenants.batch_slots import batch_slot

#: processor seconds of a slice up to which a campaign may have every process: ten thousand people of an ordinary
#: template take 0.3, and whoever comes meanwhile has the next turn
QUICK_CPU_SECONDS = 2.0

# a tenant's last turn is that of any of its campaigns, also of one that is armed by now; older ones do not matter
_NEXT = """
SELECT c.id, c.tenant_id FROM campaigns_campaign c
LEFT JOIN (
  SELECT tenant_id, max(turn_at) AS turn_at FROM campaigns_campaign WHERE turn_at > now() - interval '10 minutes'
  GROUP BY tenant_id) t ON t.tenant_id = c.tenant_id
WHERE c.state = 'arming'
ORDER BY t.turn_at NULLS FIRST, c.turn_at NULLS FIRST, c.id
"""


def arm_next() -> None:
    """Arm a slice of the campaign whose turn it is, and ring for the rest of it. A doorbell is not bound to the
    campaign that rang: ten of one tenant do not stand before one of another."""
    for campaign_id, tenant_id in _order():
        with batch_slot(tenant_id) as mine:
            if not mine or not run.begin(campaign_id):
                continue
            Campaign.objects.filter(pk=campaign_id).update(turn_at=Now())
            done, quick = _one_range(campaign_id)
        if not done:
            _go_on(campaign_id, quick=quick)
        return


def arm_beside_others(campaign_id: uuid.UUID) -> None:
    """Arm slices of a campaign whose slices are quick, beside other processes, until somebody else waits."""
    began = time.thread_time()

    def leave() -> bool:
        nonlocal began
        slow = time.thread_time() - began > QUICK_CPU_SECONDS
        began = time.thread_time()
        return slow or bool(waiting(BATCH))

    with limited_memory():
        done = run.arm_ranges(campaign_id, pause=leave)
    if not done:
        post("campaigns.arm", str(campaign_id), queue=BATCH)


def _order() -> list[tuple[uuid.UUID, uuid.UUID]]:
    with connection.cursor() as cursor:
        cursor.execute(_NEXT)
        return list(cursor.fetchall())


def _one_range(campaign_id: uuid.UUID) -> tuple[bool, bool]:
    """Whether nothing is left to do, and whether it was quick."""
    began = time.thread_time()
    with limited_memory():
        done = run.arm_ranges(campaign_id, pause=lambda: True)
    return done, time.thread_time() - began < QUICK_CPU_SECONDS


def _go_on(campaign_id: uuid.UUID, *, quick: bool) -> None:
    if not quick or waiting(BATCH):
        post("campaigns.arm", str(campaign_id), queue=BATCH)
        return
    for _ in range(settings.BATCH_PROCESSES - 1):
        post("campaigns.arm_ranges", str(campaign_id), queue=BATCH)
    arm_beside_others(campaign_id)
