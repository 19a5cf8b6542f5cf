"""A campaign to our own sandbox, which knows each message: as many different ones as the ledger says, none twice."""

from __future__ import annotations

from typing import Any

from bench import campaign
from bench.people import Crowd
from bench.sinks import Sandbox
from bench.site import BenchSite


def run(site: BenchSite, crowd: Crowd, sink: Sandbox) -> tuple[dict[str, Any], list[str]]:
    """The counts, and what is wrong with them."""
    done = campaign.send(site, campaign.arm(site, crowd, "uniqueness"), sink.messages)
    seen = sink.report()
    found = {"recipients": crowd.size, "sent": done.sent, "unique": seen["unique"], "duplicates": seen["duplicates"]}
    return found, wrong(found, done.ledger)


def wrong(found: dict[str, Any], ledger: dict[str, int]) -> list[str]:
    """What the sandbox and the ledger say differently."""
    problems = []
    if found["unique"] != found["sent"]:
        problems.append(f"sandbox: {found['unique']} different messages arrived, the ledger says {found['sent']}")
    if found["duplicates"]:
        problems.append(f"sandbox: {found['duplicates']} messages arrived twice")
    if found["sent"] != found["recipients"]:
        problems.append(f"sandbox: of {found['recipients']} recipients the ledger says {ledger}")
    return problems
