"""Idempotency-Key for a group of requests of one tenant: what was answered before, and what is stored now.

The rows, and the order of steps, are those of `notifier.api.framework.idempotency`, so a request may be repeated on
either way: keys are claimed before ordering queues are locked, so that two transactions never wait for each other.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from notifier.api.direct.requests import Request
from notifier.api.framework.idempotency import HEADER, REPLAYED, digest_of
from notifier.delivery.infra import bulk
from notifier.errors import Conflict, IdempotencyMismatch
from notifier.vocabulary.ids import new_id
from notifier.web.serving.direct import Answer

#: mode, endpoint, key
Name = tuple[str, str, str]

_NAME: bulk.Columns = {"mode": "text", "endpoint": "text", "key": "text"}
_ROW: bulk.Columns = {"id": "uuid", "tenant_id": "uuid", **_NAME, "body_digest": "bytea"}
_NEW = {"status": "0::smallint", "response": "'null'::jsonb", "created_at": "now()"}
_CLAIM = f"""
{bulk.insert_statement("tenants_idempotencykey", _ROW, _NEW)}
ON CONFLICT (tenant_id, mode, endpoint, key) DO NOTHING RETURNING id
"""
_FIND = f"""
SELECT k.mode, k.endpoint, k.key, k.body_digest, k.status, k.response #>> '{{}}'
FROM tenants_idempotencykey k JOIN {bulk.unnest("n", _NAME)} USING (mode, endpoint, key) WHERE k.tenant_id = %b
"""
_ANSWER: bulk.Columns = {"id": "uuid", "status": "smallint", "response": "jsonb"}
_KEEP = f"""
UPDATE tenants_idempotencykey k SET status = a.status, response = a.response
FROM {bulk.unnest("a", _ANSWER)} WHERE k.id = a.id
"""
_FREE = "DELETE FROM tenants_idempotencykey WHERE id = ANY(%b)"


@dataclass(frozen=True)
class Kept:
    """The answer to an earlier request with the same key. Status 0: that request has not ended."""

    body_digest: bytes = b""
    status: int = 0
    response: str | None = None

    def replay(self, digest: bytes) -> Answer:
        """Raises IdempotencyMismatch, or Conflict while the first request has not ended."""
        if not self.status:
            raise Conflict("The first request with this key has not ended; try again.", code="in_progress")
        if self.body_digest != digest:
            raise IdempotencyMismatch("This key was used with another request before; use a new one.", field=HEADER)
        headers = ((REPLAYED.lower().encode(), b"true"),)
        return Answer(self.status, (self.response or "").encode(), headers=headers)


@dataclass
class Keys:
    """The keys of one group, claimed or known from before."""

    #: the rows that this transaction claimed; a request that is refused leaves its row, which `keep` deletes
    claimed: dict[Name, uuid.UUID] = field(default_factory=dict)
    kept: Mapping[Name, Kept] = field(default_factory=dict)

    def replay(self, name: Name | None, digest: bytes) -> Answer | None:
        """The answer that was given before; None for a request without a key, or the first with its key."""
        if name is None or name in self.claimed:
            return None
        return self.kept.get(name, Kept()).replay(digest)

    def keep(self, answers: Mapping[Name, Answer]) -> None:
        """Store the answers of the claimed keys, as text, so that a replay is the same to the byte. A refused request
        has no answer here, and leaves its key free."""
        rows = [
            (self.claimed[name], answer.status, orjson.dumps(answer.content.decode()).decode())
            for name, answer in answers.items()
        ]
        refused = [claim_id for name, claim_id in self.claimed.items() if name not in answers]
        with bulk.cursor() as cursor:
            if rows:
                cursor.execute(_KEEP, bulk.by_column(_ANSWER, rows), prepare=True)
            if refused:
                cursor.execute(_FREE, [refused])


def digest(request: Request) -> bytes:
    """Of the parsed body: spaces and the order of names do not matter. Raises ParseError and InvalidInput."""
    return digest_of("POST", request.endpoint.path, request.document)


def claim(tenant_id: uuid.UUID, digests: Mapping[Name, bytes]) -> Keys:
    """Claim the keys that are new, in the order of their names, and find the answers to the others. Waits for another
    transaction that has claimed one of them."""
    if not digests:
        return Keys()
    rows = {new_id(): name for name in sorted(digests)}
    with bulk.cursor() as cursor:
        values = [(claim_id, tenant_id, *name, digests[name]) for claim_id, name in rows.items()]
        cursor.execute(_CLAIM, bulk.by_column(_ROW, values), binary=True, prepare=True)
        claimed = {rows[claim_id]: claim_id for (claim_id,) in cursor.fetchall()}
    others = [name for name in digests if name not in claimed]
    return Keys(claimed, _find(tenant_id, others) if others else {})


def _find(tenant_id: uuid.UUID, names: Sequence[Name]) -> dict[Name, Kept]:
    with bulk.cursor() as cursor:
        cursor.execute(_FIND, [*bulk.by_column(_NAME, names), tenant_id], prepare=True)
        return {(mode, endpoint, key): Kept(bytes(kept[0]), *kept[1:]) for mode, endpoint, key, *kept in cursor}
