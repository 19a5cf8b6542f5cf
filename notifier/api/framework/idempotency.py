"""Idempotency-Key: a POST that is sent again gets the first answer again and does nothing.

The key's row is inserted before the work and completed after it, in the transaction of the work. The unique index makes
a second request wait for the first to end. If the first failed, its row was rolled back, and the second does the work.
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
    """The request was answered before; carries that answer."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


@dataclass(frozen=True)
class Claim:
    """The row of a request that is the first with its key."""

    id: uuid.UUID

    def keep(self, response: Response) -> None:
        """Store the answer as text, so that a replay is the same to the byte."""
        text = JSONRenderer().render(response.data).decode()
        IdempotencyKey.objects.filter(pk=self.id).update(status=response.status_code, response=text)


def claim(request: Request, tenant_id: uuid.UUID, mode: Mode, endpoint: str) -> Claim | None:
    """Claim the request's key; None without a key. Raises Replayed, or IdempotencyMismatch if the key was used with a
    different request. A test and a live API key never share keys: else the answer to a test would replace a message
    that must reach a recipient."""
    key = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if key is None:
        return None
    if not is_valid(key):
        raise InvalidInput(f"{HEADER} is 1 to {MAX_KEY} printable ASCII characters.", field=HEADER)
    claim_id, digest = new_id(), digest_of(str(request.method), request.path_info, request.data)
    identity = {"tenant_id": tenant_id, "mode": mode.value, "endpoint": endpoint[:100], "key": key}
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [claim_id, *identity.values(), digest])
        if cursor.rowcount == 1:
            return Claim(claim_id)
    _replay(IdempotencyKey.objects.filter(**identity).first(), digest)
    return None


def _replay(kept: IdempotencyKey | None, digest: bytes) -> None:
    if kept is None or not kept.status:
        raise Conflict("The first request with this key has not ended; try again.", code="in_progress")
    if bytes(kept.body_digest) != digest:
        raise IdempotencyMismatch("This key was used with another request before; use a new one.", field=HEADER)
    raise Replayed(Response(json.loads(kept.response), status=kept.status, headers={REPLAYED: "true"}))


def is_valid(key: str) -> bool:
    """Whether the header's value can be a key."""
    return 0 < len(key) <= MAX_KEY and key.isascii() and key.isprintable()


def digest_of(method: str, path: str, document: Any) -> bytes:
    """A digest of the path and of the parsed body: spaces and the order of names do not matter."""
    content: Any = [method, path, document]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).digest()
