"""The steps of the demo, over the REST API."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from notifier.demo.client import Client

Say = Callable[[str], None]

#: recipients who opt out before arming, and as many between arming and GO
OPT_OUTS = 20
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
class Workflow:
    """Calls the API with the tenant's key, and reads the sandbox's report."""

    api: Client
    sandbox: Client
    say: Say
    campaign: str = ""
    report: dict[str, Any] = field(default_factory=dict)

    def templates(self) -> None:
        for key, template in TEMPLATES.items():
            self.api.put(f"/v1/templates/{key}", template)

    def campaign_armed(self, name: str, external_ids: list[str]) -> None:
        audience = self.api.post("/v1/audiences", {"name": f"all recipients {name}", "source": "list"})
        csv = "\n".join(["external_id", *external_ids]).encode()
        members = f"/v1/audiences/{audience['id']}/members"
        stored = self.api.put_csv(members, csv)
        until = time.monotonic() + 600
        while stored["state"] in ("waiting", "running") and time.monotonic() < until:
            # a worker is reading the list
            time.sleep(0.5)
            stored = self.api.get(members)
        if stored["state"] != "done":
            raise SystemExit(f"the list was not loaded: {stored['failure'] or stored['state']}")
        self.say(f"audience: {stored['stored']:,} external ids uploaded")
        self._opt_out(0)
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
        self._opt_out(OPT_OUTS)

    def go(self) -> None:
        first = self.api.post(f"/v1/campaigns/{self.campaign}/go")
        again = self.api.post(f"/v1/campaigns/{self.campaign}/go")
        self.say(f"GO: launched {first['launched']}; pressed a second time: launched {again['launched']}")
        self._watch(lambda c: c["state"] == "running", self._live)
        self._watch(lambda c: c["accounted_at"] is None, lambda _: "finished; the ledger's rows follow")

    def results(self) -> dict[str, Any]:
        results: dict[str, Any] = self.api.get(f"/v1/campaigns/{self.campaign}/results")
        return results

    def transactional(self) -> dict[str, int]:
        """One POST, sent twice with the same Idempotency-Key. Returns how many messages arrived on each channel."""
        before = self._sandbox_unique()
        inbox = Client(self.api.origin, self.api.post("/v1/inbox/tokens", {"recipient": "user-0"})["token"])
        last_seq = inbox.get("/v1/inbox/unread")["last_seq"]
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
        new_last_seq = inbox.get("/v1/inbox/unread")["last_seq"]
        return {"push": self._sandbox_unique() - before, "in_app": new_last_seq - last_seq}

    def sandbox_report(self) -> dict[str, Any]:
        report: dict[str, Any] = self.sandbox.get("/_report")
        return report

    def arrived(self) -> set[tuple[str, str]]:
        """(delivery id, address) of every message that the sandbox accepted."""
        messages = self.sandbox.get("/_report?detail=1&limit=10000000")["messages"]
        return {(m["delivery"], m["address"]) for m in messages}

    def _sandbox_unique(self) -> int:
        return int(self.sandbox_report()["unique"])

    def _opt_out(self, start: int) -> None:
        """OPT_OUTS recipients turn promotions off. user-0 is not one of them, because the demo shows the inbox of
        user-0."""
        for number in range(start + 1, start + 1 + OPT_OUTS):
            self.api.put(f"/v1/recipients/user-{number}/preferences", {"categories": {"promotions": False}})

    def _watch(self, lasts: Callable[[dict[str, Any]], bool], line: Callable[[dict[str, Any]], str]) -> dict[str, Any]:
        """Print a line about the campaign every second, while `lasts` is true of it. Returns the campaign
        afterwards."""
        until, printed = time.monotonic() + 600, 0.0
        while True:
            campaign: dict[str, Any] = self.api.get(f"/v1/campaigns/{self.campaign}")
            if not lasts(campaign) or time.monotonic() > until:
                return campaign
            if time.monotonic() - printed > 1:
                printed = time.monotonic()
                self.say(line(campaign))
            time.sleep(0.1)

    def _live(self, _campaign: dict[str, Any]) -> str:
        report = self.sandbox_report()
        return f"running: {report['unique']:,} pushes have arrived at the sandbox"


def _arming(campaign: dict[str, Any]) -> bool:
    return bool(campaign["state"] == "arming")
