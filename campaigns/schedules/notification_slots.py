"""What a slot of a recurring notification does: accept it, in the transaction of the slot's row."""

from __future__ import annotations

from datetime import datetime, timedelta

from campaigns.models import Schedule, ScheduleSlot
from notifier.delivery import accept
from notifier.delivery.accept import check
from notifier.errors import Conflict, NotifierError
from notifier.vocabulary.people import SendRequest
from notifier.vocabulary.status import Mode
from tenants.models import Recipient

State = ScheduleSlot.State
#: a refusal that names one of these will come again at each slot
GONE = frozenset({"recipient", "template", "category", "channels"})


def request_of(schedule: Schedule, at: datetime | None = None) -> SendRequest:
    """The notification of a slot; without `at` it has no end."""
    fields = dict(schedule.notification)
    channels = fields.pop("channels", None)
    not_after = None
    if at is not None and schedule.not_after_minutes is not None:
        not_after = at + timedelta(minutes=schedule.not_after_minutes)
    return SendRequest(
        **fields, channels=None if channels is None else tuple(channels), mode=Mode(schedule.mode), not_after=not_after
    )


def check_notification(schedule: Schedule) -> None:
    """Raise what would refuse the notification now, with the field inside of `notification`."""
    try:
        check(schedule.tenant_id, request_of(schedule))
        _check_not_erased(schedule)
    except NotifierError as error:
        error.field = f"notification.{error.field}" if error.field else "notification"
        raise


def _check_not_erased(schedule: Schedule) -> None:
    """An acceptance would take the request and suppress its messages; a schedule would keep the data."""
    recipient = Recipient.objects.filter(tenant_id=schedule.tenant_id, external_id=schedule.notification["recipient"])
    if recipient.filter(status=Recipient.State.ERASED).exists():
        raise Conflict("This person was erased and cannot be written to again.", field="recipient", code="erased")


def run(schedule: Schedule, slot: ScheduleSlot) -> str:
    """Accept the notification and fill the slot's row, which is not stored yet. Returns why the schedule stops; empty
    while it goes on."""
    outcome = accept(schedule.tenant_id, [request_of(schedule, slot.at)])[0]
    if isinstance(outcome, NotifierError):
        slot.state, slot.reason = State.FAILED, outcome.message[:500]
        return slot.reason if outcome.field in GONE and outcome.code != "queue_full" else ""
    slot.state, slot.notification_id = State.DONE, outcome.notification_id
    return ""
