"""What an operator does after the restore of a backup, before the workers start (docs/backup.md).

The database is as it was when the backup was taken. What left between then and the loss of the database is not known to
it, and would leave again. So whatever may have left meanwhile waits for a person.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from campaigns.audit import OPERATOR
from campaigns.lifecycle.launching import launch, planned
from campaigns.lifecycle.running import pausing
from campaigns.models import Campaign, Schedule
from campaigns.schedules import control
from campaigns.states import State
from notifier.channels import channels
from notifier.delivery.ledger import waiting_rows
from notifier.errors import Conflict
from notifier.vocabulary.ids import id_floor
from tenants import audit

HALTED = (
    "The database was restored from a backup of {taken}. What left after that is not known. Look at the provider's"
    " figures, then resume or stop."
)
_MAX_HALTED = Campaign._meta.get_field("halted").max_length
NOT_LAUNCHED = "The database was restored from a backup of {taken}; the campaign may have left after that."


@dataclass(frozen=True)
class Held:
    """One thing that waits for a person. `what`: paused, was_paused, taken_back, unplanned, schedule or armed."""

    what: str
    tenant: str
    id: str
    name: str


def end_messages(lost: datetime) -> int:
    """End single messages in doubt, on channels where a person would get a repeat twice. The other channels hide a
    repeat: their messages leave."""
    names = [name for name, kind in channels().items() if not kind.hides_repeats]
    ended, after = 0, id_floor(0)
    while True:
        count, after = waiting_rows.end_in_doubt(names, lost, after)
        if not count:
            return ended
        ended += count


def hold_campaigns(taken: datetime, lost: datetime) -> Iterator[Held]:
    """Pause what runs, and let nothing launch itself that was due before the loss."""
    text = f"{taken:%Y-%m-%d %H:%M:%S %Z}"
    yield from _mark_paused(HALTED.format(taken=text))
    running = Campaign.objects.filter(state__in=[State.RUNNING, State.LAUNCHING]).select_related("tenant")
    for campaign in running.order_by("id"):
        if campaign.state == State.RUNNING:
            pausing.pause(campaign.tenant_id, campaign.pk, by=OPERATOR)
            Campaign.objects.filter(pk=campaign.pk, state=State.PAUSED).update(halted=HALTED.format(taken=text))
            yield _held("paused", campaign)
        else:
            try:
                launch.take_back(campaign.tenant_id, campaign.pk, by=OPERATOR)
            except Conflict:  # its hold is over, so that no launch can be taken back: it has not begun all the same
                Campaign.objects.filter(pk=campaign.pk, state=State.LAUNCHING).update(
                    state=State.ARMED, hold_until=None
                )
            yield _held("taken_back", campaign)
    due = Q(launch_at__lte=lost, launched_at__isnull=True, launch_failure="")
    for campaign in Campaign.objects.filter(due, state__in=planned.PLANNABLE).select_related("tenant").order_by("id"):
        Campaign.objects.filter(pk=campaign.pk).update(launch_failure=NOT_LAUNCHED.format(taken=text))
        yield _held("unplanned", campaign)
    schedules = Schedule.objects.filter(Q(next_at__lte=lost) | Q(wake_at__lte=lost), state=Schedule.State.ACTIVE)
    for schedule in schedules.select_related("tenant").order_by("id"):
        control.pause(schedule.tenant_id, schedule.pk, by=OPERATOR)
        yield _held("schedule", schedule)
    for campaign in Campaign.objects.filter(state=State.ARMED, silent=False).select_related("tenant").order_by("id"):
        yield _held("armed", campaign)


def _mark_paused(why: str) -> Iterator[Held]:
    """Campaigns that were paused at the time of the backup: a person may have resumed them after it."""
    paused = Campaign.objects.filter(state=State.PAUSED).exclude(halted__startswith=why).select_related("tenant")
    for campaign in paused.order_by("id"):
        # what the campaign said before comes last, as the page looks at the end of the text
        halted = f"{why} {campaign.halted}".strip()[:_MAX_HALTED]
        Campaign.objects.filter(pk=campaign.pk, state=State.PAUSED).update(halted=halted)
        yield _held("was_paused", campaign)


def _held(what: str, row: Campaign | Schedule) -> Held:
    return Held(what, row.tenant.slug, str(row.pk), row.name)


def hold_everything(taken: datetime, lost: datetime) -> tuple[int, list[Held]]:
    """Hold what may have left; returns how many single messages ended in doubt, and what waits. A repeat does no
    harm."""
    ended = end_messages(lost)
    with transaction.atomic():
        held = list(hold_campaigns(taken, lost))
        detail = {"taken_at": taken.isoformat(), "lost_at": lost.isoformat(), "in_doubt": ended}
        audit.record_for_every_tenant("installation.restored", detail)
    return ended, held
