"""What becomes of a message over its cap, as its category says."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime

from notifier.delivery.planning.cap_rules import CapWindow
from notifier.values.timestamps import utc_minute
from tenants.models import Category
from tenants.models.consent import OverCap


def load_policies(tenant_id: uuid.UUID, categories: Collection[str]) -> dict[str, OverCap]:
    """category key -> what becomes of its messages; a deleted category is missing. Read only when a message is over a
    cap."""
    rows = Category.objects.filter(tenant_id=tenant_id, key__in=set(categories))
    return {key: OverCap(policy) for key, policy in rows.values_list("key", "over_cap")}


def next_window(full: Sequence[CapWindow]) -> datetime:
    """When all of these windows are over."""
    return max(window.window.end for window in full)


def describe(full: Sequence[CapWindow]) -> str:
    """The full windows in words, for the detail of a message."""
    return "; ".join(f"{w.cap}, from {utc_minute(w.window.start)} on" for w in full)[:300]
