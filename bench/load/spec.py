"""What a generator sends, and how fast."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

#: items of one bulk request
ITEMS_A_REQUEST = 1_000
#: seconds between the start of a generator and its first request
LEAD = 0.3


@dataclass(frozen=True)
class LoadSpec:
    """`per_s`: requests a second in an open loop; 0 means a closed loop. `count`: requests; 0 means until the generator
    is stopped. `templates`: the templates of the notifications, by turns. `items`: notifications of one bulk request; 0
    means single notifications."""

    origin: str
    headers: dict[str, str]
    recipients: int
    templates: tuple[str, ...] = ("order-shipped",)
    per_s: float = 0.0
    count: int = 0
    connections: int = 32
    items: int = 0
    first: int = 0  #: number of the first request

    @classmethod
    def parse(cls, line: str) -> LoadSpec:
        values = json.loads(line)
        return cls(**{**values, "templates": tuple(values["templates"])})

    def as_json(self) -> str:
        return json.dumps(asdict(self))

    @property
    def path(self) -> str:
        return "/v1/notifications/bulk" if self.items else "/v1/notifications"

    def template(self, number: int) -> str:
        return self.templates[number % len(self.templates)]

    def body(self, number: int) -> bytes:
        """The body of the `number`th request."""
        number += self.first
        if not self.items:
            return json.dumps(notification(number % self.recipients, number, self.template(number))).encode()
        numbers: Sequence[int] = range(number * self.items, (number + 1) * self.items)
        return json.dumps({"items": [notification(n % self.recipients, n, self.template(n)) for n in numbers]}).encode()


def notification(recipient: int, order: int, template: str) -> dict[str, Any]:
    return {"recipient": f"user-{recipient}", "template": template, "data": {"order": f"A-{order}"}}
