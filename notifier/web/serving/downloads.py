"""A download that leaves piece by piece: neither a thread nor memory is held for the whole file.

The handler (`handler.py`) takes one piece in a thread, sends it, and takes the next when the client has read it. An
iterator must open a transaction of its own for each piece, because the request's is over.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.http import StreamingHttpResponse


class Download(StreamingHttpResponse):
    """A file as an attachment; no cache keeps it."""

    def __init__(self, pieces: Iterator[bytes], filename: str, content_type: str = "text/csv; charset=utf-8") -> None:
        super().__init__(pieces, content_type=content_type)
        safe = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in filename)
        self["Content-Disposition"] = f'attachment; filename="{safe}"'
        self["Cache-Control"] = "no-store"
        self["X-Content-Type-Options"] = "nosniff"
