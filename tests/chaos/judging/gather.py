"""Gather the facts of one load from the ledger, the receiver and the audit log."""

from __future__ import annotations

from tests.chaos.context import Context
from tests.chaos.judging.invariants import Facts
from tests.chaos.judging.ledger import Run
from tests.chaos.load.trickle import Accepted
from tests.chaos.stack.django import use_django
from tests.chaos.stack.site import ChaosSite


def gather(context: Context, run: Run, accepted: Accepted) -> Facts:
    ledger, sides = context.ledger, context.sides
    of_campaigns = sum(side.size * len(round_.channels) for round_ in context.rounds for side in sides)
    return Facts(
        expected=of_campaigns + len(accepted.ids) + context.own_messages,
        messages=ledger.messages(run),
        arrivals=context.receiver.arrivals(),
        words={side.tenant.credentials.slug: side.word for side in sides},
        allowed=context.allowed,
        given_up=len(accepted.given_up),
        completions=ledger.completions(run),
        violations=ledger.take_violations(),
        strangers=ledger.strangers(),
        inbox_gaps=ledger.inbox_gaps(),
        broken_chains=broken_chains(context.site),
    )


def broken_chains(site: ChaosSite) -> list[str]:
    """What `manage.py verify_audit` says, asked in this process, because a command takes two seconds to start."""
    use_django(site)
    from tenants import audit
    from tenants.models import Tenant

    broken = {tenant.slug: audit.first_broken_row(tenant.pk) for tenant in Tenant.objects.all()}
    return [f"the audit log of {slug} does not fit its chain at row {row}" for slug, row in broken.items() if row]
