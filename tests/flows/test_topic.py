"""A campaign to topics of Firebase, over the API and with real workers: one message, counted at the receiver."""

from __future__ import annotations

import uuid
from typing import Any

from tests.flows.sandbox import Sandbox
from tests.flows.tenant import Tenant


def test_a_topic_and_a_condition_get_one_message_each(new_tenant: Any, sandbox: Sandbox) -> None:
    tenant: Tenant = new_tenant()
    tenant.publish("news", "order-updates", {"push": {"en": {"title": "News", "body": "It is here."}}})
    name = uuid.uuid4().hex
    for topic, address in ((name, f"/topics/{name}"), (f"'{name}'in topics", f"'{name}' in topics")):
        body = {"name": f"to {topic}", "source": "topic", "topic": topic}
        campaign = tenant.draft("news", tenant.api.request_json("POST", "/v1/audiences", body)["id"], ["push"])
        campaign.arm()
        refused = campaign.post("go")
        assert (refused.status, refused.json["code"]) == (409, "not_acknowledged")
        path = f"/v1/campaigns/{campaign.id}/go"
        assert tenant.api.request_json("POST", path, {"ignore_opt_outs": True})["launched"] is True
        results = campaign.wait_until_finished()
        assert (results["sent"], results["waiting"], results["in_doubt"]) == (1, 0, 0)
        assert name in results["topic"]
        (push,) = sandbox.pushes(address)
        assert push["message"]["notification"] == {"title": "News", "body": "It is here."}
    assert sum(sandbox.addresses(f"/topics/{name}").values()) == 1
