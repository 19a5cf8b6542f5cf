"""Explains a decision: each rule in order, what it looked at, what it said. Stores nothing.

`notifier.api.explain`, `campaigns.api.explain` and the admin call. The rules are those of `planning.trace`; packages
that decide more (routes, digests, caps) append their lines by `planning.trace.add_later_rule`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import transaction

from notifier.delivery.accept_context import AcceptContext, load_context
from notifier.delivery.accounts import registry
from notifier.delivery.content import templates
from notifier.delivery.planning import recipients
from notifier.delivery.planning.category_rules import load_rules, rule_for
from notifier.delivery.planning.choices import Change, load_changes, load_choices
from notifier.delivery.planning.plan import Planned, Suppressed, When
from notifier.delivery.planning.rule import Rule
from notifier.delivery.planning.trace import PASSED, RuleResult, TraceRequest, later_lines, trace
from notifier.delivery.routes.explain import route_lines
from notifier.delivery.routes.show import show_steps
from notifier.errors import InvalidInput, NotFound, Unconfigured
from notifier.models import Delivery, Notification
from notifier.values.timestamps import utc_minute
from notifier.vocabulary.people import Person, SendRequest
from notifier.vocabulary.status import Kind, Mode, QueuePosition, Reason, Status
from tenants.models import Tenant


@dataclass(frozen=True)
class ChannelOutcome:
    """What was decided on one channel: `leaves`, `waits` (until `until`) or `suppressed`; and the rules in order."""

    channel: str
    outcome: str
    reason: str
    until: datetime | None
    messages: int  #: that may leave, one for each address
    rules: list[RuleResult]


@dataclass(frozen=True)
class Explanation:
    """The decision for one recipient, as it would be made at `at`."""

    recipient: str
    category: str
    kind: Kind
    at: datetime
    channels: list[ChannelOutcome]
    rules: list[RuleResult]  #: that look at no single channel


@dataclass(frozen=True)
class DeliveryExplanation:
    """What was decided of one message when it was accepted or armed, and what happened since."""

    delivery: Delivery
    decided: str


@dataclass(frozen=True)
class Subject:
    """Which decision is explained: the recipient, the message's rule, its channels and mode."""

    tenant: Tenant
    person: Person
    rule: Rule
    channels: Sequence[str]
    mode: Mode


def explain(subject: Subject, now: datetime) -> Explanation:
    """The decision as it would be made at `now`."""

    def has_account(entry: Planned) -> bool:
        return not _missing_account(subject, entry)

    when = When(now, subject.tenant.timezone)
    choices = load_choices(subject.tenant.pk, subject.person)
    request = TraceRequest(subject.person, subject.rule, subject.channels, when, choices, has_account, subject.mode)
    traced = trace(request)
    lines = [*traced.results, *later_lines(subject.tenant.pk, request, traced)]
    outcomes = []
    for name in subject.channels:
        planned = [e for e in traced.entries if e.channel == name and isinstance(e, Planned)]
        missing = {e: text for e in planned if (text := _missing_account(subject, e))}
        rules = [line for line in lines if line.channel == name]
        if planned:
            rules.append(_account_line(name, len(planned), list(missing.values())))
        suppressed = [e.reason for e in traced.entries if e.channel == name and isinstance(e, Suppressed)]
        outcomes.append(_outcome(name, [e for e in planned if e not in missing], suppressed, rules))
    return Explanation(
        subject.person.external_id,
        subject.rule.category,
        subject.rule.kind,
        now,
        outcomes,
        [line for line in lines if not line.channel],
    )


def _outcome(
    name: str, planned: Sequence[Planned], suppressed: Sequence[Reason], rules: list[RuleResult]
) -> ChannelOutcome:
    if not planned:
        reason = suppressed[0] if suppressed else Reason.NO_ACCOUNT
        return ChannelOutcome(name, "suppressed", str(reason), None, 0, rules)
    if any(line.said == f"suppressed: {Reason.FREQUENCY_CAP}" for line in rules):
        return ChannelOutcome(name, "suppressed", str(Reason.FREQUENCY_CAP), None, 0, rules)
    first = planned[0]
    windows_end = [line.until for line in rules if line.rule == Reason.FREQUENCY_CAP and line.until is not None]
    if windows_end and first.hold_until is None:
        return ChannelOutcome(name, "waits", str(Reason.FREQUENCY_CAP), max(windows_end), len(planned), rules)
    outcome = "leaves" if first.hold_until is None else "waits"
    return ChannelOutcome(name, outcome, str(first.hold_reason or ""), first.hold_until, len(planned), rules)


def _account_line(name: str, planned: int, missing: Sequence[str]) -> RuleResult:
    if not missing:
        return RuleResult(Reason.NO_ACCOUNT, "an account sends it", PASSED, name)
    left = planned - len(missing)
    said = f"{left} of {planned} may leave" if left else f"suppressed: {Reason.NO_ACCOUNT}"
    return RuleResult(Reason.NO_ACCOUNT, "; ".join(dict.fromkeys(missing)), said, name)


def _missing_account(subject: Subject, entry: Planned) -> str:
    """Why no account sends the message; empty when one does."""
    address = entry.address
    with transaction.atomic():
        try:
            registry.choose_account(subject.tenant, entry.channel, address.platform, subject.mode, address.app)
        except Unconfigured:
            return registry.no_account(entry.channel, address.platform, address.app)
        finally:
            # a tenant's first look makes the accounts that need no credentials; an explanation stores nothing
            transaction.set_rollback(True)
    return ""


# ---- a dry run -----------------------------------------------------------------------------------------------------


def explain_request(tenant: Tenant, request: SendRequest, now: datetime) -> Explanation:
    """What would become of a request, without its content. Raises InvalidInput, naming the field, and NotFound for an
    unknown recipient."""
    context = load_context(tenant.pk, [request])
    person = context.recipients.get(request.recipient)
    if person is None:
        raise NotFound(f"There is no recipient {request.recipient!r}.")
    if request.template not in context.versions:
        raise InvalidInput(f"There is no template {request.template!r}.", field="template", code="unknown_template")
    version = context.versions[request.template]
    rule = _rule(context, request.category or version.category)
    compiled = templates.compiled(version.id)
    missing = [name for name in request.channels or () if name not in compiled.channels]
    if missing:
        raise InvalidInput(
            f"The template has no content for: {', '.join(missing)}.", field="channel", code="no_content"
        )
    return explain(Subject(tenant, person, rule, request.channels or compiled.channels, request.mode), now)


def _rule(context: AcceptContext, category: str) -> Rule:
    if category and category not in context.rules:
        raise InvalidInput(f"There is no category {category!r}.", field="category", code="unknown_category")
    return context.rules.get(category, Rule())


# ---- what was accepted ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class NotificationExplanation:
    """The messages of a notification; the recipient's consent changes since; the decision as it would be made now, None
    when the recipient is gone."""

    deliveries: list[DeliveryExplanation]
    changes: list[Change]
    now: Explanation | None


def explain_notification(
    notification: Notification, deliveries: Sequence[Delivery], now: datetime
) -> NotificationExplanation:
    """What was decided when it was accepted, from its rows, and what has changed since."""
    tenant = notification.tenant
    person = recipients.load_by_ids(tenant.pk, [notification.recipient_id]).get(notification.recipient_id)
    rule = rule_for(load_rules(tenant, [notification.category]), notification.category, notification.lane)
    names = list(dict.fromkeys(d.channel for d in deliveries))
    steps = show_steps(notification, deliveries, now)
    # each step of a route is planned by itself, as at acceptance
    groups = [step["channels"] for step in steps] or [names]
    mode = Mode(notification.mode)
    parts = [] if person is None else [explain(Subject(tenant, person, rule, group, mode), now) for group in groups]
    return NotificationExplanation(
        [DeliveryExplanation(d, describe_decision(d, notification.send_at)) for d in deliveries],
        load_changes(tenant.pk, notification.recipient_id, notification.created_at),
        _joined(parts, route_lines(steps)) if parts else None,
    )


def _joined(parts: Sequence[Explanation], lines: Mapping[str, RuleResult]) -> Explanation:
    """The explanations of the steps of a route as one, each channel with the line of its step."""
    channels = [
        replace(outcome, rules=[*outcome.rules, lines[outcome.channel]]) if outcome.channel in lines else outcome
        for part in parts
        for outcome in part.channels
    ]
    return replace(parts[0], channels=channels)


def describe_decision(delivery: Delivery, send_at: datetime | None = None) -> str:
    """What was decided of a message when it was accepted or armed, in words."""
    at = delivery.accepted_at
    if delivery.settled_at is not None and delivery.settled_at == at:
        return f"{Status(delivery.status).label}: {delivery.reason}"
    if delivery.campaign_id is not None:
        return "planned"
    if delivery.status == Status.QUEUED and delivery.queue_position == QueuePosition.LATER_STEP:
        return "accepted, and waits for an earlier step of its route"
    if delivery.attempt == 0 and delivery.due_at > max(at, send_at or at):
        return f"accepted, and waits until {utc_minute(delivery.due_at)}"
    if send_at is not None and send_at > at:
        return f"accepted, to leave at {utc_minute(send_at)}"
    return "accepted, to leave at once"
