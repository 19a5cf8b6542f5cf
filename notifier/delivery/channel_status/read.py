"""The facts of now: accounts of tenants, their health, and how long their oldest urgent message waits."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping

from notifier.delivery.accounts import health
from notifier.delivery.channel_status.state import AccountFacts, ChannelState, state_of
from notifier.delivery.infra import bulk
from notifier.models import ProviderAccount
from notifier.providers import provider_class
from notifier.vocabulary.status import Lane, QueuePosition, Status

_PROBES = ", ".join(
    f"(SELECT d.due_at FROM notifier_delivery d WHERE d.channel = a.channel AND d.account_id = a.id AND d.lane = {lane}"
    f" AND d.status = {Status.QUEUED} AND d.queue_position = {QueuePosition.HAS_TURN} ORDER BY d.due_at LIMIT 1)"
    for lane in (Lane.CRITICAL, Lane.TRANSACTIONAL)
)
# two probes of the claim's index for each account: 0.1 ms
_OLDEST = f"""
SELECT a.id, greatest(0, extract(epoch FROM statement_timestamp() - least({_PROBES})))::float8
FROM unnest(%s::uuid[], %s::text[]) a (id, channel)
"""

#: of a tenant: channel -> its accounts
ByChannel = Mapping[str, list[AccountFacts]]


def read_accounts(tenants: Collection[uuid.UUID]) -> dict[uuid.UUID, dict[str, list[AccountFacts]]]:
    """The enabled accounts that carry the live messages of these tenants, by tenant and channel: two statements and one
    query of Redis, however many tenants there are."""
    rows = ProviderAccount.objects.filter(tenant_id__in=tenants, enabled=True).select_related("tenant").order_by("id")
    accounts = [a for a in rows if a.sandbox == a.tenant.sandbox or provider_class(a.provider).builtin]
    weights = health.read_weights([account.id for account in accounts])
    oldest = _read_oldest(accounts)
    found: dict[uuid.UUID, dict[str, list[AccountFacts]]] = {tenant: {} for tenant in tenants}
    for a in accounts:
        facts = AccountFacts(a.name, a.provider, a.channel, weights.get(a.id, health.FULL), oldest.get(a.id, 0.0))
        found[a.tenant_id].setdefault(a.channel, []).append(facts)
    return found


def _read_oldest(accounts: Collection[ProviderAccount]) -> dict[uuid.UUID, float]:
    if not accounts:
        return {}
    with bulk.cursor() as cursor:
        cursor.execute(_OLDEST, [[a.id for a in accounts], [a.channel for a in accounts]])
        return {account_id: seconds for account_id, seconds in cursor.fetchall() if seconds is not None}


def states(by_channel: ByChannel) -> dict[str, ChannelState]:
    """channel -> its state, by name of the channel."""
    return {channel: state_of(accounts) for channel, accounts in sorted(by_channel.items())}
