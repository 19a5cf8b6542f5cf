"""The schedules of a person: erased with the person (tenants.erasure), listed in the person's export."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from campaigns.audit import Act, record
from campaigns.models import Schedule
from tenants.erasure import Erased
from tenants.models import Recipient

#: in place of the name, which the tenant may have chosen after the person
ERASED = "(erased)"
_EXPORTED = ("id", "name", "notification", "at", "rrule", "cron", "timezone", "state", "created_at")


def erase(tenant_id: uuid.UUID, recipient_id: uuid.UUID) -> Erased:
    """Cancel the schedules of notifications to the recipient, and empty their content. Engine role."""
    external_ids = Recipient.objects.filter(tenant_id=tenant_id, pk=recipient_id).values_list("external_id", flat=True)
    erased = 0
    for external_id in external_ids:
        with transaction.atomic():
            for schedule in _schedules_to(tenant_id, external_id).exclude(name=ERASED).select_for_update():
                _erase_one(schedule)
                erased += 1
    return Erased(erased)


def _erase_one(schedule: Schedule) -> None:
    if schedule.state in (Schedule.State.ACTIVE, Schedule.State.PAUSED, Schedule.State.STOPPED):
        schedule.state, schedule.reason = Schedule.State.CANCELLED, "The recipient was erased."
        record(schedule, Act.CANCEL)
    # a reason may quote the content
    schedule.slots.exclude(reason="").update(reason="")
    schedule.name, schedule.next_at, schedule.wake_at = ERASED, None, None
    schedule.notification = {name: schedule.notification[name] for name in ("recipient", "template")}
    schedule.save()


def exported(recipient: Recipient, before: uuid.UUID, most: int) -> Sequence[dict[str, Any]]:
    """The schedules of notifications to the recipient, for the export of the person."""
    rows = _schedules_to(recipient.tenant_id, recipient.external_id).filter(pk__lt=before)
    return list(rows.order_by("-id").values(*_EXPORTED)[:most])


def _schedules_to(tenant_id: uuid.UUID, external_id: str) -> QuerySet[Schedule]:
    """A tenant has a thousand open schedules at most, so the search needs no index of its own."""
    return Schedule.objects.filter(tenant_id=tenant_id, notification__recipient=external_id)
