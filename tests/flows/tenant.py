"""A tenant as its developer and its marketer use it: the REST API with a key, the import command, inboxes."""

from __future__ import annotations

import csv
import tempfile
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.flows.admin import Browser
from tests.flows.http import Answer, Caller
from tests.flows.inboxes import Inbox
from tests.flows.sandbox import Sandbox
from tests.flows.site import Papers, Site
from tests.flows.wait import until

ENDED = ("sent", "delivered", "failed", "suppressed", "cancelled", "expired", "unknown")
TITLE = "Hello {{ recipient.name }}"


def content(title: str = TITLE, body: str = "A body.") -> dict[str, Any]:
    """The same text on push and in-app."""
    return {channel: {"en": {"title": title, "body": body}} for channel in ("push", "in_app")}


@dataclass(frozen=True)
class Person:
    """One row of an import. Without a token there is no push."""

    external_id: str
    token: str = ""
    name: str = "Ann"

    @property
    def row(self) -> tuple[str, str, str]:
        return (self.external_id, self.name, self.token)


class Tenant:
    """`tag` begins every token of this tenant, so that arrivals of other tests are not counted."""

    def __init__(self, site: Site, papers: Papers) -> None:
        self._site = site
        self.papers = papers
        self.tag = f"{papers.slug}-"
        self.api = self.with_key(papers.live_key)

    def with_key(self, key: str) -> Caller:
        return Caller(self._site.url, {"Authorization": f"Bearer {key}"})

    @property
    def sandbox(self) -> Sandbox:
        return self._site.sandbox

    def owner(self) -> Browser:
        """Its owner, logged in to the admin."""
        browser = Browser(self._site.url)
        browser.log_in(self.papers.username, self.papers.password)
        return browser

    def recorded(self, action: str, object_id: str) -> int:
        """How often the audit log says so of this object."""
        page = self.owner().get(f"/admin/tenants/auditlog/?object_id={object_id}")
        assert page.status == 200, page.text
        return page.text.count(f">{action}<")

    # ---- content and people --------------------------------------------------------------------------------------

    def publish(self, key: str, category: str, parts: Mapping[str, Any] | None = None) -> None:
        """A template; `order-updates`, `promotions` and `security` are the categories that a tenant begins with."""
        self.api.ask("PUT", f"/v1/templates/{key}", {"category": category, "content": parts or content()})

    def people(self, count: int, fate: str = "") -> list[Person]:
        """Not imported yet. `fate` is the sandbox's word for what becomes of their messages."""
        ending = f"-{fate}" if fate else ""
        return [Person(f"u{n}", f"{self.tag}{n}{ending}") for n in range(count)]

    def import_people(self, people: Iterable[Person]) -> str:
        """Through the import command, as a CSV; what it printed."""
        with tempfile.NamedTemporaryFile("w", newline="", suffix=".csv", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(("external_id", "name", "push_token"))
            writer.writerows(person.row for person in people)
            file.flush()
            done = self._site.manage("import_recipients", "--tenant", self.papers.slug, str(Path(file.name)))
        assert done.returncode == 0, done.stderr
        return done.stdout

    def person(self, external_id: str, token: str = "") -> Person:
        """One recipient over the API, with a device if there is a token."""
        self.api.ask("PUT", f"/v1/recipients/{external_id}", {"name": external_id.title(), "locale": "en"})
        if token:
            self.api.ask("POST", f"/v1/recipients/{external_id}/devices", {"platform": "fcm", "token": token})
        return Person(external_id, token, external_id.title())

    def opt_out(self, external_id: str, category: str = "promotions") -> None:
        self.api.ask("PUT", f"/v1/recipients/{external_id}/preferences", {"categories": {category: False}})

    def devices(self, external_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.api.ask("GET", f"/v1/recipients/{external_id}/devices")["data"]
        return found

    # ---- single notifications --------------------------------------------------------------------------------------

    def post(self, recipient: str, template: str, key: str = "", **more: Any) -> Answer:
        headers = {"idempotency_key": key} if key else {}
        body = {"recipient": recipient, "template": template, **more}
        return self.api.call("POST", "/v1/notifications", body, **headers)

    def send(self, recipient: str, template: str, **more: Any) -> str:
        """The id of an accepted notification."""
        answer = self.post(recipient, template, **more)
        assert answer.status == 202, answer.text
        return str(answer.json["id"])

    def notification(self, notification_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.api.ask("GET", f"/v1/notifications/{notification_id}")
        return found

    def statuses(self, notification_id: str) -> dict[str, str]:
        """Channel -> status; of a recipient with several devices, of any."""
        return {d["channel"]: d["status"] for d in self.notification(notification_id)["deliveries"]}

    def ended(self, notification_id: str) -> dict[str, str]:
        """The same, once none of it changes any more."""

        def all_ended() -> dict[str, str] | None:
            now = self.statuses(notification_id)
            return now if all(status in ENDED for status in now.values()) else None

        return until(all_ended, f"the end of notification {notification_id}") or {}

    def inbox(self, external_id: str) -> Inbox:
        """As the tenant's own page opens it for this person."""
        token = self.api.ask("POST", "/v1/inbox/tokens", {"recipient": external_id})["token"]
        return Inbox(self._site.url, token)

    # ---- campaigns -------------------------------------------------------------------------------------------------

    def list_of(self, external_ids: Sequence[str]) -> str:
        """The id of an audience with these members, uploaded as a CSV."""
        made = self.api.ask("POST", "/v1/audiences", {"name": f"list {uuid.uuid4()}", "source": "list"})["id"]
        raw = "\n".join(["external_id", *external_ids]).encode()
        answer = self.api.send("PUT", f"/v1/audiences/{made}/members", raw, content_type="text/csv")
        assert answer.status == 200, answer.text
        return str(made)

    def everybody(self) -> str:
        """The id of an audience of all recipients."""
        body = {"name": f"everybody {uuid.uuid4()}", "source": "everybody"}
        return str(self.api.ask("POST", "/v1/audiences", body)["id"])

    def draft(self, template: str, audience: str, channels: Sequence[str] = ("push", "in_app")) -> Campaign:
        body = {"name": f"c {uuid.uuid4()}", "template": template, "audience": audience, "channels": list(channels)}
        return Campaign(self, str(self.api.ask("POST", "/v1/campaigns", body)["id"]))


@dataclass(frozen=True)
class Campaign:
    tenant: Tenant
    id: str

    def see(self) -> dict[str, Any]:
        found: dict[str, Any] = self.tenant.api.ask("GET", f"/v1/campaigns/{self.id}")
        return found

    def press(self, step: str) -> Answer:
        """`arm`, `go` or `stop`, whatever comes of it."""
        return self.tenant.api.call("POST", f"/v1/campaigns/{self.id}/{step}")

    def arm(self) -> dict[str, Any]:
        """Start arming and wait until it is armed."""
        answer = self.press("arm")
        assert answer.status == 202, answer.text
        return self.armed()

    def armed(self) -> dict[str, Any]:
        now = self.reached("armed", "draft")
        assert now["state"] == "armed", now["failure"]
        return now

    def go(self) -> None:
        answer = self.press("go")
        assert (answer.status, answer.json["launched"]) == (200, True), answer.text

    def reached(self, *states: str) -> dict[str, Any]:
        def there() -> dict[str, Any] | None:
            now = self.see()
            return now if now["state"] in states else None

        return until(there, f"campaign {self.id} to be {' or '.join(states)}") or {}

    def finished(self) -> dict[str, Any]:
        """Its results, once it is finished."""
        self.reached("finished")
        return self.results()

    def results(self) -> dict[str, Any]:
        found: dict[str, Any] = self.tenant.api.ask("GET", f"/v1/campaigns/{self.id}/results")
        return found

    def settled(self) -> dict[str, Any]:
        """Its results, once nothing of it waits or is on the wire: also of a stopped one."""

        def still() -> dict[str, Any] | None:
            now = self.results()
            on_the_wire = sum(channel["sending"] for channel in now["channels"].values())
            return now if not now["waiting"] and not on_the_wire else None

        return until(still, f"campaign {self.id} to settle") or {}
