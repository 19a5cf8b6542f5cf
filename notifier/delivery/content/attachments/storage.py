"""The contents of attachments, in the storage `attachments` of Django's settings, under the tenant and the digest: the
same content is stored once. What a process read last is kept: a campaign reads its files once a process."""

from __future__ import annotations

import threading
import uuid
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import partial
from hashlib import sha256
from typing import Any

import orjson
import structlog
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db import DatabaseError

from notifier.errors import Unavailable
from notifier.models import StoredFile
from notifier.vocabulary.mail import Attachment, NewFile, Unreadable

log = structlog.get_logger("notifier.delivery")
#: bytes of contents that a process keeps
KEPT_BYTES = 32 * 1024 * 1024
_kept: OrderedDict[str, bytes] = OrderedDict()
_lock = threading.Lock()


def store(tenant_id: uuid.UUID, files: Sequence[NewFile], *, public: bool = False) -> None:
    """Store the contents, and a row for each. `public`: they have addresses of their own. Raises Unavailable."""
    if not files:
        return
    try:
        _save_missing(tenant_id, files)
        changed = ["used_at", "public"] if public else ["used_at"]
        StoredFile.objects.bulk_create(
            [
                StoredFile(
                    tenant_id=tenant_id,
                    digest=file.digest,
                    name=file.name,
                    content_type=file.content_type,
                    size=len(file.content),
                    public=public,
                )
                for file in {file.digest: file for file in files}.values()
            ],
            update_conflicts=True,
            update_fields=changed,
            unique_fields=["tenant", "digest"],
        )
        # a worker that deletes an unused file holds its row until the content is gone: the rows above waited for it
        _save_missing(tenant_id, files)
    except DatabaseError:
        raise
    except Exception as error:  # each storage has exceptions of its own
        log.warning("attachment not stored", action="attach", tenant=str(tenant_id), error=type(error).__name__)
        raise Unavailable(
            "The storage of attachments does not answer; try again later.", field="attachments"
        ) from error


def _save_missing(tenant_id: uuid.UUID, files: Sequence[NewFile]) -> None:
    storage = storages["attachments"]
    for file in files:
        path = path_of(tenant_id, file.digest)
        # a process that was killed while it wrote leaves a shorter file
        if not (storage.exists(path) and storage.size(path) == len(file.content)):
            storage.save(path, ContentFile(file.content))


def attachments_of(tenant_id: uuid.UUID, listed: str) -> tuple[Attachment, ...]:
    """The attachments of a message from the list in its content; nothing is read yet."""
    return tuple(_attachment(tenant_id, entry) for entry in orjson.loads(listed))


def _attachment(tenant_id: uuid.UUID, entry: Mapping[str, Any]) -> Attachment:
    return Attachment(
        entry["name"],
        entry["content_type"],
        entry["size"],
        entry.get("content_id", ""),
        partial(read, tenant_id, entry["id"]),
    )


def read(tenant_id: uuid.UUID, digest: str) -> bytes:
    """The content. Raises Unreadable. No lock is held while the storage answers: a slow one delays its readers only."""
    path = path_of(tenant_id, digest)
    with _lock:
        if (kept := _kept.get(path)) is not None:
            _kept.move_to_end(path)
            return kept
    try:
        with storages["attachments"].open(path) as file:
            content: bytes = file.read()
    except Exception as error:  # each storage has exceptions of its own
        log.warning("attachment not read", action="send", tenant=str(tenant_id), error=type(error).__name__)
        raise Unreadable("an attachment cannot be read from the storage") from error
    if sha256(content).hexdigest() != digest:
        raise Unreadable("an attachment in the storage is damaged")
    _keep(path, content)
    return content


def _keep(path: str, content: bytes) -> None:
    with _lock:
        _kept[path] = content
        while sum(map(len, _kept.values())) > KEPT_BYTES:
            _kept.popitem(last=False)


def reset() -> None:
    """Forget what this process read."""
    with _lock:
        _kept.clear()


def path_of(tenant_id: uuid.UUID, digest: str) -> str:
    """The name of a content in the storage."""
    return f"attachments/{tenant_id}/{digest[:2]}/{digest}"
