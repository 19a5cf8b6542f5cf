"""Cancel or reschedule notifications that have not left: one by its id, or all of a group.

`notifier.api.waiting` calls; `ledger.waiting_rows` has the statements.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from django.db import transaction

from notifier.delivery.caps import places
from notifier.delivery.ledger import waiting_rows
from notifier.delivery.ledger.history import not_before
from notifier.delivery.planning.send_time import send_time
from notifier.errors import Conflict, NotFound
from notifier.models import Delivery, Notification
from notifier.vocabulary.people import SendRequest
from notifier.vocabulary.status import Mode, Reason, Status

log = structlog.get_logger("notifier.delivery")

#: notifications of a group that one call cancels, and that one statement does
MOST_OF_GROUP, _BATCH = 10_000, 1_000


@dataclass(frozen=True)
class Cancelled:
    """What became of a group. `messages` were cancelled; those `in_flight` keep the provider's answer, and are
    cancelled where another attempt would follow. `more`: there are further notifications; another call cancels them."""

    notifications: int
    messages: int
    in_flight: int
    more: bool


def cancel(notification: Notification, mode: str) -> None:
    """Cancel what has not left of a notification; what is in flight is not tried again. Raises Conflict when all of it
    has ended otherwise, or when a test key would cancel a live notification."""
    _check_mode(notification, mode)
    cancelled = _cancel(notification.tenant_id, [notification.pk])
    if not any(cancelled) and not _was_cancelled(notification):
        raise _too_late("cancel")
    _log("cancel", notification.tenant_id, notification=str(notification.pk), **cancelled._asdict())


def cancel_group(tenant_id: uuid.UUID, group_key: str, mode: str) -> Cancelled:
    """Cancel what has not left of the tenant's notifications with this group key; a test key reaches those of test keys
    only. Raises NotFound for a group without notifications."""
    modes = [Mode.TEST.value] if mode == Mode.TEST else [m.value for m in Mode]
    ids = waiting_rows.waiting_of_group(tenant_id, group_key, modes, MOST_OF_GROUP + 1)
    if not ids and not Notification.objects.filter(tenant_id=tenant_id, group_key=group_key, mode__in=modes).exists():
        raise NotFound(f"There is no notification with the group key {group_key!r}.")
    chosen = ids[:MOST_OF_GROUP]
    cancelled = [_cancel(tenant_id, chosen[at : at + _BATCH]) for at in range(0, len(chosen), _BATCH)]
    ended, in_flight = sum(each.ended for each in cancelled), sum(each.in_flight for each in cancelled)
    _log("cancel", tenant_id, ended=ended, in_flight=in_flight, notifications=len(chosen))
    return Cancelled(len(chosen), ended, in_flight, more=len(ids) > MOST_OF_GROUP)


def reschedule(
    notification: Notification, mode: str, send_at: datetime | None, send_at_local: datetime | None
) -> datetime:
    """Let what has not left of a notification leave at another time, which is returned. Raises InvalidInput for a wrong
    time, and Conflict when nothing waits any more or something was tried."""
    _check_mode(notification, mode)
    tenant, person, now = notification.tenant, notification.recipient, datetime.now(UTC)
    request = SendRequest(
        recipient=person.external_id,
        template="",
        send_at=send_at,
        send_at_local=send_at_local,
        not_after=notification.not_after,
    )
    at = send_time(request, person.device_timezone or person.timezone, tenant.timezone, now) or now
    if not waiting_rows.move([notification.pk], at):
        raise _too_late("reschedule")
    Notification.objects.filter(pk=notification.pk).update(send_at=at)
    _log("reschedule", notification.tenant_id, notification=str(notification.pk))
    return at


def _cancel(tenant_id: uuid.UUID, notifications: Sequence[uuid.UUID]) -> waiting_rows.Cancelled:
    """Cancel what has not left. The places of what never left are free again."""
    with transaction.atomic():
        has_places = places.lock_holders(tenant_id, notifications)
        cancelled = waiting_rows.cancel(notifications)
        if has_places:
            places.give_back_cancelled(tenant_id, notifications, not_before(notifications))
    return cancelled


def _check_mode(notification: Notification, mode: str) -> None:
    if mode == Mode.TEST and notification.mode != Mode.TEST:
        raise Conflict("A test key cannot change a live notification.", code="live_notification")


def _was_cancelled(notification: Notification) -> bool:
    rows = Delivery.objects.filter(notification=notification, pk__gte=not_before([notification.pk]))
    return rows.filter(status=Status.CANCELLED, reason=Reason.BY_REQUEST).exists()


def _too_late(verb: str) -> Conflict:
    return Conflict(f"Nothing of this notification waits, so there is nothing to {verb}.", code="too_late")


def _log(action: str, tenant_id: uuid.UUID, **what: Any) -> None:
    log.info("waiting notifications changed", action=action, tenant=str(tenant_id), **what)
