"""A campaign of 5,000 reaches each recipient that it should reach once, and accounts for all others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.flows.sandbox import Sandbox
from tests.flows.tenant import Campaign, Person, Tenant
from tests.flows.wait import until

COUNT = 5_000
#: positions in the list; opt-outs and removed devices come before arming and between arming and GO
DEAD = range(40)
NO_TOKEN = range(40, 60)
OPTED_OUT_EARLY = range(60, 80)
OPTED_OUT_LATE = range(80, 100)
DEVICE_GONE_EARLY = range(100, 110)
DEVICE_GONE_LATE = range(110, 120)
PUSH_OFF_LATE = range(120, 130)
SUPPRESSED_LATE = range(130, 133)
NO_PUSH = set(range(SUPPRESSED_LATE.stop))
NO_IN_APP = {*OPTED_OUT_EARLY, *OPTED_OUT_LATE}


def recipients(tenant: Tenant) -> list[Person]:
    people = tenant.people(COUNT)
    dead = tenant.people(len(DEAD), "unregistered")
    for n in DEAD:
        people[n] = dead[n]
    for n in NO_TOKEN:
        people[n] = Person(people[n].external_id)
    return people


def test_a_campaign_reaches_exactly_the_right_recipients_once(
    new_tenant: Callable[[], Tenant], tenant: Tenant, sandbox: Sandbox
) -> None:
    other_tenant = new_tenant()
    other_tenant.person("theirs", f"{other_tenant.tag}theirs")
    people = recipients(tenant)
    tenant.import_people(people)
    tenant.publish("offer", "promotions")
    ids = [p.external_id for p in people]
    audience = tenant.list_of([*ids, *ids[:300], "theirs", "nobody-1", "nobody-2"])
    opt_out(tenant, OPTED_OUT_EARLY, DEVICE_GONE_EARLY)

    campaign = tenant.draft("offer", audience)
    armed = campaign.arm()
    assert (armed["audience_size"], armed["excluded"]["unknown_recipient"]) == (COUNT + 3, 3)
    assert sandbox.requests() == 0
    opt_out(tenant, OPTED_OUT_LATE, DEVICE_GONE_LATE)
    each(PUSH_OFF_LATE, lambda n: tenant.api.request_json("PUT", preferences(n), {"channels": {"push": False}}))
    suppress(tenant, [people[n].token for n in SUPPRESSED_LATE])
    campaign.go()
    results = campaign.wait_until_finished()

    expected = {people[n].token: 1 for n in range(COUNT) if n not in NO_PUSH}
    assert sandbox.addresses(tenant.tag) == expected
    assert sandbox.addresses(other_tenant.tag) == {}
    assert sandbox.requests() == len(expected) + len(DEAD)
    check_push(results["channels"]["push"], len(expected))
    check_in_app(results["channels"]["in_app"])
    assert results["waiting"] == results["in_doubt"] == 0
    check_accounting(tenant, campaign, results)
    for n, messages in ((200, 1), (OPTED_OUT_EARLY[0], 0), (OPTED_OUT_LATE[0], 0), (NO_TOKEN[0], 1), (DEAD[0], 1)):
        assert len(tenant.inbox(f"u{n}").messages()) == messages, n
    check_dead_tokens_are_skipped(tenant, audience, sandbox)


def preferences(n: int) -> str:
    return f"/v1/recipients/u{n}/preferences"


def opt_out(tenant: Tenant, opted_out: range, without_device: range) -> None:
    each(opted_out, lambda n: tenant.opt_out(f"u{n}"))
    each(without_device, lambda n: remove_device(tenant, f"u{n}"))


def remove_device(tenant: Tenant, external_id: str) -> None:
    for device in tenant.devices(external_id):
        tenant.api.request_json("DELETE", f"/v1/recipients/{external_id}/devices/{device['id']}")


def suppress(tenant: Tenant, tokens: Sequence[str]) -> None:
    """Suppress the addresses in the admin."""
    owner = tenant.owner()
    for token in tokens:
        answer = owner.submit("/admin/tenants/suppression/add/", channel="push", address=token, cause="manual")
        assert answer.status == 302, answer.text


def each(numbers: range, step: Callable[[int], object]) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(step, numbers))


def check_push(push: dict[str, Any], sent: int) -> None:
    """Every member of the audience has exactly one outcome."""
    assert (push["sent"], push["failed_by_reason"]) == (sent, {"dead_address": len(DEAD)})
    assert push["suppressed_by_reason"] == {
        "no_address": len(NO_TOKEN) + len(DEVICE_GONE_EARLY) + len(DEVICE_GONE_LATE),
        "category_off": len(OPTED_OUT_EARLY) + len(OPTED_OUT_LATE),
        "channel_off": len(PUSH_OFF_LATE),
        "address_suppressed": len(SUPPRESSED_LATE),
    }
    assert push["sent"] + push["failed"] + push["suppressed"] == COUNT


def check_in_app(in_app: dict[str, Any]) -> None:
    assert in_app["delivered"] == COUNT - len(NO_IN_APP)
    assert in_app["suppressed_by_reason"] == {"category_off": len(NO_IN_APP)}
    assert in_app["sent"] + in_app["failed"] + in_app["suppressed"] == COUNT


def check_accounting(tenant: Tenant, campaign: Campaign, results: dict[str, Any]) -> None:
    """Once every outcome is in its row, the report is the same as before, and the audit log has one entry."""
    until(lambda: tenant.audit_count("campaign.finished", campaign.id), "the campaign to be accounted for")
    assert tenant.audit_count("campaign.finished", campaign.id) == 1
    after = campaign.results()
    for channel, report in results["channels"].items():
        now = after["channels"][channel]
        assert {k: v for k, v in now.items() if not k.endswith("_ms")} == {
            k: v for k, v in report.items() if not k.endswith("_ms")
        } | {"seconds": now["seconds"], "rate_per_s": now["rate_per_s"]}
        for name in ("p50_ms", "p95_ms", "p99_ms"):
            assert abs(now[name] - report[name]) <= 2, (channel, name)


def check_dead_tokens_are_skipped(tenant: Tenant, audience: str, sandbox: Sandbox) -> None:
    """A second campaign sends no request to dead tokens."""
    # accounting marks the devices some seconds after the last answer
    for n in DEAD:
        until(lambda n=n: all(d["dead_since"] for d in tenant.devices(f"u{n}")), "the devices to be marked as dead")  # type: ignore[misc]
    sandbox.reset()
    again = tenant.draft("offer", audience, ["push"])
    again.arm()
    again.go()
    again.wait_until_finished()
    assert sandbox.requests() == COUNT - len(NO_PUSH)
