"""When a client disconnects, PostgreSQL cancels the statement that runs for the client."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.flows.site import Site
from tests.flows.tenant import Tenant
from tests.flows.wait import until

_WAITING = """
SELECT pid FROM pg_stat_activity
WHERE application_name = 'notifier-web' AND wait_event_type = 'Lock' AND query LIKE '%tenants_recipient%'
"""


@pytest.fixture
def holder(site: Site) -> Iterator[psycopg.Connection[tuple[int]]]:
    with psycopg.connect(site.settings["DATABASE_URL"]) as connection:
        yield connection


def waiting(site: Site) -> list[int]:
    """Connections of web processes that wait for the lock."""
    with psycopg.connect(site.settings["DATABASE_URL"], autocommit=True) as connection:
        return [row[0] for row in connection.execute(_WAITING)]


def test_a_statement_is_cancelled_when_its_client_disconnects(
    site: Site, tenant: Tenant, holder: psycopg.Connection[tuple[int]]
) -> None:
    tenant.person("ann", f"{tenant.tag}ann")
    holder.execute("LOCK TABLE tenants_recipient IN ACCESS EXCLUSIVE MODE")
    at = urlsplit(site.url)
    with socket.create_connection((at.hostname or "", at.port or 80)) as client:
        headers = f"Host: {at.netloc}\r\nAuthorization: Bearer {tenant.credentials.live_key}"
        client.sendall(f"GET /v1/recipients/ann HTTP/1.1\r\n{headers}\r\n\r\n".encode())
        until(lambda: waiting(site), "the request to wait for the lock")
    # the lock is held, and the statement had ten minutes left
    until(lambda: not waiting(site), "the statement to be cancelled")
    holder.rollback()
    assert tenant.api.call("GET", "/v1/recipients/ann").status == 200
