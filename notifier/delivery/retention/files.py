"""Attachments: deleted when nothing refers to them any more. A file is stored once for each content, so several
messages and templates may refer to one.

A file is looked for when no request and no template has named it for as long as the tenant keeps messages, and two days
more. It stays when a version of a template names it, or a message that is older than that and must stay: one that has
not ended, or a dead letter. A campaign's files are those of its version. Pictures with public addresses stay: the
addresses may stand in anything.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import structlog
from django.core.files.storage import storages
from django.db import connection, transaction

from notifier.delivery.content.attachments.storage import path_of
from notifier.delivery.content.attachments.uses import NOTED
from notifier.delivery.infra.ttl_cache import TtlCache
from notifier.models import StoredFile
from notifier.vocabulary.ids import id_floor
from tenants.retention.periods import Cutoffs
from tenants.retention.registry import Amount, Pace

log = structlog.get_logger("notifier.retention")
#: a use is noted to a day; and a day from the storage of a file to the commit of the message that attaches it
MARGIN = NOTED + timedelta(days=1)
#: files of one transaction, which deletes their contents from the storage as well
BATCH = 50
#: files of one run
MOST = 1_000
#: tenant -> the day of which this process has deleted all files. The search reads all templates: once a day will do
_done = TtlCache[uuid.UUID, date](seconds=86_400.0, max_entries=100_000)

# a digest is 64 hexadecimal digits, which stand nowhere by chance. Messages that are kept for their time have files
# that were used within it, so only older ones are read: few, because they are those that must stay
_UNUSED = """
WITH old AS MATERIALIZED (
  SELECT f.id, f.digest, f.size FROM notifier_storedfile f
  WHERE f.tenant_id = %(tenant)s AND f.used_at < %(cutoff)s AND NOT f.public
), named AS MATERIALIZED (
  SELECT DISTINCT m[1] AS digest FROM notifier_templateversion v
  CROSS JOIN LATERAL regexp_matches(v.content::text || coalesce(v.published::text, ''), '[0-9a-f]{64}', 'g') m
  WHERE v.tenant_id = %(tenant)s AND EXISTS (SELECT FROM old)
  UNION
  SELECT DISTINCT m[1] FROM notifier_notification n JOIN notifier_delivery d ON d.notification_id = n.id
  CROSS JOIN LATERAL regexp_matches(d.content::text, '[0-9a-f]{64}', 'g') m
  WHERE n.tenant_id = %(tenant)s AND n.id < %(floor)s AND EXISTS (SELECT FROM old)
)
SELECT id, size FROM old WHERE digest NOT IN (SELECT digest FROM named) ORDER BY id LIMIT %(most)s
"""


@dataclass(frozen=True)
class Files:
    """The remover (tenants.retention.registry)."""

    name: str = "attachments"

    def preview(self, cutoffs: Cutoffs) -> Iterator[Amount]:
        sizes = [size for _, size in _unused(cutoffs)]
        yield Amount("notifier_storedfile", len(sizes), sum(sizes))

    def remove(self, cutoffs: Cutoffs, pace: Pace) -> int:
        today = cutoffs.messages.date()
        if _done.get(cutoffs.tenant_id) == today:
            return 0
        ids, removed = [file_id for file_id, _ in _unused(cutoffs)], 0
        for first in range(0, len(ids), BATCH):
            if not pace.may_go_on():
                return removed
            removed += _delete(ids[first : first + BATCH], cutoffs)
        if removed == len(ids) < MOST:
            _done.keep(cutoffs.tenant_id, today)
        return removed


def _unused(cutoffs: Cutoffs) -> list[tuple[Any, int]]:
    cutoff = cutoffs.rows - MARGIN
    floor = id_floor(int(cutoffs.rows.timestamp() * 1000))
    with connection.cursor() as cursor:
        cursor.execute(_UNUSED, {"tenant": cutoffs.tenant_id, "cutoff": cutoff, "floor": floor, "most": MOST})
        return list(cursor.fetchall())


def _delete(ids: Sequence[Any], cutoffs: Cutoffs) -> int:
    """Delete the contents, and then their rows, whose locks keep a request from naming them meanwhile. A storage that
    does not answer leaves the row to the next run."""
    storage, gone = storages["attachments"], []
    with transaction.atomic():
        files = StoredFile.objects.select_for_update(skip_locked=True).filter(
            pk__in=ids, used_at__lt=cutoffs.rows - MARGIN
        )
        for file in files:
            try:
                storage.delete(path_of(file.tenant_id, file.digest))
            except Exception as error:  # each storage has exceptions of its own
                log.warning("attachment not deleted", action="delete", file=str(file.pk), error=type(error).__name__)
                break
            gone.append(file.pk)
        return StoredFile.objects.filter(pk__in=gone).delete()[0]
