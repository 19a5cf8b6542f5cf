"""Runs of the deletion at a time to come: what is sent now is then old."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from notifier.tasks import deliver_queue
from tenants.models import Tenant
from tenants.retention.registry import Pace
from tenants.retention.run import run
from tests.campaigns.conftest import browser, site
from tests.delivery.conftest import accounts_as_new, caps_as_new, market, shop

__all__ = ["accounts_as_new", "browser", "caps_as_new", "deliver_all", "market", "run_after", "shop", "site"]


def run_after(days: float, batch: int = 1_000) -> int:
    """Delete as the task will do after so many days."""
    return run(datetime.now(UTC) + timedelta(days=days), Pace(600.0, batch))


def keep_for(tenant: Tenant, days: int) -> None:
    """Let the tenant keep messages for so many days."""
    tenant.keep_messages_days = days
    tenant.save(update_fields=["keep_messages_days"])


def deliver_all() -> None:
    """Send what is due to the inbox."""
    deliver_queue("in_app")
