"""Accept requests: decide, render, store in one transaction, then ring. Nothing is stored for a refused item."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
import structlog
from django.conf import settings
from django.db import transaction

from notifier.channels.queues import queue_of
from notifier.delivery.accept_context import AcceptContext, load
from notifier.delivery.accounts import registry
from notifier.delivery.content import templates
from notifier.delivery.content.liquid import PERSON, check_names
from notifier.delivery.content.render_budget import shared_budget
from notifier.delivery.infra import bulk
from notifier.delivery.ledger import ordering
from notifier.delivery.planning.plan import Planned, Rule, Suppressed, plan
from notifier.delivery.planning.quiet_hours import expires_in_quiet_hours
from notifier.delivery.wakeup import signal
from notifier.errors import InvalidInput, NotifierError, QueueFull, Unconfigured
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.people import Person, SendRequest
from notifier.vocabulary.status import LANE_OF, Lane, QueuePosition, Reason, Status
from tenants.categories import archived_error

log = structlog.get_logger("notifier.delivery")


@dataclass(frozen=True)
class AcceptedDelivery:
    id: uuid.UUID
    channel: str
    status: Status
    reason: str = ""


@dataclass(frozen=True)
class Accepted:
    notification_id: uuid.UUID
    deliveries: tuple[AcceptedDelivery, ...]


@dataclass
class _Draft:
    """One accepted item before it is stored."""

    request: SendRequest
    person: Person
    version_id: uuid.UUID
    rule: Rule
    lane: Lane
    notification_id: uuid.UUID = field(default_factory=new_id)
    rows: list[dict[str, Any]] = field(default_factory=list)

    @property
    def waiting(self) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["status"] == Status.QUEUED]


def accept(tenant_id: uuid.UUID, requests: Sequence[SendRequest]) -> list[Accepted | NotifierError]:
    """An outcome per request, in their order: what was accepted, or why it was refused."""
    # a request has its transaction already, and nothing here goes on after an error of the database
    with transaction.atomic(savepoint=False):
        context = load(tenant_id, requests)
        with shared_budget(len(requests)):
            outcomes: list[_Draft | NotifierError] = [_attempt(context, request) for request in requests]
        locked, outcomes = _join_queues(tenant_id, outcomes)
        drafts = [o for o in outcomes if isinstance(o, _Draft)]
        _store(context, drafts, locked)
        queues = {
            queue_of(r["channel"], d.lane)
            for d in drafts
            for r in d.waiting
            if r["queue_position"] == QueuePosition.HAS_TURN
        }
        if queues:
            transaction.on_commit(lambda: signal.notify(queues))
    _log(tenant_id, drafts, len(requests))
    return [_accepted(o) if isinstance(o, _Draft) else o for o in outcomes]


def _log(tenant_id: uuid.UUID, drafts: list[_Draft], asked: int) -> None:
    """One line a call; a bulk call is not spelled out."""
    ids = {"notification": str(drafts[0].notification_id)} if len(drafts) == 1 else {}
    log.info("accepted", action="accept", tenant=str(tenant_id), accepted=len(drafts), asked=asked, **ids)


def _attempt(context: AcceptContext, request: SendRequest) -> _Draft | NotifierError:
    try:
        draft = _draft(context, request)
        draft.rows = _rows(context, draft)
        return draft
    except NotifierError as error:
        return error


def _draft(context: AcceptContext, request: SendRequest) -> _Draft:
    check_names(request.data)
    person = context.recipients.get(request.recipient)
    if person is None:
        raise InvalidInput(f"There is no recipient {request.recipient!r}.", field="recipient", code="unknown_recipient")
    if request.template not in context.versions:
        raise InvalidInput(f"There is no template {request.template!r}.", field="template", code="unknown_template")
    version_id, own_category = context.versions[request.template]
    category = "" if request.without_category else request.category or own_category
    if category and category not in context.rules:
        raise InvalidInput(f"There is no category {category!r}.", field="category", code="unknown_category")
    if request.category in context.archived and request.category != own_category:
        raise archived_error(category, "category")
    rule = context.rules.get(category, Rule())
    return _Draft(request, person, version_id, rule, LANE_OF[rule.kind])


def _rows(context: AcceptContext, draft: _Draft) -> list[dict[str, Any]]:
    compiled = templates.compiled(draft.version_id)
    wanted = compiled.channels if draft.request.channels is None else draft.request.channels
    if not wanted:
        raise InvalidInput("Must name at least one channel.", field="channels", code="empty")
    missing = [name for name in wanted if name not in compiled.channels]
    if missing:
        raise InvalidInput(
            f"The template has no content for: {', '.join(missing)}.", field="channels", code="no_content"
        )
    due = max(context.now, draft.request.send_at or context.now)
    planned = plan(draft.person, draft.rule, wanted, due, context.tenant.timezone)
    # rendered for every wanted channel, also a suppressed one: a missing variable is the caller's error either way
    locale = draft.person.preferences.language or draft.person.locale
    variables = {**draft.request.data, PERSON: draft.person.variables()}
    content = {
        name: compiled.render(
            compiled.locale_for(name, locale, context.tenant.default_locale), variables, context.tenant.link_schemes
        )
        for name in wanted
    }
    rows = [_row(context, draft, entry, content[entry.channel], due) for entry in planned]
    if rows and all(row.get("reason") == Reason.NO_ACCOUNT for row in rows):
        raise Unconfigured("No enabled provider account of this tenant carries this message.", field="channels")
    return rows


def _row(
    context: AcceptContext, draft: _Draft, entry: Planned | Suppressed, content: dict[str, Any], due: datetime
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": new_id(),
        "channel": entry.channel,
        "address": entry.address.value,
        "platform": entry.address.platform,
        "device_id": entry.address.device_id,
        "queue_position": QueuePosition.HAS_TURN,
    }
    refused = {**row, "status": Status.SUPPRESSED, "due_at": due, "settled_at": context.now}
    if isinstance(entry, Suppressed):
        return {**refused, "reason": entry.reason}
    try:
        account = registry.choose_account(context.tenant, entry.channel, entry.address.platform, draft.request.mode)
    except Unconfigured:
        return {**refused, "reason": Reason.NO_ACCOUNT}
    if expires_in_quiet_hours(entry.hold_until, draft.request.not_after):
        return {**refused, "status": Status.EXPIRED, "reason": Reason.QUIET_HOURS}
    due = max(due, entry.hold_until or due)
    queue_position = QueuePosition.PARKED if due > context.now else QueuePosition.WAITING
    return {
        **row,
        "status": Status.QUEUED,
        "reason": "",
        "account_id": account.id,
        "content": orjson.dumps(content).decode(),
        "due_at": due,
        "queue_position": queue_position,
    }


def _join_queues(
    tenant_id: uuid.UUID, outcomes: list[_Draft | NotifierError]
) -> tuple[Collection[ordering.OrderingQueue], list[_Draft | NotifierError]]:
    """Lock the lines, refuse items that would overfill theirs, and hand out free turns."""
    keys = {_key(tenant_id, d, row) for d in outcomes if isinstance(d, _Draft) for row in d.waiting}
    locked = ordering.lock(keys, make=True)
    return locked.values(), [_join(tenant_id, o, locked) if isinstance(o, _Draft) else o for o in outcomes]


def _join(
    tenant_id: uuid.UUID, draft: _Draft, locked: dict[ordering.Key, ordering.OrderingQueue]
) -> _Draft | NotifierError:
    mine = [(row, locked[_key(tenant_id, draft, row)]) for row in draft.waiting]
    added = Counter(ordering_queue.id for _, ordering_queue in mine)
    for _, ordering_queue in mine:
        if ordering_queue.unfinished + added[ordering_queue.id] > settings.ORDERING_QUEUE_LIMIT:
            return QueueFull(
                f"{settings.ORDERING_QUEUE_LIMIT} messages already wait for this recipient; "
                "try again when some have left.",
                field="recipient",
            )
    for row, ordering_queue in mine:
        ordering_queue.unfinished += 1
        if row["queue_position"] == QueuePosition.WAITING and not ordering_queue.turn_taken:
            row["queue_position"], ordering_queue.turn_taken = QueuePosition.HAS_TURN, True
    return draft


def _key(tenant_id: uuid.UUID, draft: _Draft, row: dict[str, Any]) -> ordering.Key:
    return (tenant_id, draft.person.id, row["channel"], int(draft.lane), str(draft.request.mode))


_SEQ = f"CASE u.status WHEN {Status.QUEUED} THEN nextval('notifier_delivery_seq') ELSE 0 END"
_UNNUMBERED = {name: kind for name, kind in bulk.DELIVERY.items() if name != "seq"}
# one statement and one round trip. The numbers are taken while the lines are locked, so that they follow the order of
# acceptance
_STORE = f"""
WITH saved AS ({ordering.SAVE}),
  notified AS ({bulk.statement("notifier_notification", bulk.NOTIFICATION)})
{bulk.statement("notifier_delivery", _UNNUMBERED, {"seq": _SEQ})}
"""


def _store(context: AcceptContext, drafts: list[_Draft], locked: Collection[ordering.OrderingQueue]) -> None:
    if not drafts:
        return
    tenant_id, now = context.tenant.id, context.now
    notifications = [
        (
            d.notification_id, tenant_id, d.person.id, d.version_id, d.rule.category, str(d.request.mode), int(d.lane),
            orjson.dumps(d.request.data).decode(), d.request.send_at, d.request.not_after, now,
        )
        for d in drafts
    ]  # fmt: skip
    rows = [_ledger_row(context, d, row) for d in drafts for row in d.rows]
    with bulk.cursor() as cursor:
        values = [
            *ordering.saved(locked),
            *bulk.by_column(bulk.NOTIFICATION, notifications),
            *bulk.by_column(_UNNUMBERED, rows),
        ]
        cursor.execute(_STORE, values, prepare=True)


def _ledger_row(context: AcceptContext, draft: _Draft, row: dict[str, Any]) -> tuple[Any, ...]:
    values: dict[str, Any] = {
        "campaign_id": None, "account_id": None, "detail": "", "content": None, "attempt": 0, "lease_until": None,
        "fence": 0, "provider_ref": "", "settled_at": None,
        **row,
        "tenant_id": context.tenant.id, "notification_id": draft.notification_id, "recipient_id": draft.person.id,
        "category": draft.rule.category, "lane": int(draft.lane), "mode": str(draft.request.mode),
        "not_after": draft.request.not_after, "accepted_at": context.now, "status": int(row["status"]),
        "queue_position": int(row["queue_position"]), "reason": str(row["reason"]),
    }  # fmt: skip
    return tuple([values[column] for column in _UNNUMBERED])


def _accepted(draft: _Draft) -> Accepted:
    return Accepted(
        draft.notification_id,
        tuple(AcceptedDelivery(r["id"], r["channel"], r["status"], str(r["reason"])) for r in draft.rows),
    )


def accept_one(tenant_id: uuid.UUID, request: SendRequest) -> Accepted:
    """Accept a single request; raises what refused it."""
    outcome = accept(tenant_id, [request])[0]
    if isinstance(outcome, NotifierError):
        raise outcome
    return outcome
