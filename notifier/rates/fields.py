"""The fields RateLimit-Policy and RateLimit of an answer, as draft-ietf-httpapi-ratelimit-headers-10 has them."""

from __future__ import annotations

from collections.abc import Sequence

from notifier.rates.bucket import Bucket
from notifier.vocabulary.rates import WINDOW

Fields = tuple[tuple[bytes, bytes], ...]


def policy(buckets: Sequence[Bucket]) -> bytes:
    """`"requests";q=10000;w=10`: so many in so many seconds."""
    return ", ".join(f'"{bucket.name}";q={int(bucket.quota)};w={WINDOW}' for bucket in buckets).encode()


def state(buckets: Sequence[Bucket], now: float) -> bytes:
    """`"requests";r=9990;t=1`: so many are left, and in so many seconds all of them are again."""
    return ", ".join(f'"{b.name}";r={b.remaining(now)};t={b.seconds_to_full(now)}' for b in buckets).encode()
