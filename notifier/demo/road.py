"""The demo's road, step by step, over the REST API; the last step compares the ledger with what the sandbox counted."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from notifier.demo.client import Client

Say = Callable[[str], None]

#: how many recipients say no before arming, and how many between arming and GO
SAY_NO = 20
TEMPLATES = {
    "big-game": {
        "category": "promotions",
        "content": {
            "push": {
                "en": {"title": "{{ recipient.name }}, it is time", "body": "Five seconds. One lesson. Go."},
                "de": {"title": "{{ recipient.name }}, es ist soweit", "body": "Fünf Sekunden. Eine Lektion. Los."},
            },
            "in_app": {
                "en": {"title": "The big game is on", "body": "Your {{ recipient.attributes.plan }} plan, one lesson."},
                "de": {"title": "Das große Spiel läuft", "body": "Eine Lektion, jetzt."},
            },
        },
    },
    "order-shipped": {
        "category": "order-updates",
        "content": {
            "push": {"en": {"title": "On its way", "body": "Order {{ order }} left our warehouse."}},
            "in_app": {"en": {"title": "On its way", "body": "Order {{ order }} left our warehouse."}},
        },
    },
}


@dataclass
class Road:
    """Where the demo walks: the API with the tenant's key, and the sandbox's own report."""

    api: Client
    sandbox: Client
    say: Say
    campaign: str = ""
    report: dict[str, Any] = field(default_factory=dict)

    def templates(self) -> None:
        for key, template in TEMPLATES.items():
            self.api.put(f"/v1/templates/{key}", template)

    def campaign_armed(self, name: str, external_ids: list[str]) -> None:
        audience = self.api.post("/v1/audiences", {"name": f"everybody {name}", "source": "list"})
        csv = "\n".join(["external_id", *external_ids]).encode()
        members = f"/v1/audiences/{audience['id']}/members"
        stored = self.api.put_csv(members, csv)
        until = time.monotonic() + 600
        while stored["state"] in ("waiting", "running") and time.monotonic() < until:
            # a worker reads a large list
            time.sleep(0.5)
            stored = self.api.get(members)
        if stored["state"] != "done":
            raise SystemExit(f"the list was not loaded: {stored['failure'] or stored['state']}")
        self.say(f"audience: {stored['stored']:,} external ids uploaded")
        self._say_no(0)
        created = self.api.post(
            "/v1/campaigns",
            {"name": name, "template": "big-game", "audience": audience["id"], "channels": ["push", "in_app"]},
            idempotency_key=f"demo-{uuid.uuid4()}",
        )
        self.campaign = created["id"]
        self.api.post(f"/v1/campaigns/{self.campaign}/arm")
        state = self._watch(_arming, lambda c: f"arming: {c['processed']:,} recipients looked at")
        if state["state"] != "armed":
            raise SystemExit(f"arming failed: {state.get('failure') or state}")
        self._say_no(SAY_NO)

    def go(self) -> None:
        first = self.api.post(f"/v1/campaigns/{self.campaign}/go")
        again = self.api.post(f"/v1/campaigns/{self.campaign}/go")
        self.say(f"GO: launched {first['launched']}; pressed a second time: launched {again['launched']}")
        self._watch(lambda c: c["state"] == "running", self._live)
        self._watch(lambda c: c["accounted_at"] is None, lambda _: "finished; the ledger's rows follow")

    def results(self) -> dict[str, Any]:
        found: dict[str, Any] = self.api.get(f"/v1/campaigns/{self.campaign}/results")
        return found

    def transactional(self) -> dict[str, int]:
        """One POST, sent twice with the same Idempotency-Key; counts what arrived where."""
        before = self._sandbox_unique()
        inbox = Client(self.api.origin, self.api.post("/v1/inbox/tokens", {"recipient": "user-0"})["token"])
        had = inbox.get("/v1/inbox/unread")["last_seq"]
        body = {"recipient": "user-0", "template": "order-shipped", "data": {"order": "A-1042"}}
        key = f"demo-{uuid.uuid4()}"
        sent = self.api.post("/v1/notifications", body, idempotency_key=key)
        again = self.api.post("/v1/notifications", body, idempotency_key=key)
        if again["id"] != sent["id"]:
            raise SystemExit("a retried POST made a second notification")
        until = time.monotonic() + 30
        while time.monotonic() < until:
            history = self.api.get(f"/v1/notifications/{sent['id']}")
            if all(d["status"] in ("sent", "delivered", "failed", "suppressed") for d in history["deliveries"]):
                break
            time.sleep(0.1)
        now = inbox.get("/v1/inbox/unread")["last_seq"]
        return {"push": self._sandbox_unique() - before, "in_app": now - had}

    def sandbox_report(self) -> dict[str, Any]:
        found: dict[str, Any] = self.sandbox.get("/_report")
        return found

    def arrived(self) -> set[tuple[str, str]]:
        """(delivery id, address) of every message that the sandbox took."""
        messages = self.sandbox.get("/_report?detail=1&limit=10000000")["messages"]
        return {(m["delivery"], m["address"]) for m in messages}

    def _sandbox_unique(self) -> int:
        return int(self.sandbox_report()["unique"])

    def _say_no(self, start: int) -> None:
        """Recipients who turn promotions off; from 1, because user-0 shows the inbox."""
        for number in range(start + 1, start + 1 + SAY_NO):
            self.api.put(f"/v1/recipients/user-{number}/preferences", {"categories": {"promotions": False}})

    def _watch(self, on: Callable[[dict[str, Any]], bool], line: Callable[[dict[str, Any]], str]) -> dict[str, Any]:
        """Say how the campaign stands, while `on` holds of it."""
        until, said = time.monotonic() + 600, 0.0
        while True:
            campaign: dict[str, Any] = self.api.get(f"/v1/campaigns/{self.campaign}")
            if not on(campaign) or time.monotonic() > until:
                return campaign
            if time.monotonic() - said > 1:
                said = time.monotonic()
                self.say(line(campaign))
            time.sleep(0.1)

    def _live(self, _campaign: dict[str, Any]) -> str:
        seen = self.sandbox_report()
        return f"running: {seen['unique']:,} pushes have arrived at the sandbox"


def _arming(campaign: dict[str, Any]) -> bool:
    return bool(campaign["state"] == "arming")
