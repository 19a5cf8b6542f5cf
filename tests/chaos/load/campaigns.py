"""Two tenants that send at the same time, and one round of their campaigns."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from tests.chaos.load.people import CHANNELS, fill
from tests.chaos.stack.site import ChaosSite
from tests.flows.tenant import Campaign, Tenant

#: the word with which each tenant's texts begin
WORDS = ("ACMEWORD", "CANARYWORD")
#: of all people, the second tenant has so many
SECOND_SHARE = 5


@dataclass(frozen=True)
class Side:
    """One tenant of the load."""

    tenant: Tenant
    word: str
    size: int
    audience: str


@dataclass(frozen=True)
class Round:
    """The campaigns of one round, armed; `sizes`: how many messages each has."""

    campaigns: tuple[Campaign, ...]
    channels: Sequence[str] = field(default=CHANNELS)

    @property
    def ids(self) -> list[str]:
        return [campaign.id for campaign in self.campaigns]


def make_sides(site: ChaosSite, recipients: int) -> tuple[Side, ...]:
    """The two tenants with their people."""
    tenants = [Tenant(site, site.new_tenant()) for _ in WORDS]
    sizes = (recipients - recipients // SECOND_SHARE, recipients // SECOND_SHARE)
    with ThreadPoolExecutor(len(tenants)) as pool:
        list(pool.map(fill, [site] * 2, tenants, WORDS, sizes))
    return tuple(
        Side(tenant, word, size, tenant.everybody()) for tenant, word, size in zip(tenants, WORDS, sizes, strict=True)
    )


def draft(sides: Sequence[Side], channels: Sequence[str] = CHANNELS) -> Round:
    """A campaign of each tenant to everybody. A share of failures pauses none of them: that is another test's."""
    campaigns = []
    for side in sides:
        campaign = side.tenant.draft("offer", side.audience, channels)
        side.tenant.api.request_json("PATCH", f"/v1/campaigns/{campaign.id}", {"max_error_percent": 100})
        campaigns.append(campaign)
    return Round(tuple(campaigns), channels)
