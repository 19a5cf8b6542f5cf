"""A process dies at each of the points around every commit and every request to a provider; the receiver counts.

Each test takes a message or a campaign through the points of its way, one death after the other, as `kill -9` at the
worst line would be. Nothing is lost, a repeat carries the same collapse key, and every end happens once."""

from __future__ import annotations

import http.client
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from notifier import failpoints
from tests.flows.http import Answer
from tests.flows.sandbox import Sandbox
from tests.flows.site import Site
from tests.flows.tenant import Tenant, content
from tests.flows.test_sms import TEXT, number, phone, status_of_new
from tests.flows.wait import until

PEOPLE = 1_500  #: three shards of the flows' site
LATENCY_MS = 300
#: where a web process dies between a POST and its answer
ACCEPTING = (
    "accept.before-commit", "accept.before-wakeup", "direct.before-commit", "direct.before-answer",
    "view.before-commit", "view.before-answer",
)  # fmt: skip
SENDING = (
    "send.after-claim", "send.before-request", "send.before-settle", "settle.before-commit", "settle.after-commit",
)  # fmt: skip
ARMING = ("arming.before-commit", "arming.after-range")
GO = ("go.before-commit", "go.before-fanout")
SHARDS = (
    "shard.after-claim", "shard.before-request", "shard.between-chunks", "shard.before-commit", "shard.before-release",
    "shard.after-release",
)  # fmt: skip
ACCOUNTING = ("account.before-commit", "account.before-close")
RECEIPTS = ("receipts.before-apply", "receipts.before-commit")
OTHERS = (
    "fanout.before-chord", "finish.before-accounting", "receipts.before-wakeup", "digests.before-commit",
    "routes.before-commit",
)  # fmt: skip


def test_these_tests_reach_every_point() -> None:
    reached = [*ACCEPTING, *SENDING, *ARMING, *GO, *SHARDS, *ACCOUNTING, *RECEIPTS, *OTHERS]
    assert sorted(reached) == sorted(failpoints.names())


@pytest.fixture(autouse=True)
def _everything_runs_again(site: Site) -> Iterator[None]:
    yield
    site.own_env.clear()
    site.start("web", "beat", *(f"worker:{queue.name}" for queue in site.queues))


@contextmanager
def death(site: Site, point: str, *programs: str) -> Iterator[None]:
    """In the block, each process of the programs dies where it reaches the point; after it, one has died there, and
    they run again without the point."""
    nodes = [node for program in programs for node in _nodes(site, program)]
    for program in programs:
        site.kill(program)
        site.own_env[program] = {"NOTIFIER_FAILPOINT": point}
    site.start(*programs)
    before = {node: site.log(node).stat().st_size for node in nodes}
    line = f"failpoint {point}: this process ends"
    yield

    def has_died() -> bool:
        return any(line in site.log(node).read_bytes()[before[node] :].decode(errors="replace") for node in nodes)

    until(has_died, f"a process to die at {point}")
    for program in programs:
        site.kill(program)
        del site.own_env[program]
    site.start(*programs)


def _nodes(site: Site, program: str) -> list[str]:
    queue = program.partition(":")[2]
    return [node for each in site.queues if each.name == queue for node in each.workers] or [program]


def without_answer(call: Callable[[], Answer]) -> None:
    """The call gets no answer, because the web process dies."""
    with pytest.raises((OSError, http.client.HTTPException)):
        call()


@pytest.mark.parametrize("point", ACCEPTING)
def test_a_request_whose_web_process_dies_is_repeated_and_reaches_its_recipient_once(
    site: Site, tenant: Tenant, sandbox: Sandbox, point: str
) -> None:
    tenant.publish("order", "order-updates", {"push": content()["push"]})
    tenant.person("ann", f"{tenant.tag}ann")
    path = "/v1/notifications?by=view" if point.startswith("view") else "/v1/notifications"
    key = str(uuid.uuid4())

    def post() -> Answer:
        body = {"recipient": "ann", "template": "order"}
        return tenant.api.call("POST", path, body, idempotency_key=key)

    with death(site, point, "web"):
        without_answer(post)
    answer = post()
    assert answer.status == 202, answer.text
    assert tenant.wait_until_final(answer.json["id"]) == {"push": "sent"}
    assert sandbox.addresses(tenant.tag) == {f"{tenant.tag}ann": 1}


@pytest.mark.parametrize("point", SENDING)
def test_a_message_whose_worker_dies_arrives_and_a_repeat_has_the_same_collapse_key(
    site: Site, tenant: Tenant, sandbox: Sandbox, point: str
) -> None:
    tenant.publish("order", "order-updates", {"push": content()["push"]})
    tenant.person("ann", f"{tenant.tag}ann")
    with death(site, point, "worker:push"):
        sent = tenant.send("ann", "order")
    assert tenant.wait_until_final(sent) == {"push": "sent"}
    arrivals = sandbox.arrivals(tenant.tag)
    [delivery] = tenant.notification(sent)["deliveries"]
    assert {arrived.delivery.replace("-", "") for arrived in arrivals} == {delivery["id"].replace("-", "")}
    # a process that died in a loop may have repeated the message each time; most do not come back before they are ended
    assert len(arrivals) >= 1
    if point in ("send.after-claim", "send.before-request", "settle.after-commit"):
        assert len(arrivals) == 1


def test_a_campaign_whose_processes_die_at_every_point_of_its_way_reaches_everybody(
    site: Site, new_tenant: Callable[[], Tenant], sandbox: Sandbox
) -> None:
    shop = new_tenant()
    people = shop.people(PEOPLE)
    shop.import_people(people)
    shop.publish("offer", "promotions")
    campaign = shop.draft("offer", shop.everybody(), ["push"])
    site.kill("worker:batch")
    assert campaign.post("arm").status == 202
    for point in ARMING:
        with death(site, point, "worker:batch"):
            pass  # the sweep posts the task again
    campaign.wait_until_armed()
    with death(site, GO[0], "web"):
        without_answer(lambda: campaign.post("go"))
    assert campaign.read()["state"] == "armed"
    sandbox.faults(latency_ms=LATENCY_MS)
    site.kill("worker:push.bulk")
    with death(site, "fanout.before-chord", "worker:control"):
        campaign.go()
    for point in SHARDS:
        with death(site, point, "worker:push.bulk"):
            pass
    site.kill("worker:batch")
    site.kill("worker:push.bulk")
    with death(site, "finish.before-accounting", "worker:control", "worker:push.bulk"):
        pass
    for point in ACCOUNTING:
        with death(site, point, "worker:batch"):
            pass
    results = campaign.wait_until_finished()
    until(lambda: shop.audit_count("campaign.finished", campaign.id), "the campaign to be accounted for")
    arrivals = sandbox.arrivals(shop.tag)
    assert {arrived.address for arrived in arrivals} == {person.token for person in people}
    assert len({(arrived.address, arrived.delivery) for arrived in arrivals}) == PEOPLE
    assert (results["channels"]["push"]["sent"], results["in_doubt"]) == (PEOPLE, 0)
    assert shop.audit_count("campaign.finished", campaign.id) == 1


def test_a_launch_whose_web_process_dies_after_the_commit_leaves_by_the_sweep(
    site: Site, new_tenant: Callable[[], Tenant], sandbox: Sandbox
) -> None:
    shop = new_tenant()
    people = shop.people(20)
    shop.import_people(people)
    shop.publish("offer", "promotions")
    campaign = shop.draft("offer", shop.everybody(), ["push"])
    campaign.arm()
    with death(site, GO[1], "web"):
        without_answer(lambda: campaign.post("go"))
    campaign.wait_until_finished()
    assert campaign.post("go").json["launched"] is False
    assert sandbox.addresses(shop.tag) == {person.token: 1 for person in people}


def test_receipts_whose_processes_die_are_applied_once(site: Site, tenant: Tenant, sandbox: Sandbox) -> None:
    tenant.publish("code", "order-updates", TEXT)
    phone(tenant, "ann", 1)
    for point in RECEIPTS:
        with death(site, point, "worker:receipts"):
            sent = tenant.send("ann", "code")
        until(lambda sent=sent: tenant.statuses(sent) == {"sms": "delivered"}, "the receipt")  # type: ignore[misc]
    history = tenant.notification(sent)["deliveries"][0]["history"]
    assert [step["what"] for step in history].count("delivered") == 1
    # one call, which the sandbox may not repeat once the web process runs again
    with death(site, "receipts.before-wakeup", "web"):
        sandbox.answer_sms(number(tenant, 1), "STOP")
    until(lambda: status_of_new(tenant, "ann") == "suppressed", "STOP to be read, whose web process died")


def test_a_digest_and_a_route_whose_sweep_dies_leave_once(site: Site, tenant: Tenant, sandbox: Sandbox) -> None:
    tenant.publish("order", "order-updates", content("Order {{ order }}"))
    summary = {"push": {"en": {"title": "{{ count }} orders", "body": "Here."}}}
    tenant.publish("summary", "order-updates", summary)
    ann = tenant.person("ann", f"{tenant.tag}ann")
    with death(site, "digests.before-commit", "worker:control"):
        for n in "AB":
            digest = {"key": "orders", "template": "summary", "window": "1s"}
            tenant.send("ann", "order", data={"order": n}, channels=["push"], digest=digest)
    until(lambda: sandbox.arrivals(tenant.tag), "the digest")
    assert [(a.address, a.title) for a in sandbox.arrivals(tenant.tag)] == [(ann.token, "2 orders")]

    dead = replace(ann, token=f"{tenant.tag}bob-unregistered")
    tenant.person("bob", dead.token)
    route = [{"channel": "push"}, {"after": "10m", "channel": "in_app"}]
    with death(site, "routes.before-commit", "worker:control"):
        sent = tenant.send("bob", "order", data={"order": "C"}, route=route)
    assert tenant.wait_until_final(sent) == {"push": "failed", "in_app": "delivered"}
    assert len(tenant.inbox("bob").messages()) == 1
