"""When a stored file was named last: one that nothing names is deleted after a while (notifier.delivery.retention)."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from notifier.models import StoredFile

#: a use is noted once in this time, so that a file in each of a million requests is written once
NOTED = timedelta(days=1)


def note_use(file: StoredFile) -> bool:
    """Note that the file is named now. False when it is gone."""
    now = timezone.now()
    if file.used_at > now - NOTED:
        return True
    return StoredFile.objects.filter(pk=file.pk).update(used_at=now) == 1
