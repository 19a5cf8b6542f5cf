"""A tenant as its developer and its author use the product: the REST API with a key, the import command, inboxes."""

from __future__ import annotations

import csv
import re
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
from tests.flows.site import Credentials, Site
from tests.flows.wait import until

FINAL = ("sent", "delivered", "failed", "suppressed", "cancelled", "expired", "unknown")
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
    email: str = ""
    platform: str = "fcm"

    @property
    def row(self) -> tuple[str, str, str, str, str]:
        return (self.external_id, self.name, self.token, self.platform, self.email)


class Tenant:
    """Every token of this tenant begins with `tag`, so arrivals of other tests are not counted."""

    def __init__(self, site: Site, credentials: Credentials) -> None:
        self._site = site
        self.credentials = credentials
        self.tag = f"{credentials.slug}-"
        self.api = self.with_key(credentials.live_key)

    def with_key(self, key: str) -> Caller:
        return Caller(self._site.url, {"Authorization": f"Bearer {key}"})

    @property
    def sandbox(self) -> Sandbox:
        return self._site.sandbox

    def owner(self) -> Browser:
        """A browser in which the tenant's owner is logged in to the admin."""
        browser = Browser(self._site.url)
        browser.log_in(self.credentials.username, self.credentials.password)
        return browser

    def track(self, choice: str) -> None:
        """Choose what the tenant sees of opens and clicks: off, anonymous or on."""
        self.change_settings(tracking=choice)

    def change_settings(self, **changes: str) -> None:
        """Post the tenant's page of the admin."""
        values = {
            "name": self.credentials.slug,
            "default_locale": "en",
            "timezone": "UTC",
            "sms_segments": "6",
            "opt_in": "off",
        }
        browser = self.owner()
        page = re.search(r"/admin/tenants/tenant/[0-9a-f-]{36}/change/", browser.get("/admin/tenants/tenant/").text)
        assert page is not None
        answer = browser.submit(page[0], **{**values, "link_schemes": "", "tracking": "off", **changes})
        assert answer.status == 302, answer.text

    def audit_count(self, action: str, object_id: str) -> int:
        """The number of audit entries with this action and object."""
        page = self.owner().get(f"/admin/tenants/auditlog/?object_id={object_id}")
        assert page.status == 200, page.text
        return page.text.count(f">{action}<")

    # ---- content and people --------------------------------------------------------------------------------------

    def publish(self, key: str, category: str, parts: Mapping[str, Any] | None = None) -> None:
        """Publish a template. A new tenant has the categories `order-updates`, `promotions` and `security`."""
        self.api.request_json("PUT", f"/v1/templates/{key}", {"category": category, "content": parts or content()})

    def people(self, count: int, fate: str = "") -> list[Person]:
        """People to import. `fate` is the sandbox's name for the outcome of their messages."""
        ending = f"-{fate}" if fate else ""
        return [Person(f"u{n}", f"{self.tag}{n}{ending}") for n in range(count)]

    def import_people(self, people: Iterable[Person]) -> str:
        """Import them as a CSV with the import command. Returns what the command printed."""
        with tempfile.NamedTemporaryFile("w", newline="", suffix=".csv", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(("external_id", "name", "push_token", "push_platform", "email"))
            writer.writerows(person.row for person in people)
            file.flush()
            command = self._site.manage("import_recipients", "--tenant", self.credentials.slug, str(Path(file.name)))
        assert command.returncode == 0, command.stderr
        return command.stdout

    def person(self, external_id: str, token: str = "", platform: str = "fcm") -> Person:
        """Create one recipient over the API, with a device if there is a token."""
        self.api.request_json("PUT", f"/v1/recipients/{external_id}", {"name": external_id.title(), "locale": "en"})
        if token:
            device = {"platform": platform, "token": token}
            self.api.request_json("POST", f"/v1/recipients/{external_id}/devices", device)
        return Person(external_id, token, external_id.title(), platform=platform)

    def opt_out(self, external_id: str, category: str = "promotions") -> None:
        self.api.request_json("PUT", f"/v1/recipients/{external_id}/preferences", {"categories": {category: False}})

    def devices(self, external_id: str) -> list[dict[str, Any]]:
        answer: list[dict[str, Any]] = self.api.request_json("GET", f"/v1/recipients/{external_id}/devices")["data"]
        return answer

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
        answer: dict[str, Any] = self.api.request_json("GET", f"/v1/notifications/{notification_id}")
        return answer

    def statuses(self, notification_id: str) -> dict[str, str]:
        """The status of each channel; of a recipient with several devices, the status of one of them."""
        return {d["channel"]: d["status"] for d in self.notification(notification_id)["deliveries"]}

    def wait_until_final(self, notification_id: str) -> dict[str, str]:
        """The statuses, once all are final."""

        def if_final() -> dict[str, str] | None:
            statuses = self.statuses(notification_id)
            return statuses if all(status in FINAL for status in statuses.values()) else None

        return until(if_final, f"the end of notification {notification_id}") or {}

    def inbox(self, external_id: str) -> Inbox:
        """The inbox, opened with a token as the tenant's own page opens it."""
        token = self.api.request_json("POST", "/v1/inbox/tokens", {"recipient": external_id})["token"]
        return Inbox(self._site.url, token)

    # ---- campaigns -------------------------------------------------------------------------------------------------

    def list_of(self, external_ids: Sequence[str]) -> str:
        """The id of an audience with these members, uploaded as a CSV."""
        body = {"name": f"list {uuid.uuid4()}", "source": "list"}
        audience = self.api.request_json("POST", "/v1/audiences", body)["id"]
        raw = "\n".join(["external_id", *external_ids]).encode()
        answer = self.api.send("PUT", f"/v1/audiences/{audience}/members", raw, content_type="text/csv")
        assert answer.status == 200, answer.text
        return str(audience)

    def everybody(self) -> str:
        """The id of an audience of all recipients."""
        body = {"name": f"everybody {uuid.uuid4()}", "source": "everybody"}
        return str(self.api.request_json("POST", "/v1/audiences", body)["id"])

    def draft(self, template: str, audience: str, channels: Sequence[str] = ("push", "in_app")) -> Campaign:
        body = {"name": f"c {uuid.uuid4()}", "template": template, "audience": audience, "channels": list(channels)}
        return Campaign(self, str(self.api.request_json("POST", "/v1/campaigns", body)["id"]))


@dataclass(frozen=True)
class Campaign:
    tenant: Tenant
    id: str

    def read(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.tenant.api.request_json("GET", f"/v1/campaigns/{self.id}")
        return answer

    def post(self, step: str) -> Answer:
        """POST `arm`, `go`, `stop` or another control. Returns the answer, whatever its status."""
        return self.tenant.api.call("POST", f"/v1/campaigns/{self.id}/{step}")

    def arm(self) -> dict[str, Any]:
        """Start arming and wait until it is armed."""
        answer = self.post("arm")
        assert answer.status == 202, answer.text
        return self.wait_until_armed()

    def wait_until_armed(self) -> dict[str, Any]:
        now = self.wait_for_state("armed", "draft")
        assert now["state"] == "armed", now["failure"]
        return now

    def go(self) -> None:
        answer = self.post("go")
        assert (answer.status, answer.json["launched"]) == (200, True), answer.text

    def wait_for_state(self, *states: str) -> dict[str, Any]:
        def there() -> dict[str, Any] | None:
            now = self.read()
            return now if now["state"] in states else None

        return until(there, f"campaign {self.id} to be {' or '.join(states)}") or {}

    def wait_until_finished(self) -> dict[str, Any]:
        """The results, once the campaign is finished."""
        self.wait_for_state("finished")
        return self.results()

    def results(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.tenant.api.request_json("GET", f"/v1/campaigns/{self.id}/results")
        return answer

    def wait_until_settled(self) -> dict[str, Any]:
        """The results, once no message waits or is in flight; also of a stopped campaign."""

        def if_settled() -> dict[str, Any] | None:
            results = self.results()
            in_flight = sum(channel["sending"] for channel in results["channels"].values())
            return results if not results["waiting"] and not in_flight else None

        return until(if_settled, f"campaign {self.id} to settle") or {}
