"""The steps of the demo, over the REST API."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from notifier.demo.client import Client
from notifier.demo.compare import accounted
from notifier.demo.console import Console, Stage
from notifier.demo.content import CAMPAIGN_CHANNELS, CHANNELS, DIGEST_KEY, LAYOUT_KEY, TEMPLATES, layout

#: recipients who opt out before arming, and as many between arming and GO
OPT_OUTS = 20
#: the fake services of the demo's accounts that report later, with the status by which they take a mail
REPORTING = {"sendgrid": "202"}
LONGEST_RECEIPTS = 120  #: seconds
#: notifications that become one mail
DIGEST_ORDERS = 3
OPEN = ("queued", "claimed", "sending")
LONGEST = 600  #: seconds of a stage

Campaign = dict[str, Any]


@dataclass
class Workflow:
    """Calls the API with the tenant's key, and reads the sandbox's report. `site`: where the mails' links lead."""

    api: Client
    sandbox: Client
    console: Console
    site: str
    campaign: str = ""

    def templates(self) -> None:
        self.api.put(f"/v1/layouts/{LAYOUT_KEY}", layout())
        for key, template in TEMPLATES.items():
            self.api.put(f"/v1/templates/{key}", template)

    def audience(self, name: str, external_ids: list[str]) -> str:
        """The id of an audience of these recipients."""
        audience: str = self.api.post("/v1/audiences", {"name": f"all recipients {name}", "source": "list"})["id"]
        csv = "\n".join(["external_id", *external_ids]).encode()
        members = f"/v1/audiences/{audience}/members"
        with self.console.stage("audience", len(external_ids), "ids") as stage:
            stored = self.api.put_csv(members, csv)
            for _ in _poll(0.5):
                if stored["state"] not in ("waiting", "running"):
                    break
                stored = self.api.get(members)  # a worker is reading the list
            stage.update(stored["stored"])
        if stored["state"] != "done":
            raise SystemExit(f"the list was not loaded: {stored['failure'] or stored['state']}")
        return audience

    def arm(self, name: str, audience: str, people: int) -> None:
        """A draft with all checks done, ready for GO. Some recipients opt out before, some afterwards."""
        self._opt_out(0)
        draft = {"name": name, "template": "big-game", "audience": audience, "channels": list(CAMPAIGN_CHANNELS)}
        created = self.api.post(
            "/v1/campaigns", {**draft, "data": {"site": self.site}}, idempotency_key=f"demo-{uuid.uuid4()}"
        )
        self.campaign = created["id"]
        self.api.post(f"/v1/campaigns/{self.campaign}/arm")
        with self.console.stage("arming", people, "recipients planned and rendered") as stage:
            campaign = self._watch(lambda c: c["state"] == "arming", lambda c: stage.update(c["processed"]))
            stage.update(campaign["processed"])
        if campaign["state"] != "armed":
            raise SystemExit(f"arming failed: {campaign.get('failure') or campaign}")
        self._opt_out(OPT_OUTS)

    def go(self) -> None:
        """GO, twice, and the campaign to its end. Returns when every outcome stands in the ledger."""
        total = self.results()["waiting"]
        first = self.api.post(f"/v1/campaigns/{self.campaign}/go")
        again = self.api.post(f"/v1/campaigns/{self.campaign}/go")
        self.console.say(
            f"GO          launched {first['launched']}; pressed a second time: launched {again['launched']}"
        )
        with self.console.stage("sending", total, "messages") as stage:
            self._watch(lambda c: c["state"] == "running", lambda _: self._show_sending(stage))
            self._show_sending(stage, finished=True)
        with self.console.stage("ledger", total, "rows with their outcomes") as stage:
            self._watch(
                lambda c: c["accounted_at"] is None, lambda _: stage.update(min(accounted(self.campaign), total))
            )
            stage.update(total)

    def receipts(self) -> tuple[int, int]:
        """Wait for what the email services report. Returns how many mails they took, and on how many they reported."""
        services = self.sandbox_report()["services"]
        taken = sum(services.get(service, {}).get(status, 0) for service, status in REPORTING.items())
        with self.console.stage("receipts", taken, "mails of email services reported on") as stage:
            for _ in _poll(0.5, seconds=LONGEST_RECEIPTS):
                counts = self.results()["channels"]["email"]["reported"]
                shown = " · ".join(f"{name} {count:,}" for name, count in counts.items() if count)
                stage.update(counts["delivered"] + counts["bounced"], shown)
                if stage.done >= taken:
                    break
        return taken, stage.done

    def results(self) -> dict[str, Any]:
        results: dict[str, Any] = self.api.get(f"/v1/campaigns/{self.campaign}/results")
        return results

    def transactional(self) -> tuple[dict[str, int], dict[str, int]]:
        """One POST, sent twice with the same Idempotency-Key. Returns how many messages should arrive on each
        channel, and how many did. A person who answered STOP on the outbox page gets no SMS in the next demo."""
        before, inbox = self.arrived(), self._inbox_of("user-0")
        last_seq = inbox.get("/v1/inbox/unread")["last_seq"]
        data = {"order": "A-1042", "site": self.site}
        body = {"recipient": "user-0", "template": "order-shipped", "data": data}
        key = f"demo-{uuid.uuid4()}"
        sent = self.api.post("/v1/notifications", body, idempotency_key=key)
        again = self.api.post("/v1/notifications", body, idempotency_key=key)
        if again["id"] != sent["id"]:
            raise SystemExit("a retried POST made a second notification")
        history = self._settled(sent["id"])
        after = self.arrived() | {"in_app": inbox.get("/v1/inbox/unread")["last_seq"]}
        before["in_app"] = last_seq
        suppressed = {d["channel"] for d in history["deliveries"] if d["status"] == "suppressed"}
        arrived = {channel: after.get(channel, 0) - before.get(channel, 0) for channel in CHANNELS}
        return {channel: int(channel not in suppressed) for channel in CHANNELS}, arrived

    def digest(self) -> int:
        """DIGEST_ORDERS notifications whose mails are gathered into one. Returns how many mails arrived; 0 when user-0
        gets no mail."""
        before = self.arrived()
        gathered = {"key": f"demo-{uuid.uuid4()}", "template": DIGEST_KEY, "window": "1s"}
        body = {"recipient": "user-0", "template": "order-shipped", "channels": ["email"], "digest": gathered}
        data = [{"order": f"A-{1043 + number}", "site": self.site} for number in range(DIGEST_ORDERS)]
        sent = [self.api.post("/v1/notifications", {**body, "data": order})["id"] for order in data]
        self._settled(sent[-1])
        [delivery] = self._settled(sent[0])["deliveries"]
        kind, _, digest = delivery["detail"].partition(" ")
        if kind == "notification":
            self._settled(digest)
        return self.arrived().get("email", 0) - before.get("email", 0)

    def _settled(self, notification: str) -> dict[str, Any]:
        """The notification, when none of its messages waits any more."""
        for _ in _poll(0.1, seconds=30):
            shown: dict[str, Any] = self.api.get(f"/v1/notifications/{notification}")
            if all(delivery["status"] not in OPEN for delivery in shown["deliveries"]):
                break
        return shown

    def sandbox_report(self) -> dict[str, Any]:
        report: dict[str, Any] = self.sandbox.get("/_report")
        return report

    def arrived(self) -> dict[str, int]:
        """Messages that the sandbox accepted, by channel; a repeat of one message counts once."""
        return {name: counts["unique"] for name, counts in self.sandbox_report()["channels"].items()}

    def _show_sending(self, stage: Stage, *, finished: bool = False) -> None:
        """The inbox is not at the sandbox, so its share comes from the results."""
        arrived = self.arrived()
        in_app = self.results()["channels"].get("in_app", {})
        arrived["in_app"] = in_app.get("delivered", 0)
        done = stage.total if finished else min(sum(arrived.values()), stage.total)
        stage.update(done, " · ".join(f"{channel} {count:,}" for channel, count in sorted(arrived.items())))

    def preferences_page(self) -> tuple[str, bool]:
        """The link to the preferences page of user-0, and whether the page opens and names what can be turned off."""
        url: str = self.api.post("/v1/recipients/user-0/preferences-link")["url"]
        page = self.api.page(url.removeprefix(self.api.origin))
        return url, "promotions" in page

    def _inbox_of(self, external_id: str) -> Client:
        token = self.api.post("/v1/inbox/tokens", {"recipient": external_id})["token"]
        return Client(self.api.origin, token)

    def _opt_out(self, start: int) -> None:
        """OPT_OUTS recipients turn promotions off. user-0 is not one of them, because the demo shows the inbox of
        user-0."""
        for number in range(start + 1, start + 1 + OPT_OUTS):
            self.api.put(f"/v1/recipients/user-{number}/preferences", {"categories": {"promotions": False}})

    def _watch(self, lasts: Callable[[Campaign], bool], show: Callable[[Campaign], None]) -> Campaign:
        """Show the campaign while `lasts` is true of it. Returns the campaign afterwards."""
        campaign: Campaign = self.api.get(f"/v1/campaigns/{self.campaign}")
        for _ in _poll(1.0):  # the queries behind a line take time from the workers
            if not lasts(campaign):
                break
            show(campaign)
            campaign = self.api.get(f"/v1/campaigns/{self.campaign}")
        return campaign


def _poll(pause: float, seconds: float = LONGEST) -> Iterator[None]:
    """Yield every `pause` seconds, for so many seconds at most."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        yield
        time.sleep(pause)
