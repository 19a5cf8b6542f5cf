"""The limits of a caller, and taking from them. A caller is an API key, a recipient token, a receipts address, or the
address of a client that has shown no key."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cached_property

from notifier.errors import RateLimited
from notifier.rates import fields
from notifier.rates.bucket import Bucket
from notifier.rates.leasing import leasing
from notifier.rates.recent import Recent
from notifier.vocabulary.rates import Rates

#: callers of a kind that a process remembers. The buckets of the others are in Redis
MOST = 20_000


@dataclass(eq=False)
class Caller:
    """The buckets of one caller: its tenant's, and its own."""

    requests: tuple[Bucket, ...] = ()
    recipients: tuple[Bucket, ...] = ()
    rates: object = None  #: what the buckets were made from
    remedies: dict[str, str] = field(default_factory=dict)  #: bucket's name -> what the caller can do

    @cached_property
    def buckets(self) -> tuple[Bucket, ...]:
        return (*self.requests, *self.recipients)

    @cached_property
    def policy(self) -> bytes:
        return fields.policy(self.buckets)

    def headers(self) -> fields.Fields:
        """3.2 µs with three limits."""
        if not self.buckets:
            return ()
        state = fields.state(self.buckets, time.monotonic())
        return ((b"ratelimit-policy", self.policy), (b"ratelimit", state))

    def needs_lease(self) -> bool:
        """A bucket has no token, and a lease may bring one."""
        now = time.monotonic()
        return any(bucket.tokens < 1.0 and bucket.dry_until <= now for bucket in self.buckets)

    def take_request(self) -> RateLimited | None:
        """Take a token for one request; the refusal when there is none."""
        return self._take(self.requests, 1.0)

    def take_recipients(self, count: int) -> RateLimited | None:
        """Take tokens for so many recipients; the refusal when there is none."""
        return self._take(self.recipients, count)

    def _take(self, buckets: Sequence[Bucket], count: float) -> RateLimited | None:
        for bucket in buckets:
            if bucket.tokens < 1.0:
                return self.refusal(bucket)
        for bucket in buckets:
            bucket.take(count)
            if bucket.is_low() and not bucket.wanted:
                leasing.ask((bucket,))
        return None

    def refusal(self, bucket: Bucket) -> RateLimited:
        unit = bucket.name.rpartition("-")[2]
        remedy = self.remedies.get(bucket.name, "")
        return RateLimited(
            f"The limit {bucket.name!r} of {bucket.rate:g} {unit} a second is used up.{remedy}",
            retry_after=bucket.seconds_to_one(),
        )


_EMPTY = Caller()
_tenants: dict[uuid.UUID, tuple[Rates, tuple[Bucket | None, Bucket | None]]] = {}
_keys: dict[uuid.UUID, Caller] = {}
_others = Recent[Caller](MOST)
_TENANT_REMEDY = " Send fewer, send many recipients in one bulk request, or ask the operator for more."
_KEY_REMEDY = " Send fewer, or let an owner of the tenant raise the limit of this key."


def of_key(tenant_id: uuid.UUID, key_id: uuid.UUID, tenant: Rates, key: Rates) -> Caller:
    """The limits of an API key: those of its tenant, which all its keys share, and its own."""
    caller = _keys.get(key_id)
    if caller is not None and caller.rates == (tenant, key):
        return caller
    if len(_keys) >= MOST:
        _keys.clear()
    shared = _of_tenant(tenant_id, tenant)
    before = {bucket.name: bucket for bucket in caller.buckets} if caller is not None else {}
    own = (
        _bucket(before.get("key-requests"), "key-requests", f"rate:key:{key_id}:requests", key.requests),
        _bucket(before.get("key-recipients"), "key-recipients", f"rate:key:{key_id}:recipients", key.recipients),
    )
    requests, recipients = (tuple(b for b in pair if b) for pair in zip(shared, own, strict=True))
    remedies = dict.fromkeys(("requests", "recipients"), _TENANT_REMEDY)
    remedies |= dict.fromkeys(("key-requests", "key-recipients"), _KEY_REMEDY)
    _keys[key_id] = caller = Caller(requests, recipients, (tenant, key), remedies)
    return caller


def _of_tenant(tenant_id: uuid.UUID, rates: Rates) -> tuple[Bucket | None, Bucket | None]:
    known = _tenants.get(tenant_id)
    if known is None or known[0] != rates:
        before = known[1] if known is not None else (None, None)
        pair = (
            _bucket(before[0], "requests", f"rate:tenant:{tenant_id}:requests", rates.requests),
            _bucket(before[1], "recipients", f"rate:tenant:{tenant_id}:recipients", rates.recipients),
        )
        _tenants[tenant_id] = known = (rates, pair)
    return known[1]


def _bucket(before: Bucket | None, name: str, key: str, rate: float | None) -> Bucket | None:
    """A bucket keeps its tokens when its rate changes: for a minute one key of a tenant may have the old rate still,
    and another the new one, so that the rate goes back and forth."""
    if not rate:
        return None
    if before is None:
        return Bucket(name, key, float(rate))
    before.rate = float(rate)
    return before


def of_other(name: str, key: str, rate: float) -> Caller:
    """The limit of a caller without an API key; a rate of 0: none."""
    if not rate:
        return _EMPTY
    caller = _others.get(key)
    if caller is None:
        bucket = Bucket(name, f"rate:{key}", rate)
        caller = Caller((bucket,), rates=rate, remedies={name: " Call again later."})
        _others.put(key, caller)
    return caller


def take_recipients(key_id: uuid.UUID, count: int) -> None:
    """Take tokens for the recipients of a request whose key was let in; in a thread, which waits for leases. Raises
    RateLimited. 0.5 µs."""
    caller = _keys.get(key_id)
    if caller is None or not count:
        return
    is_asked = has_waited = False
    while (refused := caller.take_recipients(count)) is not None:
        now = time.monotonic()
        empty = [bucket for bucket in caller.recipients if bucket.tokens < 1.0]
        if has_waited or any((bucket.left < 1.0) if is_asked else (bucket.dry_until > now) for bucket in empty):
            raise refused
        future = leasing.ask(caller.recipients, count)
        is_asked = True
        if leasing.is_silent or not _answered(future):
            leasing.fill(empty)
            has_waited = True


def _answered(future: Future[bool]) -> bool:
    try:
        return future.result(leasing.patience)
    except TimeoutError:
        return False


def reset() -> None:
    """Forget the buckets of this process."""
    _tenants.clear()
    _keys.clear()
    _others.clear()
