"""Idempotency-Key for a group of requests of one tenant: what was answered before, and what is stored now.

The rows are those of `notifier.api.framework.idempotency`, so a request may be repeated on either way. A row is written
once, with its answer, at the end of the group's transaction. When another transaction has stored the key meanwhile, the
whole group is rolled back and begins anew, and finds the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from notifier.api.direct.requests import Request
from notifier.api.framework.authentication import ApiCaller
from notifier.api.framework.idempotency import HEADER, REPLAYED, digest_of
from notifier.delivery.infra import bulk
from notifier.errors import Conflict, IdempotencyMismatch
from notifier.vocabulary.ids import new_id
from notifier.web.direct import Answer

_NAMES: bulk.Columns = {"mode": "text", "endpoint": "text", "key": "text"}
_FIND = f"""
SELECT k.mode, k.endpoint, k.key, k.body_digest, k.status, k.response #>> '{{}}'
FROM tenants_idempotencykey k JOIN {bulk.unnest("n", _NAMES)} USING (mode, endpoint, key) WHERE k.tenant_id = %b
"""
_ROW: bulk.Columns = {
    "id": "uuid", "tenant_id": "uuid", "mode": "text", "endpoint": "text", "key": "text", "body_digest": "bytea",
    "status": "smallint", "response": "jsonb",
}  # fmt: skip
_KEEP = f"""
{bulk.insert_statement("tenants_idempotencykey", _ROW, {"created_at": "now()"})}
ON CONFLICT (tenant_id, mode, endpoint, key) DO NOTHING
"""
NOT_ENDED = "The first request with this key has not ended; try again."
#: mode, endpoint, key
Name = tuple[str, str, str]


class KeyTaken(Exception):
    """Another transaction stored the same key meanwhile."""


@dataclass(frozen=True)
class Kept:
    """The answer to an earlier request with the same key."""

    body_digest: bytes
    status: int
    response: str | None

    def replay(self, request: Request) -> Answer:
        """Raises IdempotencyMismatch, or Conflict while the first request has not ended."""
        if not self.status:
            raise Conflict(NOT_ENDED, code="in_progress")
        if self.body_digest != digest(request):
            raise IdempotencyMismatch("This key was used with another request before; use a new one.", field=HEADER)
        return Answer(self.status, (self.response or "").encode(), headers=((REPLAYED.lower().encode(), b"true"),))


def digest(request: Request) -> bytes:
    """Of the parsed body: spaces and the order of names do not matter."""
    return digest_of("POST", request.endpoint.path, request.document)


def name_of(request: Request, caller: ApiCaller) -> Name | None:
    """None without a key."""
    key = request.idempotency_key
    return None if key is None else (caller.mode.value, request.endpoint.value, key)


def find(tenant_id: object, names: Sequence[Name]) -> dict[Name, Kept]:
    """The answers that are stored under these names."""
    if not names:
        return {}
    with bulk.cursor() as cursor:
        cursor.execute(_FIND, [*bulk.by_column(_NAMES, names), tenant_id], prepare=True)
        return {(mode, endpoint, key): Kept(bytes(kept[0]), *kept[1:]) for mode, endpoint, key, *kept in cursor}


def _as_text(answer: Answer) -> str:
    """The answer as a JSON text, so that a replay is the same to the byte."""
    return orjson.dumps(answer.content.decode()).decode()


def keep(caller: ApiCaller, answered: Sequence[tuple[Name, Request, Answer]]) -> None:
    """Store the answers. Raises KeyTaken. In the order of the names, so that two groups do not wait for each other."""
    if not answered:
        return
    rows = [
        (new_id(), caller.tenant_id, *name, digest(request), answer.status, _as_text(answer))
        for name, request, answer in sorted(answered, key=lambda entry: entry[0])
    ]
    with bulk.cursor() as cursor:
        cursor.execute(_KEEP, bulk.by_column(_ROW, rows), prepare=True)
        if cursor.rowcount != len(rows):
            raise KeyTaken
