"""Two tenants with a row of everything. Each row has a word of its tenant, which tests look for in answers to the
other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.flows.openapi import Operation, operations, parameter_of
from tests.flows.tenant import Tenant, content
from tests.flows.wait import until

#: names that tenants choose; they stand in addresses, so the tenant's word is not in them
OWN_NAMES = {"external_id": "person-of-{}", "key": "template-of-{}"}


@dataclass
class Side:
    """One of the two tenants. `word` is in the text of its rows, `letter` in names that addresses have."""

    tenant: Tenant
    letter: str
    word: str

    @property
    def person(self) -> str:
        return OWN_NAMES["external_id"].format(self.letter)

    @property
    def template(self) -> str:
        return OWN_NAMES["key"].format(self.letter)

    @property
    def secrets(self) -> tuple[str, str]:
        """Words that the other tenant must never see. Every token and user name begins with the slug."""
        return (self.word, self.tenant.credentials.slug)

    def create_rows(self) -> None:
        """Create a row of every kind that a tenant can create in a minute."""
        tenant, api = self.tenant, self.tenant.api
        tenant.publish(self.template, "promotions", content(f"{self.word} {{{{ recipient.name }}}}", self.word))
        person = {"name": self.word, "email": f"{self.word}@example.com", "attributes": {"note": self.word}}
        api.request_json("PUT", f"/v1/recipients/{self.person}", person)
        api.request_json(
            "POST", f"/v1/recipients/{self.person}/devices", {"platform": "fcm", "token": f"{tenant.tag}phone"}
        )
        api.request_json("PUT", f"/v1/recipients/{self.person}/preferences", {"language": "en"})
        api.request_json(
            "POST", "/v1/categories", {"key": f"category-of-{self.letter}", "name": self.word, "kind": "marketing"}
        )
        cap = {"category": f"category-of-{self.letter}", "most": 100, "period": "day"}
        api.request_json("POST", "/v1/frequency-caps", cap)
        invited = {"email": f"{self.word}@invited.example", "role": "viewer"}
        assert tenant.owner().submit("/admin/tenants/invitation/add/", **invited).status == 302
        self._emails()
        self._digests()
        self._webhooks()
        suppression = {"channel": "push", "address": f"{tenant.tag}old", "cause": "manual"}
        assert tenant.owner().submit("/admin/tenants/suppression/add/", **suppression).status == 302
        incident = {"title": self.word, "stage": "resolved", "began_at_0": "2026-01-01", "began_at_1": "09:00"}
        assert tenant.owner().submit("/admin/notifier/incident/add/", **incident).status == 302
        tenant.wait_until_final(tenant.post(self.person, self.template, key=self.word).json["id"])
        route = [{"channel": "push"}, {"after": "1h", "channel": "in_app"}]
        assert tenant.post(self.person, self.template, route=route).status == 202
        inbox = tenant.inbox(self.person)
        # makes an event of the delivery
        inbox.api.request_json("POST", f"/v1/inbox/messages/{inbox.messages()[0]['id']}/read")
        self._campaigns()

    def _emails(self) -> None:
        """A layout, a sender, and a template with a file."""
        tenant, api = self.tenant, self.tenant.api
        layout = {"html": f"<p>{self.word}</p>{{{{ content }}}}{{{{ postal_address }}}}", "postal_address": self.word}
        api.request_json("PUT", f"/v1/layouts/layout-of-{self.letter}", layout)
        sender = {"address": f"{self.word}@example.com", "name": self.word}
        assert tenant.owner().submit("/admin/notifier/sender/add/", **sender).status == 302
        file = {"name": f"{self.word}.txt", "content_type": "text/plain", "content": "aGVsbG8="}
        parts = {"subject": self.word, "text": f"{self.word} {{{{ unsubscribe_url }}}}", "attachments": [file]}
        tenant.publish(f"mail-of-{self.letter}", "promotions", {"email": {"en": parts}})

    def _webhooks(self) -> None:
        """An endpoint to which a request was tried: nobody listens there."""
        body = {"url": f"http://127.0.0.1:9/{self.word}", "description": self.word, "event_types": ["import.*"]}
        endpoint = f"/v1/webhooks/{self.tenant.api.request_json('POST', '/v1/webhooks', body)['id']}"
        self.tenant.api.request_json("POST", f"{endpoint}/test")
        until(lambda: self.tenant.api.request_json("GET", f"{endpoint}/attempts")["data"], "the attempt")

    def _digests(self) -> None:
        """A category with a digest, and an open digest."""
        category, template = f"category-of-{self.letter}", f"summary-of-{self.letter}"
        self.tenant.publish(template, category, content(f"{{{{ count }}}} {self.word}", self.word))
        setting = {"template": template, "window": "1d"}
        self.tenant.api.request_json("PUT", f"/v1/categories/{category}/digest", setting)
        self.tenant.send(self.person, self.template, category=category)

    def _campaigns(self) -> None:
        tenant = self.tenant
        listed = tenant.list_of([self.person])
        sent = tenant.draft(self.template, listed)
        sent.arm()
        sent.go()
        sent.wait_until_finished()
        tenant.draft(self.template, listed).arm()
        body = {"name": self.word, "template": self.template, "audience": tenant.everybody(), "data": {"x": self.word}}
        draft = tenant.api.request_json("POST", "/v1/campaigns", body)
        tenant.api.request_json("POST", f"/v1/campaigns/{draft['id']}/approval", {"note": self.word})
        schedule = {"name": self.word, "campaign": draft["id"], "cron": "0 9 * * 1"}
        made = tenant.api.request_json("POST", "/v1/schedules", schedule)
        tenant.api.request_json("POST", f"/v1/schedules/{made['id']}/skip")

    # ---- as its own developer reads it ------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Everything that the tenant's key and its recipient's token can read, but for what tells the time."""
        ids, answers = self.ids(), {}
        for operation in operations(self.tenant.api):
            if operation.path.endswith(("/explain", "/report", "/v1/status")):
                continue
            if operation.method == "get" and all(name in ids for name in operation.parameters):
                for address in operation.addresses(ids):
                    answers[address] = self.read(address)
        return answers

    def ids(self) -> dict[str, list[str]]:
        """Each parameter of an address with its first values."""
        ids = {"external_id": [self.person], "key": [self.template]}
        for _ in range(2):  # the second round reads the lists below an entry
            for operation in operations(self.tenant.api):
                self._collect(operation, ids)
        return ids

    def _collect(self, operation: Operation, ids: dict[str, list[str]]) -> None:
        if operation.method != "get" or not set(operation.parameters) <= set(ids):
            return
        for address in operation.addresses(ids):
            answer = self.read(address)
            rows = (answer.get("data") or answer.get("messages")) if isinstance(answer, dict) else None
            listed = rows if isinstance(rows, list) else []  # a preflight's `messages` is a number
            row_ids = [str(row["id"]) for row in listed if isinstance(row, dict) and "id" in row]
            if row_ids:
                ids[parameter_of(operation.path)] = row_ids[:3]

    def read(self, address: str) -> Any:
        """The answer with the tenant's key, or with its recipient's token where the key is refused."""
        answer = self.tenant.api.call("GET", address)
        if answer.status in (401, 403):
            answer = self.tenant.inbox(self.person).api.call("GET", address)
        assert answer.status < 500, answer.text
        return answer.json if answer.status == 200 else answer.status
