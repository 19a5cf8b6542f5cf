"""The category of a campaign's messages. An armed campaign keeps the category that it was armed with, though its
template may get another."""

from __future__ import annotations

from collections.abc import Iterator

from campaigns.models import Campaign
from campaigns.states import ENDED, State
from notifier.delivery.planning.category_rules import load_rules, rule_for
from notifier.delivery.planning.plan import Rule
from notifier.vocabulary.status import Lane
from tenants.categories import MAX_USES, CategoryUse
from tenants.models import Category

#: states in which messages are planned and may still leave
_PLANNED = [state for state in State if state != State.DRAFT and state not in ENDED]


def category_rule_of(campaign: Campaign) -> Rule:
    """The category's rule for the campaign's messages."""
    if campaign.state == State.DRAFT:
        category = campaign.template.category
        return load_rules(campaign.tenant, [category.key]).by_key[category.key] if category else Rule()
    return rule_for(load_rules(campaign.tenant, [campaign.category]), campaign.category, Lane.BULK)


def campaigns_using(category: Category) -> Iterator[CategoryUse]:
    """Campaigns that were armed with the category and may still leave."""
    planned = Campaign.objects.filter(tenant_id=category.tenant_id, category=category.key, state__in=_PLANNED)
    for campaign in planned.order_by("-id")[:MAX_USES]:
        yield CategoryUse(f"campaign {campaign.name} ({campaign.state})", armed=True)
