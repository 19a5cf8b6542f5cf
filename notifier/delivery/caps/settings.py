"""Create, change and delete caps: what the API and the admin check."""

from __future__ import annotations

from collections.abc import Iterator

from notifier.channels.names import check_channel_names
from notifier.errors import Conflict, InvalidInput
from notifier.models import FrequencyCap
from tenants.categories import MAX_USES, CategoryUse, check_not_archived
from tenants.models import Category, Tenant


def create_cap(tenant: Tenant, category_key: str, channel: str, most: int, period: str) -> FrequencyCap:
    """A new cap. `category_key`: "" for all marketing; `channel`: "" for all channels. Raises InvalidInput for a
    category or channel that does not exist, and Conflict for a second cap of the same kind."""
    category = _category(tenant, category_key) if category_key else None
    check_channel(channel)
    cap, created = FrequencyCap.objects.get_or_create(
        tenant=tenant, category=category, channel=channel, period=period, defaults={"most": most}
    )
    if not created:
        raise Conflict(f"There is such a cap already: {cap}. Change it instead.", field="period", code="exists")
    return cap


def check_channel(name: str) -> None:
    """Raise InvalidInput for an unknown channel; "" stands for all channels."""
    if name:
        check_channel_names([name], "channel")


def _category(tenant: Tenant, key: str) -> Category:
    category = Category.objects.filter(tenant=tenant, key=key).first()
    if category is None:
        raise InvalidInput(f"There is no category {key[:64]!r}.", field="category", code="unknown_category")
    check_not_archived(category, "category")
    return category


def find_uses(category: Category) -> Iterator[CategoryUse]:
    """Caps of the category: it is not deleted before them."""
    for cap in FrequencyCap.objects.filter(category=category).select_related("category").order_by("id")[:MAX_USES]:
        yield CategoryUse(f"frequency cap {cap}")
