"""The only code that opens connections to providers. `http_client()` returns an HttpClient
(notifier/vocabulary/http.py); notifier/delivery/accounts/registry.py calls it for every sender. This package imports
only the vocabulary and `notifier.values`.

NOTIFIER_TRANSPORT chooses the client: h2 (the default), the bulk HTTP/2 client with libcurl for servers that speak only
HTTP/1.1; or curl, libcurl for everything. Tests choose their own with `use_client`, usually in_memory.InMemoryClient.

base.py          what every client shares: one instance a process and CA file, anew after a fork
egress.py        which addresses a connection may go to
completions.py   where a sending thread waits for answers
tokens.py        access tokens, fetched one at a time
allowance.py     how many streams a server gets after it refused some
auto.py          AutoClient: h2/ where the server speaks HTTP/2, else curl/
h2/              the bulk HTTP/2 client
curl/            the libcurl client
smtp/            the pipelined SMTP client
https_post/      POST to servers of strangers, for webhooks
mailboxes/       reads a mailbox over IMAP or POP3
in_memory.py     the client for tests
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from notifier.transport.auto import AutoClient
from notifier.transport.base import CONNECTIONS
from notifier.transport.curl.client import CurlClient
from notifier.transport.smtp.client import SmtpClient
from notifier.vocabulary.http import HttpClient

__all__ = ["http_client", "use_client"]

_replacement: HttpClient | None = None


def http_client(trust: str | None = None, connections: int = CONNECTIONS, protocol: str = "http") -> HttpClient:
    """This process's client. `trust`: a CA file that is trusted beside the system's, e.g. the sandbox's.
    `connections`: to one server, at most. `protocol`: `http`, or `smtp` for requests of the method MAIL."""
    if _replacement is not None:
        return _replacement
    if protocol == "smtp":
        return SmtpClient.shared(trust, connections)
    if os.environ.get("NOTIFIER_TRANSPORT", "h2") == "curl":
        return CurlClient.shared(trust, connections)
    return AutoClient.shared(trust, connections)


@contextmanager
def use_client(client: HttpClient) -> Iterator[None]:
    """For tests: `http_client` returns `client` in all threads of this process until the block ends."""
    global _replacement
    previous, _replacement = _replacement, client
    try:
        yield
    finally:
        _replacement = previous
