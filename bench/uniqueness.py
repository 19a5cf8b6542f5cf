"""A campaign to our own sandbox, which knows each message: the count of the ledger must arrive, and none twice."""

from __future__ import annotations

from typing import Any

from bench import campaign
from bench.sinks import Sandbox
from bench.site import BenchSite
from bench.tenants import BenchTenant


def measure(site: BenchSite, tenant: BenchTenant, sink: Sandbox) -> tuple[dict[str, Any], list[str]]:
    """The counts, and the problems with them."""
    run = campaign.send(site, campaign.arm(site, tenant, "uniqueness"), sink.messages)
    report = sink.report()
    figures = {
        "recipients": tenant.size,
        "sent": run.sent,
        "unique": report["unique"],
        "duplicates": report["duplicates"],
    }
    return figures, disagreements(figures, run.ledger)


def disagreements(figures: dict[str, Any], ledger: dict[str, int]) -> list[str]:
    """Where the sandbox and the ledger disagree."""
    problems = []
    if figures["unique"] != figures["sent"]:
        problems.append(f"sandbox: {figures['unique']} different messages arrived, the ledger says {figures['sent']}")
    if figures["duplicates"]:
        problems.append(f"sandbox: {figures['duplicates']} messages arrived twice")
    if figures["sent"] != figures["recipients"]:
        problems.append(f"sandbox: of {figures['recipients']} recipients the ledger says {ledger}")
    return problems
