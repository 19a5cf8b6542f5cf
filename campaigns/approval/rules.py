"""Which campaigns need an approval and a test send. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from campaigns.models import Campaign
from tenants.models import ApprovalRule, Tenant


@dataclass(frozen=True)
class Rule:
    """A tenant's settings of what GO asks for."""

    approval: str = ApprovalRule.NEVER
    above: int = 0
    test_copy: bool = False

    @classmethod
    def of_tenant(cls, tenant: Tenant) -> Rule:
        return cls(tenant.approval, tenant.approval_above, tenant.require_test_copy)


#: of silent runs
NOTHING = Rule()


def rule_for(campaign: Campaign) -> Rule:
    """The rule of the campaign's tenant. A silent run reaches no recipient: GO asks nothing of it. A test campaign does
    reach the inboxes of an in-app channel, so that the rule holds for it."""
    return NOTHING if campaign.silent else Rule.of_tenant(campaign.tenant)


def needs_approval(rule: Rule, people: int | None) -> bool:
    """Whether a campaign to so many recipients needs an approval. None: their number is unknown, because the campaign
    is not armed, or goes to a topic; such a campaign counts as a large one."""
    if rule.approval == ApprovalRule.ALWAYS:
        return True
    return rule.approval == ApprovalRule.ABOVE and (people is None or people > rule.above)
