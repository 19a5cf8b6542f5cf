"""Facts of provider accounts, and the level of load shedding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prometheus_client import Metric

from notifier.delivery.accounts import health
from notifier.metrics.scraping.readers import gauge, single
from notifier.models import ProviderAccount
from notifier.vocabulary.load import Level
from tenants.load_shedding import read_state

#: accounts whose health a scrape looks up; further ones count as healthy
_MOST_ACCOUNTS = 5_000
OK, DEGRADED, OPEN = "ok", "degraded", "open"


def read_accounts() -> Iterator[Metric]:
    """Two statements, and one query of Redis."""
    accounts = list(ProviderAccount.objects.filter(enabled=True).values_list("id", "provider")[:_MOST_ACCOUNTS])
    weights = health.read_weights([account_id for account_id, _ in accounts])
    found = Counter((provider, state_of(weights.get(account_id, health.FULL))) for account_id, provider in accounts)
    providers = sorted({provider for _, provider in accounts})
    meaning = "Enabled provider accounts by health; open: the account takes nothing"
    values = [(p, state, found[p, state]) for p in providers for state in (OK, DEGRADED, OPEN)]
    yield gauge("provider_accounts", meaning, ("provider", "state"), values)
    shedding = read_state().level is Level.SHEDDING
    yield single("load_shedding", "1 while load is shed", shedding)


def state_of(weight: int) -> str:
    """The state of an account's health (`notifier.delivery.accounts.health`). Pure."""
    if weight <= 0:
        return OPEN
    return OK if weight >= health.FULL else DEGRADED
