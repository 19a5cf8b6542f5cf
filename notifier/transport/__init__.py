"""The only code that touches the wire. `wire()` is the door; `notifier.vocabulary.http.HttpClient` says what it does.

NOTIFIER_TRANSPORT chooses: h2 (the default), the bulk HTTP/2 client, with libcurl for what speaks HTTP/1.1 only; or
curl, libcurl for everything.

base.py                   what both clients share: one a process and CA file; they start anew after a fork
h2/                       the bulk HTTP/2 client
pooled.py                 libcurl
  loop.py                 the one thread that drives libcurl
  transfer.py             one libcurl handle, reused
jobs.py                   where a task's thread waits for its answers
tokens.py                 access tokens, one fetch at a time
"""

from __future__ import annotations

import os

from notifier.transport.auto import AutoClient
from notifier.transport.base import CONNECTIONS
from notifier.transport.curl.client import CurlClient
from notifier.vocabulary.http import HttpClient

__all__ = ["wire"]


def http_client(trust: str | None = None, connections: int = CONNECTIONS) -> HttpClient:
    """The client of this process. `trust`: a CA file to believe beside the system's, e.g. the sandbox's.
    `connections`: to one far end, at most."""
    if os.environ.get("NOTIFIER_TRANSPORT", "h2") == "curl":
        return CurlClient.here(trust, connections)
    return AutoClient.here(trust, connections)
