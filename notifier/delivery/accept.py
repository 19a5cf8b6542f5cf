"""Accept requests: decide, render, store in one transaction, then wake the workers. Nothing is stored for a refused
request."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import structlog
from django.db import transaction

from notifier import failpoints
from notifier.channels import channel
from notifier.channels.queues import queue_of
from notifier.delivery.accept_context import AcceptContext, load_context
from notifier.delivery.accept_kind import Kinds, kind_of
from notifier.delivery.accounts import registry
from notifier.delivery.caps import limiting
from notifier.delivery.content.attachments import listing, storage
from notifier.delivery.content.links.preferences_link import end_of_link
from notifier.delivery.content.links.variables import LinkedMessage, category_to_leave, link_values
from notifier.delivery.content.liquid.render_budget import shared_budget
from notifier.delivery.content.liquid.text import PERSON, check_names
from notifier.delivery.digests import gathering
from notifier.delivery.digests import terms as digest_terms
from notifier.delivery.draft import Draft
from notifier.delivery.infra.cycle_collection import no_cycle_collection
from notifier.delivery.infra.giving_way import give_way
from notifier.delivery.ledger.accepted_rows import DeliveryRow, NotificationRow, SharedValues
from notifier.delivery.planning.closed_hours import expires_while_held
from notifier.delivery.planning.departure import latest_departure
from notifier.delivery.planning.plan import Plan, Planned, Suppressed, When, plan
from notifier.delivery.planning.send_time import send_time
from notifier.delivery.queue_joining import store_in_queues
from notifier.delivery.quotas import accepting as quotas
from notifier.delivery.routes.accepting import let_later_steps_wait, store_routes
from notifier.delivery.wakeup import signal
from notifier.delivery.webhooks import deliveries as webhooks
from notifier.errors import InvalidInput, NotifierError, QueueFull, Unconfigured
from notifier.metrics.recording import measures
from notifier.tracing import spans, switch
from notifier.vocabulary.people import SendRequest
from notifier.vocabulary.routes import step_of
from notifier.vocabulary.status import Mode, QueuePosition, Reason, Status

log = structlog.get_logger("notifier.delivery")


@dataclass(frozen=True)
class AcceptedDelivery:
    """One message of an accepted request, as the caller sees it."""

    id: uuid.UUID
    channel: str
    status: Status
    reason: str = ""
    segments: int = 0  #: that the provider bills; 0 on a channel without segments
    step: int = 0  #: of its route, from 1; 0 without a route


@dataclass(frozen=True)
class Accepted:
    """What became of one accepted request."""

    notification_id: uuid.UUID
    deliveries: tuple[AcceptedDelivery, ...]


#: from so many requests on, a call pauses the search for cycles. With 1,000 requests Python searched the whole process
#: in one of three calls: 130 ms in which no other thread runs. A request costs 35 µs of Python instead of 42
_MANY = 100


def accept(
    tenant_id: uuid.UUID, requests: Sequence[SendRequest], *, one_call: bool = True
) -> list[Accepted | NotifierError]:
    """An outcome for each request, in the order of the requests: what was accepted, or why the request was refused.
    `one_call`: the requests came in one call, and share its time to render; else each has the time of a call."""
    began = switch.clock()
    with no_cycle_collection() if len(requests) >= _MANY else nullcontext():
        outcomes = _decide_and_store(tenant_id, requests, one_call)
    if began:
        _trace(tenant_id, requests, outcomes, began)
    return outcomes


def _decide_and_store(
    tenant_id: uuid.UUID, requests: Sequence[SendRequest], one_call: bool
) -> list[Accepted | NotifierError]:
    # no savepoint: a request of the API has its transaction already, and nothing here goes on after a database error
    with transaction.atomic(savepoint=False):
        context = load_context(tenant_id, requests)
        outcomes = _attempts(context, requests, one_call)
        if context.tenant.quotas:
            outcomes = quotas.refuse_over_quota(context, outcomes)
        # before the queues are locked: the storage may be slow
        storage.store(tenant_id, [f for o in outcomes if isinstance(o, Draft) for f in o.request.files])
        decided = [o for o in outcomes if isinstance(o, Draft)]
        gathered = _take_steps(context, decided)
        refusals = _store(context, decided, gathered) if decided else {}
        drafts = [draft for n, draft in enumerate(decided) if n not in refusals]
        if context.tenant.quotas:
            quotas.count(context, drafts)
        queues = {
            queue_of(row.channel, draft.lane)
            for draft in drafts
            for row in draft.queued_rows
            if row.queue_position == QueuePosition.HAS_TURN
        }
        if queues:
            # robust: an error after the commit must not look as if nothing was stored
            headers = [draft.request.traceparent for draft in drafts] if switch.recorder is not None else []
            transaction.on_commit(lambda: _wake(queues, headers), robust=True)
        failpoints.reach("accept.before-commit")
    _count(drafts)
    _log(tenant_id, drafts, len(requests))
    stored = iter([refusals.get(n) or _accepted(draft) for n, draft in enumerate(decided)])
    return [next(stored) if isinstance(outcome, Draft) else outcome for outcome in outcomes]


def _trace(
    tenant_id: uuid.UUID, requests: Sequence[SendRequest], outcomes: Sequence[Accepted | NotifierError], began: int
) -> None:
    accepted = [outcome for outcome in outcomes if isinstance(outcome, Accepted)]
    attributes: dict[str, str | int] = {
        "tenant.id": str(tenant_id),
        "accepted": len(accepted),
        "refused": len(outcomes) - len(accepted),
    }
    if len(accepted) == 1:
        attributes["notification.id"] = str(accepted[0].notification_id)
    spans.record_acceptances([request.traceparent for request in requests], began, attributes)


def _wake(queues: Collection[str], headers: Sequence[str]) -> None:
    began = switch.clock()
    failpoints.reach("accept.before-wakeup")
    signal.notify(queues)
    if began:
        spans.record("wakeup", spans.contexts_of_requests(headers), began, {"queues": len(queues)})


def _take_steps(context: AcceptContext, drafts: Sequence[Draft]) -> list[gathering.Gathered]:
    """What may change the rows of several requests together, in this order: the later steps of routes wait, digests
    gather, caps count. Returns what joins digests."""
    let_later_steps_wait(drafts)
    gathered = gathering.gather(context, drafts)
    limiting.limit(context, drafts, gathered)
    return gathered


def _count(drafts: Sequence[Draft]) -> None:
    """For the metrics: 0.3 µs a message, and 1.7 µs for each queue of a call. A request whose transaction is undone
    later was counted."""
    tally = Counter((row.channel, draft.lane, row.status) for draft in drafts for row in draft.rows)
    for (name, lane, status), number in tally.items():
        if status == Status.QUEUED:
            measures.count(measures.ACCEPTED, number, queue_of(name, lane))
        else:
            measures.count(measures.ENDED, number, queue_of(name, lane), status.label)


def _log(tenant_id: uuid.UUID, drafts: list[Draft], requested: int) -> None:
    """Write one line for each call; the line of a bulk call names no notification."""
    ids = {"notification": str(drafts[0].notification_id)} if len(drafts) == 1 else {}
    log.info("accepted", action="accept", tenant=str(tenant_id), accepted=len(drafts), asked=requested, **ids)


# ---- decide --------------------------------------------------------------------------------------------------------


def _attempts(context: AcceptContext, requests: Sequence[SendRequest], one_call: bool) -> list[Draft | NotifierError]:
    kinds: Kinds = {}
    if one_call:
        with shared_budget(len(requests)):
            return [_attempt_in_turn(context, kinds, request) for request in requests]
    outcomes = []
    for request in requests:
        with shared_budget():
            outcomes.append(_attempt(context, kinds, request))
    return outcomes


def _attempt_in_turn(context: AcceptContext, kinds: Kinds, request: SendRequest) -> Draft | NotifierError:
    give_way()
    return _attempt(context, kinds, request)


def _attempt(context: AcceptContext, kinds: Kinds, request: SendRequest) -> Draft | NotifierError:
    try:
        draft = _draft(context, kinds, request)
        _add_rows(context, draft)
        digest_terms.check(context, draft)
        return draft
    except NotifierError as error:
        return error


def _draft(context: AcceptContext, kinds: Kinds, request: SendRequest) -> Draft:
    check_names(request.data)
    person = context.recipients.get(request.recipient)
    if person is None:
        raise InvalidInput(f"There is no recipient {request.recipient!r}.", field="recipient", code="unknown_recipient")
    return Draft(request, person, kind_of(context, kinds, request))


def _add_rows(context: AcceptContext, draft: Draft) -> None:
    request, person, kind = draft.request, draft.person, draft.kind
    due, when = context.now, context.when
    if request.send_at is not None or request.send_at_local is not None:
        draft.send_at = send_time(request, person.timezone, context.tenant.timezone, context.now)
        due = max(context.now, draft.send_at or context.now)
        when = When(due, context.tenant.timezone)
    has_account = partial(_has_account, context, request.mode)
    entries: Plan = []
    for together in kind.steps:
        entries += plan(person, kind.rule, together, when, has_account)
    # rendered for every channel, also a suppressed one: a missing variable is the caller's error either way
    content = _render(context, draft, partial(latest_departure, entries, route=kind.route, due=due, now=context.now))
    if kind.compiled.segmented:
        segmented = [name for name in kind.channels if name in kind.compiled.segmented]
        draft.segments = {name: channel(name).segments(content[name]) for name in segmented}
    draft.rows = rows = [_row(context, draft, entry, content[entry.channel], due) for entry in entries]
    if rows and all(row.reason == Reason.NO_ACCOUNT for row in rows):
        raise Unconfigured(f"{'; '.join(dict.fromkeys(row.detail for row in rows))}.", field="channels")


def _has_account(context: AcceptContext, mode: Mode, entry: Planned) -> bool:
    return context.account_for(entry.channel, entry.address, mode) is not None


def _render(
    context: AcceptContext, draft: Draft, latest_departure_on: Callable[[str], datetime]
) -> Mapping[str, dict[str, Any]]:
    """channel -> the content of its message."""
    kind, person = draft.kind, draft.person
    locale = person.preferences.language or person.locale
    variables = dict(draft.request.data)
    if kind.reads_person:
        variables[PERSON] = person.variables()
    content: dict[str, dict[str, Any]] = {}
    for name in kind.channels:
        links = kind.compiled.links.get(name)
        values = variables
        if links:
            message = _linked_message(context, draft, name, end_of_link(latest_departure_on(name)))
            values = {**variables, **link_values(links, message)}
        content[name] = kind.content_for(context, name, locale).render(values)
    if draft.request.attachments:
        _attach(content, draft.request.attachments)
    return content


def _linked_message(context: AcceptContext, draft: Draft, channel_name: str, ends_at: datetime) -> LinkedMessage:
    category = category_to_leave(draft.rule.kind, draft.rule.category)
    ids = context.tenant.id, draft.person.id
    return LinkedMessage(*ids, channel_name, category, ends_at, notification_id=draft.notification_id)


def _attach(content: Mapping[str, dict[str, Any]], entries: Sequence[Mapping[str, Any]]) -> None:
    """Add the files of the request to those of the template, on each channel that carries files."""
    places = [(parts, part) for name, parts in content.items() for part in channel(name).file_parts]
    if not places:
        raise InvalidInput("No channel of this message carries attachments; email does.", field="attachments")
    for parts, part in places:
        parts[part] = listing.joined(parts.get(part, ""), entries)


def _row(
    context: AcceptContext, draft: Draft, entry: Planned | Suppressed, content: Mapping[str, Any], due: datetime
) -> DeliveryRow:
    row = DeliveryRow(
        notification_id=draft.notification_id,
        recipient_id=draft.person.id,
        category=draft.rule.category,
        channel=entry.channel,
        platform=entry.address.platform,
        address=entry.address.value,
        device_id=entry.address.device_id,
        lane=draft.lane,
        # replaced below when an account takes the message
        status=Status.SUPPRESSED,
        settled_at=context.now,
        mode=draft.request.mode,
        due_at=due,
        not_after=draft.request.not_after,
    )
    if isinstance(entry, Suppressed):
        row.reason = entry.reason
        return row
    account = context.account_for(entry.channel, entry.address, draft.request.mode)
    if account is None:
        row.reason = Reason.NO_ACCOUNT
        row.detail = registry.no_account(entry.channel, entry.address.platform, entry.address.app)
        return row
    if entry.hold_reason is not None and expires_while_held(entry.hold_until, draft.request.not_after):
        row.status, row.reason = Status.EXPIRED, entry.hold_reason
        return row
    row.status, row.settled_at, row.account_id = Status.QUEUED, None, account.id
    row.content = content
    if draft.request.traceparent:
        row.content = spans.with_trace(content, draft.request.traceparent)
    row.due_at = max(due, entry.hold_until or due)
    row.queue_position = QueuePosition.PARKED if row.due_at > context.now else QueuePosition.WAITING
    return row


# ---- store ---------------------------------------------------------------------------------------------------------


def _store(
    context: AcceptContext, drafts: Sequence[Draft], gathered: Sequence[gathering.Gathered]
) -> dict[int, QueueFull]:
    """Store the drafts; returns the refusals by the index of the draft."""
    shared = SharedValues(context.tenant.id, context.now)
    refusals = store_in_queues(shared, drafts, [_notification(draft) for draft in drafts])
    if refusals:
        limiting.withdraw(context, [drafts[n] for n in refusals])
        refused = {drafts[n].notification_id for n in refusals}
        gathered = [entry for entry in gathered if entry.notification_id not in refused]
    gathering.store(context, gathered)
    stored = [draft for n, draft in enumerate(drafts) if n not in refusals]
    store_routes(context.tenant.id, stored, context.now)
    webhooks.ended(context.tenant.id, (row.id for draft in stored for row in draft.rows if row.settled_at))
    return refusals


def _notification(draft: Draft) -> NotificationRow:
    return NotificationRow(
        id=draft.notification_id,
        recipient_id=draft.person.id,
        version_id=draft.kind.version_id,
        category=draft.rule.category,
        mode=draft.request.mode,
        lane=draft.lane,
        # nothing is stored of an erased person; the request is, so that its sender can read why nothing leaves
        data={} if draft.person.status == "erased" else draft.request.data,
        send_at=draft.send_at,
        not_after=draft.request.not_after,
        group_key=draft.request.group_key,
    )


def _accepted(draft: Draft) -> Accepted:
    return Accepted(
        draft.notification_id,
        tuple(
            AcceptedDelivery(
                row.id,
                row.channel,
                row.status,
                str(row.reason),
                draft.segments.get(row.channel, 0),
                step_of(draft.route, row.channel) if draft.route else 0,
            )
            for row in draft.rows
        ),
    )


def check(tenant_id: uuid.UUID, request: SendRequest) -> None:
    """Raise the NotifierError that would refuse the request now: decided and rendered, nothing stored."""
    context = load_context(tenant_id, [request])
    with shared_budget(1):
        outcome = _attempt(context, {}, request)
    if isinstance(outcome, NotifierError):
        raise outcome


def accept_one(tenant_id: uuid.UUID, request: SendRequest) -> Accepted:
    """Accept a single request. Raises the NotifierError that refused it."""
    outcome = accept(tenant_id, [request])[0]
    if isinstance(outcome, NotifierError):
        raise outcome
    return outcome
