"""The web process ends while it stores and while inboxes are open."""

from __future__ import annotations

import http.client
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.chaos.context import Context
from tests.chaos.load.inboxes import Inboxes
from tests.chaos.row import Row
from tests.flows.http import Answer

ITEMS = 1_000


def killed_in_bulk(context: Context) -> None:
    """The web process is killed while it stores a thousand notifications. The caller repeats the request with its key:
    each notification exists once."""
    side = context.sides[0]
    items = [{"recipient": f"u{n % side.size}", "template": "order", "channels": ["in_app"]} for n in range(ITEMS)]
    key = f"bulk-{context.random.randrange(1 << 60)}"

    def post() -> Answer | None:
        try:
            answer = side.tenant.api.call("POST", "/v1/notifications/bulk", {"items": items}, idempotency_key=key)
        except (OSError, http.client.HTTPException):
            return None
        return answer if answer.status == 202 else None

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(post)
        time.sleep(context.random.uniform(0.05, 0.6))
        context.site.kill("web")
        context.site.start("web")
        first.result()
    answer = context.until(post, "the request to be accepted")
    context.notifications += [item["id"] for item in answer.json["items"]]
    context.own_messages += ITEMS


def killed_with_inboxes(context: Context) -> None:
    """Pages have their inboxes open. After the web process is killed they connect again, and miss nothing."""
    count = int(context.seconds(1_000, 40))
    side = context.sides[1]
    people = [f"u{n}" for n in range(min(count, side.size))]
    with Inboxes(context.site, side.tenant, people) as inboxes:
        context.until(lambda: inboxes.ready == len(people), "the inboxes to open")
        _send(context, people)
        context.site.kill("web")
        context.site.start("web")
        _send(context, people)
        context.until(lambda: inboxes.behind() == 0, "every inbox to have everything")
        context.expect(inboxes.gaps == 0, f"{inboxes.gaps} numbers were shown twice or not at all")
        context.note(f"{len(people)} inboxes, {inboxes.reconnects} connected again")


def _send(context: Context, people: Sequence[str]) -> None:
    side = context.sides[1]
    items = [{"recipient": person, "template": "order", "channels": ["in_app"]} for person in people]
    answer = side.tenant.api.request_json("POST", "/v1/notifications/bulk", {"items": items})
    context.notifications += [item["id"] for item in answer["items"]]
    context.own_messages += len(items)


ROWS = (
    Row("web killed in bulk", "kill -9 of web while it stores 1,000", killed_in_bulk, group="web", times=3),
    Row("web killed with inboxes", "kill -9 of web with inboxes open", killed_with_inboxes, group="web", times=2),
)
