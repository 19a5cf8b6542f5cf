"""Imports files of these numbers of people in a process of its own, and prints the peak of memory of each in KiB. A
process that runs tests has threads of servers, which allocate as well.

test_import_files.py runs it with the numbers as arguments. It stores nothing."""

from __future__ import annotations

import gc
import io
import json
import os
import sys
import tracemalloc
import uuid
from collections.abc import Iterator

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notifier.settings")
BATCH_ROWS = 500


class Endless(io.RawIOBase):
    """A file of `rows` people that exists nowhere, so that only the import's own memory is measured."""

    def __init__(self, rows: int) -> None:
        self._lines = self._make(rows)

    @staticmethod
    def _make(rows: int) -> Iterator[bytes]:
        yield b"external_id,name,email,phone,locale,timezone,push_token,plan\n"
        for i in range(rows):
            yield f"u{i},Person,p{i}@example.com,+4917{i:08d},de-DE,Europe/Berlin,token-{i:012d},pro\n".encode()

    def readline(self, size: int | None = -1, /) -> bytes:
        return next(self._lines, b"")


def main() -> None:
    import django

    django.setup()
    from django.db import transaction

    from tenants.models import Tenant

    with transaction.atomic():
        tenant = Tenant.objects.create(name="Memory", slug=f"memory-{uuid.uuid4().hex}")
        peaks = [peak_kib(tenant.pk, int(rows)) for rows in sys.argv[1:]]
        transaction.set_rollback(True)
    print(json.dumps(peaks))


def peak_kib(tenant_id: uuid.UUID, rows: int) -> int:
    from tenants.imports import import_recipients

    gc.collect()
    tracemalloc.start()
    assert import_recipients(tenant_id, Endless(rows), batch_rows=BATCH_ROWS).rows == rows
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak // 1024


if __name__ == "__main__":
    main()
