"""Two tenants with a row of everything, each row with a word of its tenant's, to be looked for at the other's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.flows.openapi import Operation, operations, parameter_of
from tests.flows.tenant import Tenant, content

#: in the address of a request; the tenant's word is never in one
OTHERS = {"external_id": "person-of-{}", "key": "template-of-{}"}


@dataclass
class Side:
    """One of the two. `word` is in the text of its rows, `letter` in what addresses name."""

    tenant: Tenant
    letter: str
    word: str

    @property
    def person(self) -> str:
        return OTHERS["external_id"].format(self.letter)

    @property
    def template(self) -> str:
        return OTHERS["key"].format(self.letter)

    @property
    def secrets(self) -> tuple[str, str]:
        """What the other must never be shown. Every token and user name begins with the slug."""
        return (self.word, self.tenant.papers.slug)

    def furnish(self) -> None:
        """A row of every kind that a tenant can make in a minute."""
        tenant, api = self.tenant, self.tenant.api
        tenant.publish(self.template, "promotions", content(f"{self.word} {{{{ recipient.name }}}}", self.word))
        person = {"name": self.word, "email": f"{self.word}@example.com", "attributes": {"note": self.word}}
        api.ask("PUT", f"/v1/recipients/{self.person}", person)
        api.ask("POST", f"/v1/recipients/{self.person}/devices", {"platform": "fcm", "token": f"{tenant.tag}phone"})
        api.ask("PUT", f"/v1/recipients/{self.person}/preferences", {"language": "en"})
        api.ask("POST", "/v1/categories", {"key": f"category-of-{self.letter}", "name": self.word, "kind": "marketing"})
        suppression = {"channel": "push", "address": f"{tenant.tag}old", "cause": "manual"}
        assert tenant.owner().submit("/admin/tenants/suppression/add/", **suppression).status == 302
        tenant.ended(tenant.post(self.person, self.template, key=self.word).json["id"])
        inbox = tenant.inbox(self.person)
        inbox.api.ask("POST", f"/v1/inbox/messages/{inbox.messages()[0]['id']}/read")  # an event of a delivery
        self._campaigns()

    def _campaigns(self) -> None:
        tenant = self.tenant
        listed = tenant.list_of([self.person])
        done = tenant.draft(self.template, listed)
        done.arm()
        done.go()
        done.finished()
        tenant.draft(self.template, listed).arm()
        body = {"name": self.word, "template": self.template, "audience": tenant.everybody(), "data": {"x": self.word}}
        tenant.api.ask("POST", "/v1/campaigns", body)

    # ---- as its own developer sees it ------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Everything that its own key and its person's token can read."""
        ids, seen = self.ids(), {}
        for operation in operations(self.tenant.api):
            if operation.method == "get" and all(name in ids for name in operation.parameters):
                for address in operation.addresses(ids):
                    seen[address] = self.read(address)
        return seen

    def ids(self) -> dict[str, list[str]]:
        """Parameter of an address -> its first values."""
        ids = {"external_id": [self.person], "key": [self.template]}
        for _ in range(2):  # the second round reads the lists below an entry
            for operation in operations(self.tenant.api):
                self._collect(operation, ids)
        return ids

    def _collect(self, operation: Operation, ids: dict[str, list[str]]) -> None:
        if operation.method != "get" or not set(operation.parameters) <= set(ids):
            return
        for address in operation.addresses(ids):
            found = self.read(address)
            rows = (found.get("data") or found.get("messages")) if isinstance(found, dict) else None
            listed = rows if isinstance(rows, list) else []  # a preflight's `messages` is a number
            named = [str(row["id"]) for row in listed if isinstance(row, dict) and "id" in row]
            if named:
                ids[parameter_of(operation.path)] = named[:3]

    def read(self, address: str) -> Any:
        """With whichever of its two credentials the address takes."""
        answer = self.tenant.api.call("GET", address)
        if answer.status in (401, 403):
            answer = self.tenant.inbox(self.person).api.call("GET", address)
        assert answer.status < 500, answer.text
        return answer.json if answer.status == 200 else answer.status
