"""The checks of the engine and of tenants, in the order in which they run."""

from __future__ import annotations

from notifier.doctor import accounts, audit, broker, ledger, postgres, processes, schema, site, webhooks


def register_own_checks() -> None:
    for module in (postgres, schema, broker, processes, ledger, accounts, webhooks, audit, site):
        module.register_checks()
