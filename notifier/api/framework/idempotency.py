"""Idempotency-Key: a POST that is sent again gets the first answer again, and does nothing.

The key is inserted before the work and filled after it, in the transaction of the work. The unique index makes a
second request wait for the first to end: if that one failed, its row is gone and the second does the work.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass
from typing import Any

from django.db import connection
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from notifier.errors import Conflict, IdempotencyMismatch, InvalidInput
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.status import Mode
from tenants.models import IdempotencyKey

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
MAX_KEY = 255
_CLAIM = """
INSERT INTO tenants_idempotencykey (id, tenant_id, mode, endpoint, key, body_digest, status, response, created_at)
VALUES (%s, %s, %s, %s, %s, %s, 0, 'null', now()) ON CONFLICT (tenant_id, mode, endpoint, key) DO NOTHING
"""


class Replayed(Exception):
    """The request was answered before; this is the answer."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


@dataclass(frozen=True)
class Claim:
    """This request is the first with its key."""

    id: uuid.UUID

    def keep(self, response: Response) -> None:
        """Store the answer. Its text is kept, not its meaning: a replay is the same to the byte."""
        text = JSONRenderer().render(response.data).decode()
        IdempotencyKey.objects.filter(pk=self.id).update(status=response.status_code, response=text)


def claim(request: Request, tenant_id: uuid.UUID, mode: Mode, endpoint: str) -> Claim | None:
    """None without a key. Raises Replayed, or IdempotencyMismatch when the key came with another request. A test and a
    live API key never share: the answer to a test would otherwise stand for a message that must reach somebody."""
    key = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if key is None:
        return None
    if not (0 < len(key) <= MAX_KEY and key.isascii() and key.isprintable()):
        raise InvalidInput(f"{HEADER} is 1 to {MAX_KEY} printable ASCII characters.", field=HEADER)
    mine, digest = new_id(), _digest(request)
    same = {"tenant_id": tenant_id, "mode": mode.value, "endpoint": endpoint[:100], "key": key}
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [mine, *same.values(), digest])
        if cursor.rowcount == 1:
            return Claim(mine)
    _replay(IdempotencyKey.objects.filter(**same).first(), digest)
    return None


def _replay(kept: IdempotencyKey | None, digest: bytes) -> None:
    if kept is None or not kept.status:
        raise Conflict("The first request with this key has not ended; try again.", code="in_progress")
    if bytes(kept.body_digest) != digest:
        raise IdempotencyMismatch("This key was used with another request before; use a new one.", field=HEADER)
    raise Replayed(Response(json.loads(kept.response), status=kept.status, headers={REPLAYED: "true"}))


def _digest(request: Request) -> bytes:
    """Of the path and of what the body says; spaces and the order of names do not matter."""
    said: Any = [request.method, request.path_info, request.data]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).digest()
