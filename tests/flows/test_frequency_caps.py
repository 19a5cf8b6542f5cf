"""Frequency caps over HTTP, counted at the receiver: requests and a campaign side by side."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tests.flows.sandbox import Sandbox
from tests.flows.tenant import Tenant
from tests.flows.wait import until

PEOPLE, REQUESTS, MOST = 40, 4, 3


def test_requests_and_a_campaign_together_send_exactly_what_the_cap_allows(tenant: Tenant, sandbox: Sandbox) -> None:
    tenant.publish("offer", "promotions")
    cap = tenant.api.request_json("POST", "/v1/frequency-caps", {"most": MOST, "period": "week", "channel": "push"})
    people = tenant.people(PEOPLE)
    tenant.import_people(people)
    campaign = tenant.draft("offer", tenant.everybody(), channels=["push"])
    items = [{"recipient": p.external_id, "template": "offer", "channels": ["push"]} for p in people]

    def send(backwards: bool) -> int:
        body = {"items": items[::-1] if backwards else items}
        return int(tenant.api.request_json("POST", "/v1/notifications/bulk", body)["refused"])

    with ThreadPoolExecutor(REQUESTS + 1) as pool:
        armed = pool.submit(campaign.arm)
        assert sum(pool.map(send, [False, True] * (REQUESTS // 2))) == 0
        armed.result()
    campaign.go()
    campaign.wait_until_finished()
    until(lambda: sandbox.addresses(tenant.tag).total() >= PEOPLE * MOST, "all messages that the cap allows")
    assert sandbox.addresses(tenant.tag) == Counter({p.token: MOST for p in people})
    refused = tenant.send("u0", "offer", channels=["push"])
    assert tenant.statuses(refused) == {"push": "suppressed"}
    # a larger cap lets the next one through
    tenant.api.request_json("PATCH", f"/v1/frequency-caps/{cap['id']}", {"most": MOST + 1})
    assert tenant.wait_until_final(tenant.send("u0", "offer", channels=["push"])) == {"push": "sent"}
    assert sandbox.addresses(tenant.tag)[people[0].token] == MOST + 1
