"""Processes that die at a named place: around every commit, and around every request to a provider.

Points of digests and of routes are not here: the load has neither; tests/flows/test_failpoints.py dies at them.
"""

from __future__ import annotations

import http.client
from collections.abc import Callable, Mapping
from dataclasses import replace

from notifier.failpoints import POINTS
from tests.chaos.context import Context, NotReached
from tests.chaos.row import BEGUN, SLOW, Row, When
from tests.chaos.stack.doomed import Doomed

#: seconds for which a row waits for a death after the campaigns have ended, or outside of them
LATE_SECONDS = 40.0
ITEMS = 3
#: a request with a query is answered by a view, and not before Django's handler
BY_VIEW = "/v1/notifications/bulk?by=view"

#: point -> the process that dies there. Those of one group die in one load, each in its own process
FIRST: Mapping[str, str] = {
    "arming.before-commit": "worker:batch:1",
    "go.before-commit": "web",
    "fanout.before-chord": "worker:control:1",
    "shard.after-claim": "worker:push.bulk:1",
    "shard.before-request": "worker:push.bulk:2",
    "shard.between-chunks": "worker:email.bulk:1",
    "shard.before-commit": "worker:sms.bulk:1",
    "shard.before-release": "worker:in_app.bulk:1",
    "send.after-claim": "worker:push:1",
    "send.before-request": "worker:email:1",
    "settle.before-commit": "worker:sms:1",
    "receipts.before-apply": "worker:receipts:1",
}
SECOND: Mapping[str, str] = {
    "arming.after-range": "worker:batch:1",
    "go.before-fanout": "web",
    "shard.after-release": "worker:email.bulk:1",
    "send.before-settle": "worker:push:1",
    "settle.after-commit": "worker:sms:1",
    "receipts.before-commit": "worker:receipts:1",
    "finish.before-accounting": "worker:sms.bulk:1",
    "account.before-commit": "worker:batch:2",
}
#: one after the other in one load, because all of them are of one process
THIRD: Mapping[str, str] = {
    "direct.before-commit": "web",
    "direct.before-answer": "web",
    "accept.before-commit": "web",
    "accept.before-wakeup": "web",
    "view.before-commit": "web",
    "view.before-answer": "web",
    "receipts.before-wakeup": "web",
}
FOURTH: Mapping[str, str] = {"account.before-close": "worker:batch:1"}
WHEN = {"arming": When.ARMING, "go": When.LAUNCH, "fanout": When.LAUNCH}
#: SMS leave last, so that the worker of SMS finishes the campaigns
SMS_LAST = {**SLOW, "services": {**SLOW["services"], "sms": {"latency_ms": 250}}}


def doom(name: str, point: str) -> Callable[[Context], None]:
    """Replace the process by one that dies at the point."""

    def prepare(context: Context) -> None:
        context.doomed[point] = doomed = Doomed(context, name, point)
        doomed.start()

    return prepare


def death(name: str, point: str) -> Callable[[Context], None]:
    """Wait for the death, and see that the process runs again."""

    def inject(context: Context) -> None:
        if point not in context.doomed:
            doom(name, point)(context)
        if name == "web":
            _post_many(context, "/v1/notifications/bulk" if point.startswith("direct") else BY_VIEW)
        if not context.doomed[point].wait(LATE_SECONDS):
            raise NotReached(f"{name} has not reached {point}")
        context.doomed.pop(point).end()

    return inject


def _post_many(context: Context, path: str) -> None:
    """Let the web process store some notifications, until the caller has an answer."""
    side = context.sides[0]
    items = [{"recipient": f"u{n}", "template": "order", "channels": ["sms"]} for n in range(ITEMS)]
    key = f"many-{context.random.randrange(1 << 60)}"

    def post() -> list[str]:
        try:
            answer = side.tenant.api.call("POST", path, {"items": items}, idempotency_key=key)
        except (OSError, http.client.HTTPException):
            return []
        return [item["id"] for item in answer.json["items"]] if answer.status == 202 else []

    context.notifications += context.until(post, "the request to be accepted")
    context.own_messages += ITEMS


def _rows(points: Mapping[str, str], group: str, *, together: bool = True) -> list[Row]:
    return [
        Row(
            f"die {point}",
            POINTS[point],
            death(name, point),
            WHEN.get(point.partition(".")[0], When.SENDING),
            BEGUN,
            group,
            faults=SMS_LAST if points is SECOND else SLOW,
            in_soak=False,
            prepare=doom(name, point) if together else None,
        )
        for point, name in points.items()
    ]


ROWS = (
    *_rows(FIRST, "die 1"),
    *_rows(SECOND, "die 2"),
    *_rows(THIRD, "die 3", together=False),
    *(replace(row, group="die 3") for row in _rows(FOURTH, "die 3")),
)
