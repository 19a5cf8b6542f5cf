"""What the door of rate limits costs a request, in this process alone: `python -m bench.api.rate_door`. Without a
database and without Redis: the key is known, and the buckets have tokens."""

from __future__ import annotations

import asyncio
import os
import sys
import time
import uuid
from collections.abc import Mapping
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notifier.settings")

import django

ROUNDS, REQUESTS = 5, 20_000
SCOPE = {
    "type": "http",
    "path": "/v1/notifications",
    "headers": [
        (b"host", b"notifier.example.com"),
        (b"user-agent", b"bench"),
        (b"authorization", b"Bearer nk_live_" + b"x" * 43),
        (b"content-type", b"application/json"),
        (b"content-length", b"120"),
    ],
}


async def receive() -> Mapping[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def send(message: Mapping[str, Any]) -> None:
    """The client reads nothing."""


async def answer(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 202, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": b"{}"})


def main() -> None:
    django.setup()
    from notifier.api.framework.authentication import ApiCaller
    from notifier.rates import limits
    from notifier.vocabulary.rates import Rates
    from notifier.vocabulary.status import Mode
    from notifier.web.rate_door import RateDoor

    caller = ApiCaller(uuid.uuid4(), uuid.uuid4(), Mode.LIVE, frozenset(["*"]), Rates(1000, 20_000), Rates(500, None))

    class Known:
        def remembered(self, digest: bytes) -> tuple[ApiCaller, bool]:
            return caller, True

    buckets = limits.of_key(caller.tenant_id, caller.key_id, caller.tenant_rates, caller.key_rates).buckets

    async def seconds(application: Any) -> float:
        for bucket in buckets:
            bucket.tokens = 1e9
        began = time.thread_time()
        for _ in range(REQUESTS):
            await application(dict(SCOPE), receive, send)
        return (time.thread_time() - began) / REQUESTS

    async def best(application: Any) -> float:
        return min([await seconds(application) for _ in range(ROUNDS)])

    async def compare() -> None:
        without, behind = await best(answer), await best(RateDoor(answer, Known()))  # type: ignore[arg-type]
        sys.stdout.write(f"{(behind - without) * 1e6:.1f} µs of CPU a request, {len(buckets)} limits\n")

    asyncio.run(compare())


if __name__ == "__main__":
    main()
