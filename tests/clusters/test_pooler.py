"""Web and workers behind PgBouncer in transaction mode, with fewer sessions than clients: everything works, and no
tenant sees another one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg import errors

from notifier.local.servers.roles import ENGINE, WEB
from tenants.database.signed_settings import TRANSACTION, key_of, signed
from tests.clusters.pooler import ONE_SESSION, SESSIONS
from tests.clusters.site import ClusterSite
from tests.flows.sandbox import Sandbox
from tests.flows.tenant import Tenant, content
from tests.flows.wait import until

COUNT = 2_000
Connection = psycopg.Connection[tuple[Any, ...]]


def test_one_notification_reaches_the_phone_and_the_open_inbox(tenant: Tenant, sandbox: Sandbox) -> None:
    tenant.person("ann", f"{tenant.tag}ann")
    tenant.publish("order", "order-updates", content(body="Order {{ order }} left."))
    inbox = tenant.inbox("ann")
    with inbox.opened() as socket:
        sent = tenant.send("ann", "order", data={"order": "A-7"})
        received = socket.receive("messages")["messages"]
    assert [m["body"] for m in received] == ["Order A-7 left."]
    assert tenant.wait_until_final(sent) == {"push": "sent", "in_app": "delivered"}
    assert sandbox.addresses(tenant.tag) == {f"{tenant.tag}ann": 1}


def test_an_import_and_a_campaign_reach_everybody_once(cluster: ClusterSite, tenant: Tenant, sandbox: Sandbox) -> None:
    tenant.import_people(tenant.people(COUNT))
    tenant.publish("offer", "promotions")
    audience = tenant.list_of([f"u{n}" for n in range(COUNT)])  # an upload: temporary tables in a worker of `batch`
    campaign = tenant.draft("offer", audience)
    campaign.arm()
    campaign.go()
    results = campaign.wait_until_finished()
    assert sandbox.addresses(tenant.tag) == {person.token: 1 for person in tenant.people(COUNT)}
    assert results["channels"]["in_app"]["delivered"] == COUNT
    until(lambda: tenant.audit_count("campaign.finished", campaign.id), "the campaign to be accounted for")


def test_two_tenants_at_once_see_their_own_rows_only(new_tenant: Callable[[], Tenant]) -> None:
    sides = new_tenant(), new_tenant()
    for side in sides:
        side.publish("order", "order-updates")
        for n in range(5):
            side.person(f"{side.tag}{n}", f"{side.tag}{n}")

    def look(number: int) -> None:
        side = sides[number % 2]
        if number % 5 == 0:
            # a burst may meet the limit of its tenant's rate
            until(
                lambda: side.post(f"{side.tag}{number % 3}", "order").status == 202, "the notification to be accepted"
            )
        listed = side.api.request_json("GET", "/v1/recipients")["data"]
        assert {row["external_id"] for row in listed} == {f"{side.tag}{n}" for n in range(5)}
        other = sides[1 - number % 2]
        assert side.api.call("GET", f"/v1/recipients/{other.tag}1").status == 404
        page = side.owner().get("/admin/tenants/recipient/") if number % 10 == 0 else None
        assert page is None or (side.tag in page.text and other.tag not in page.text)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(look, range(120)))


def test_the_pooler_has_more_clients_than_sessions(cluster: ClusterSite) -> None:
    with psycopg.connect(cluster.pooler.url(ENGINE, "pgbouncer"), autocommit=True, prepare_threshold=None) as console:
        cursor = psycopg.ClientCursor(console)
        pools = cursor.execute("SHOW POOLS").fetchall()
        names = [column.name for column in cursor.description or ()]
    clients: Counter[str] = Counter()
    sessions: Counter[str] = Counter()
    for row in (dict(zip(names, pool, strict=True)) for pool in pools):
        clients[row["user"]] += int(row["cl_active"]) + int(row["cl_waiting"])
        sessions[row["user"]] += sum(int(row[name]) for name in ("sv_active", "sv_idle", "sv_used"))
    assert clients[ENGINE] > SESSIONS, (clients, sessions)
    assert 0 < sessions[ENGINE] <= SESSIONS
    assert 0 < sessions[WEB] <= SESSIONS + 1  # and the database of one session


def test_the_doctor_accepts_the_signature_behind_the_pooler(cluster: ClusterSite) -> None:
    done = cluster.manage("doctor", "--json", "--worker-seconds", "15")
    findings = json.loads(done.stdout)["findings"]
    wrong = {"signature", "web-login", "not-checked", "skipped", "roles", "web-rights"}
    assert [f["text"] for f in findings if f["code"] in wrong] == []
    # the standby of these tests streams from a primary whose statistics the engine's role may not see
    assert [f["text"] for f in findings if f["code"] == "replication-hidden"] == [
        "The state of 1 of the replicas is hidden from this role."
    ]


def test_nothing_of_a_session_is_left_behind(cluster: ClusterSite, tenant: Tenant) -> None:
    """A lock that was taken in one session and given back in another would stay for good."""
    tenant.import_people(tenant.people(10))
    tenant.publish("offer", "promotions")
    tenant.draft("offer", tenant.everybody()).arm()

    def left() -> list[tuple[Any, ...]]:
        with psycopg.connect(cluster.primary_url, autocommit=True) as admin:
            return admin.execute(
                "SELECT a.application_name, a.state, l.mode FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid "
                "WHERE l.locktype = 'advisory' AND a.state = 'idle'"
            ).fetchall()

    until(lambda: not left(), "no advisory lock in an idle session")


# ---- the signature, in one session that two clients share ------------------------------------------------------------


@pytest.fixture
def two_clients(cluster: ClusterSite) -> Iterator[tuple[Connection, Connection]]:
    """Two clients of the web role that share one session of PostgreSQL."""
    url = cluster.pooler.url(WEB, ONE_SESSION)
    with psycopg.connect(url, prepare_threshold=None) as one, psycopg.connect(url, prepare_threshold=None) as two:
        one.rollback()
        two.rollback()
        yield one, two


def sign(cluster: ClusterSite, client: Connection, tenants: str) -> str:
    """What the site signs for the open transaction."""
    row = client.execute(f"SELECT {TRANSACTION}").fetchone()
    assert row is not None
    return signed(key_of(cluster.settings["SECRET_KEY"]), "tenants", tenants, backend=str(row[0]), expires=0)


def set_config(client: Connection, value: str, *, of_transaction: bool) -> None:
    client.execute("SELECT set_config('notifier.tenants', %s, %s)", [value, of_transaction])


def seen(client: Connection) -> set[str]:
    return {row[0] for row in client.execute("SELECT external_id FROM tenants_recipient").fetchall()}


def test_tenants_take_turns_in_one_session_and_see_only_their_own_people(
    cluster: ClusterSite, new_tenant: Callable[[], Tenant], two_clients: tuple[Connection, Connection]
) -> None:
    people = {}
    for side in (new_tenant(), new_tenant()):
        side.person(side.tag)
        people[cluster.tenant_id(side.credentials.slug)] = side.tag
    sessions = set()
    for _ in range(3):
        for client, (tenant_id, name) in zip(two_clients, people.items(), strict=True):
            assert seen(client) == set()
            set_config(client, sign(cluster, client, tenant_id), of_transaction=True)
            assert seen(client) == {name}
            sessions |= set(client.execute("SELECT pg_backend_pid()").fetchall())
            client.commit()
    assert len(sessions) == 1


def test_a_signature_opens_nothing_in_a_later_transaction_of_the_same_session(
    cluster: ClusterSite, tenant: Tenant, two_clients: tuple[Connection, Connection]
) -> None:
    tenant.person("ann")
    one, two = two_clients
    stolen = sign(cluster, one, "*")
    # as injected SQL would, for whoever comes next in this session
    set_config(one, stolen, of_transaction=False)
    assert "ann" in seen(one)
    one.commit()
    for client in (two, one):
        with pytest.raises(errors.InsufficientPrivilege, match="not signed by this site"):
            seen(client)
        client.rollback()
        set_config(client, stolen, of_transaction=True)
        with pytest.raises(errors.InsufficientPrivilege, match="not signed by this site"):
            seen(client)
        client.rollback()
    one.execute("RESET ALL")
    one.commit()
