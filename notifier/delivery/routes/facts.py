"""The messages of a route as its decision sees them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from notifier.delivery.accounts import registry
from notifier.delivery.ledger.route_rows import RoutedRow
from notifier.delivery.routes.decide import StepRow
from notifier.providers import provider_class
from notifier.vocabulary.routes import Route, step_of
from notifier.vocabulary.status import Status


def facts_of(rows: Sequence[RoutedRow], route: Route) -> list[StepRow]:
    """What the decision sees of these messages of one route, in their order."""
    return [_fact(row, step_of(route, row.channel)) for row in rows]


def _fact(row: RoutedRow, step: int) -> StepRow:
    in_doubt = row.status == Status.UNKNOWN
    return StepRow(
        step,
        Status(row.status),
        row.reason,
        row.queue_position,
        row.attempt,
        row.due_at,
        row.settled_at,
        row.retried_at,
        bool(row.was_seen),
        bool(row.was_delivered),
        in_doubt and _may_report(row.account_id),
    )


def _may_report(account_id: uuid.UUID | None) -> bool:
    """Whether the account's provider reports what became of messages."""
    account = registry.load_account(account_id) if account_id is not None else None
    return account is not None and provider_class(account.provider).reports
