"""Messages on a person's timeline: what was decided, by which rule, and every step and receipt since then."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifier.admin.composer.previews import REASONS
from notifier.delivery import explain
from notifier.delivery.ledger.history import load_histories
from notifier.models import Delivery
from notifier.vocabulary.status import TAKEN, Status
from tenants.admin.timeline.entries import Entry, Key, Source, StepLine, Window, register_source

MESSAGE = 9
#: campaign id -> its name, of those that exist
CampaignNames = Callable[[Iterable[uuid.UUID]], Mapping[uuid.UUID, str]]
_campaign_names: list[CampaignNames] = []
_ICONS = {"push": "notifications", "email": "mail", "sms": "sms", "in_app": "inbox"}
_BAD = frozenset({Status.FAILED, Status.BOUNCED, Status.COMPLAINED, Status.UNKNOWN})
_HELD_BACK = frozenset({Status.SUPPRESSED, Status.CANCELLED, Status.EXPIRED})


def register() -> None:
    register_source(Source(MESSAGE, "message", gettext_lazy("Messages"), messages, by_channel=True))


def register_campaign_names(names: CampaignNames) -> None:
    """The package of campaigns, of which this package knows ids only, calls this in `AppConfig.ready`."""
    _campaign_names.append(names)


def messages(window: Window) -> Iterator[Entry]:
    """Messages of requests and of campaigns, by the index on the recipient. An armed message is planned, not sent."""
    rows = Delivery.objects.filter(tenant_id=window.recipient.tenant_id, recipient_id=window.recipient.pk)
    rows = rows.select_related("notification__version__template")
    rows = rows.filter(pk=window.message) if window.message else rows
    rows = rows.filter(channel=window.channel) if window.channel else rows
    deliveries = list(window.below(rows, "accepted_at", MESSAGE))
    histories = load_histories(deliveries)
    ids = {row.campaign_id for row in deliveries if row.campaign_id is not None}
    names = {pk: name for find in _campaign_names for pk, name in find(ids).items()} if ids else {}
    for row in deliveries:
        yield _entry(row, [StepLine(*step) for step in histories[row.pk]], names)


def _entry(row: Delivery, steps: list[StepLine], names: Mapping[uuid.UUID, str]) -> Entry:
    status = Status(row.status)
    return Entry(
        Key(row.accepted_at, MESSAGE, row.pk),
        "message",
        _ICONS.get(row.channel, "outgoing_mail"),
        f"{_origin(row, names)} · {row.channel}",
        _decision(row),
        status.label,
        tone_of(status),
        steps,
        reverse("admin:notifier_delivery_change", args=[row.pk]),
    )


def _origin(row: Delivery, names: Mapping[uuid.UUID, str]) -> str:
    """The template of a request, or the campaign."""
    if row.campaign_id is not None:
        return names.get(row.campaign_id, _("a deleted campaign"))
    return row.notification.version.template.key if row.notification is not None else _("a message")


def _decision(row: Delivery) -> str:
    """What was decided at first, and what ended the message if that is another reason."""
    reason = str(REASONS.get(row.reason, row.reason))
    if row.reason and row.settled_at is not None and row.settled_at == row.accepted_at:
        return " · ".join(filter(None, (_("decided at once: %(reason)s") % {"reason": reason}, row.detail)))
    decided = explain.describe_decision(row, row.notification.send_at if row.notification else None)
    return " · ".join(filter(None, (decided, reason, row.detail)))


def tone_of(status: Status) -> str:
    """The colour of a status; its word stands beside it."""
    if status in _BAD:
        return "bad"
    if status in _HELD_BACK:
        return "warn"
    return "good" if status in TAKEN else "info"
