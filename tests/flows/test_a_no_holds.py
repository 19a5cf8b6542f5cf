"""A no holds on every path by which a message can leave: Ann opts out while four messages to her and to Bob wait, and
the receiver counts what came."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.flows.sandbox import Sandbox
from tests.flows.tenant import Tenant, content
from tests.flows.wait import until

PEOPLE = ("ann", "bob")


def _push(title: str) -> dict[str, object]:
    return {"push": content(title)["push"]}


def _in_digest(tenant: Tenant) -> None:
    setting = {"template": "summary", "window": "10s"}
    assert tenant.api.call("PUT", "/v1/categories/promotions/digest", setting).status == 201
    for person in PEOPLE:
        tenant.send(person, "item", data={"n": "1"})
    assert tenant.api.call("DELETE", "/v1/categories/promotions/digest").status == 204


def _in_retry(tenant: Tenant, sandbox: Sandbox) -> None:
    sandbox.faults(error_rate=1.0)
    sent = [tenant.send(person, "offer", data={"n": "retry"}) for person in PEOPLE]

    def retried() -> bool:
        rows = [tenant.notification(notification)["deliveries"][0] for notification in sent]
        return all("retry" in [step["what"] for step in row["history"]] for row in rows)

    until(retried, "a first attempt that failed")


def test_a_no_holds_for_what_waits_on_every_path(tenant: Tenant, sandbox: Sandbox) -> None:
    phones = {person: tenant.person(person, f"{tenant.tag}{person}").token for person in PEOPLE}
    tenant.publish("offer", "promotions", _push("{{ n }}"))
    tenant.publish("item", "promotions", _push("{{ n }}"))
    tenant.publish("summary", "promotions", _push("digest"))
    tenant.publish("campaign", "promotions", _push("campaign"))
    campaign = tenant.draft("campaign", tenant.everybody(), channels=["push"])
    campaign.arm()
    _in_retry(tenant, sandbox)
    _in_digest(tenant)
    later = (datetime.now(UTC) + timedelta(seconds=8)).isoformat()
    for person in PEOPLE:
        tenant.send(person, "offer", data={"n": "scheduled"}, send_at=later)
    tenant.opt_out("ann")
    # what leaves from now on is what a no of a second ago must hold back
    until(lambda: datetime.now(UTC).isoformat() > later, "the scheduled time")
    sandbox.faults(error_rate=0)
    campaign.go()
    titles = {"retry", "digest", "scheduled", "campaign"}
    until(lambda: titles <= {a.title for a in sandbox.arrivals(tenant.tag)}, "everything for Bob")
    assert sorted((a.address, a.title) for a in sandbox.arrivals(tenant.tag)) == sorted(
        (phones["bob"], title) for title in titles
    )
