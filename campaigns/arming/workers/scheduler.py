"""Which campaign is armed next: that of the tenant that has waited longest, one range at a time."""

from __future__ import annotations

import time
import uuid
from typing import NamedTuple

from django.conf import settings
from django.db import connection
from django.db.models.functions import Now

from campaigns.arming.limits import LIMITS, ArmingLimits
from campaigns.arming.workers import run
from campaigns.arming.workers.memory import limited_memory
from campaigns.models import Campaign
from notifier.channels.queues import BATCH
from notifier.tasks import post, waiting
from notifier.vocabulary.load import Work
from tenants.batch_slots import batch_slot
from tenants.load_shedding import may_run


class _Candidate(NamedTuple):
    """The columns of _NEXT."""

    campaign_id: uuid.UUID
    tenant_id: uuid.UUID


# a tenant's last turn is the last turn of any of its campaigns, an armed campaign included; turns of more than ten
# minutes ago do not matter
_NEXT = """
SELECT c.id, c.tenant_id FROM campaigns_campaign c
LEFT JOIN (
  SELECT tenant_id, max(turn_at) AS turn_at FROM campaigns_campaign WHERE turn_at > now() - interval '10 minutes'
  GROUP BY tenant_id) t ON t.tenant_id = c.tenant_id
WHERE (c.state = 'arming' AND (%s OR c.launch_at IS NOT NULL))
  OR (c.state = 'running' AND c.id IN (SELECT campaign_id FROM campaigns_experiment WHERE arming_rest))
ORDER BY t.turn_at NULLS FIRST, c.turn_at NULLS FIRST, c.id
"""


def arm_next(limits: ArmingLimits = LIMITS) -> None:
    """Arm one range of the campaign whose turn it is, and post a task for the rest of it. A task is not bound to the
    campaign that posted it: ten tasks of one tenant do not delay one of another tenant."""
    for candidate in _candidates():
        with batch_slot(candidate.tenant_id) as has_slot:
            if not has_slot or not run.begin(candidate.campaign_id, limits):
                continue
            Campaign.objects.filter(pk=candidate.campaign_id).update(turn_at=Now())
            done, quick = _arm_one_range(candidate.campaign_id, limits)
        if not done:
            _continue(candidate.campaign_id, limits, quick=quick)
        return


def arm_beside_others(campaign_id: uuid.UUID, limits: ArmingLimits = LIMITS) -> None:
    """Arm ranges of a campaign whose ranges are quick, beside other processes, until another task waits or load
    is shed."""
    began = time.thread_time()

    def pause() -> bool:
        nonlocal began
        slow = time.thread_time() - began > limits.quick_cpu_seconds
        began = time.thread_time()
        return slow or bool(waiting(BATCH)) or not may_run(Work.EXPANSIONS)

    with limited_memory(limits.memory):
        done = run.arm_ranges(campaign_id, pause, limits)
    if not done:
        post("campaigns.arm", str(campaign_id), queue=BATCH)


def _candidates() -> list[_Candidate]:
    """While load is shed: only campaigns with a planned launch."""
    with connection.cursor() as cursor:
        # the rest of a test whose GO was given is armed whatever the load is
        cursor.execute(_NEXT, [may_run(Work.EXPANSIONS)])
        return [_Candidate(*row) for row in cursor.fetchall()]


def _arm_one_range(campaign_id: uuid.UUID, limits: ArmingLimits) -> tuple[bool, bool]:
    """(whether no range is left to arm, whether the range was quick)."""
    began = time.thread_time()
    with limited_memory(limits.memory):
        done = run.arm_ranges(campaign_id, lambda: True, limits)
    return done, time.thread_time() - began < limits.quick_cpu_seconds


def _continue(campaign_id: uuid.UUID, limits: ArmingLimits, *, quick: bool) -> None:
    if not quick or waiting(BATCH):
        post("campaigns.arm", str(campaign_id), queue=BATCH)
        return
    for _ in range(settings.BATCH_PROCESSES - 1):
        post("campaigns.arm_ranges", str(campaign_id), queue=BATCH)
    arm_beside_others(campaign_id, limits)
