"""Lists and reports come from a standby that is close behind, and from the primary when it is not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from notifier.web.replica.lag import staleness
from tests.clusters.site import ClusterSite
from tests.flows.sandbox import Sandbox
from tests.flows.tenant import Tenant
from tests.flows.wait import until


@pytest.mark.parametrize(
    ("samples", "applied", "expected"),
    [
        pytest.param([(90.0, 10), (99.0, 10), (100.0, 10)], 10, 0.0, id="all applied, an idle primary"),
        pytest.param([(90.0, 10), (99.0, 20), (100.0, 30)], 20, 1.0, id="a second behind"),
        pytest.param([(90.0, 10), (99.0, 20), (100.0, 30)], 19, 10.0, id="the replay stands still"),
        pytest.param([(99.0, 20), (100.0, 30)], 10, None, id="behind all samples"),
        pytest.param([], 10, None, id="no sample yet"),
    ],
)
def test_the_replica_is_as_old_as_the_newest_sample_that_it_has(
    samples: list[tuple[float, int]], applied: int, expected: float | None
) -> None:
    assert staleness(samples, applied, now=100.0) == expected


# ---- which server answered -------------------------------------------------------------------------------------------


class Reader:
    """Reads as a key that has not written."""

    def __init__(self, cluster: ClusterSite, tenant: Tenant) -> None:
        self._cluster = cluster
        self.api = tenant.with_key(cluster.new_key(tenant.credentials.slug))

    def names(self) -> set[str]:
        return {row["external_id"] for row in self.api.request_json("GET", "/v1/recipients")["data"]}

    def reads_replica(self, path: str = "/v1/recipients") -> bool:
        answer = self.api.call("GET", path)
        assert answer.status == 200, answer.text
        return served_by_replica(self._cluster, answer.headers["x-request-id"])


def served_by_replica(cluster: ClusterSite, request_id: str) -> bool:
    """What the request's line in the log says."""
    lines = [line for line in cluster.log("web").read_text().splitlines() if request_id in line]
    return any("database=replica" in line for line in lines)


@pytest.fixture
def reader(cluster: ClusterSite, tenant: Tenant) -> Reader:
    tenant.person("ann", f"{tenant.tag}ann")
    reader = Reader(cluster, tenant)
    until(reader.reads_replica, "the replica to answer")
    return reader


@pytest.fixture(autouse=True)
def _replica_follows_again(cluster: ClusterSite) -> Iterator[None]:
    yield
    with cluster.standby.admin() as admin:
        admin.execute("SELECT pg_wal_replay_resume()")


def test_lists_are_read_from_the_replica_and_single_rows_are_not(reader: Reader) -> None:
    assert reader.names() == {"ann"}
    assert not reader.reads_replica("/v1/recipients/ann")


LISTS = ("/v1/recipients", "/v1/notifications", "/v1/templates", "/v1/campaigns", "/v1/audiences", "/v1/schedules")


@pytest.mark.parametrize("path", LISTS)
def test_every_list_can_be_read_from_the_replica(reader: Reader, path: str) -> None:
    until(lambda: reader.reads_replica(path), f"{path} from the replica")


def test_lists_and_search_of_the_admin_too(cluster: ClusterSite, tenant: Tenant, reader: Reader) -> None:
    owner = tenant.owner()

    def reads_replica(path: str) -> bool:
        page = owner.get(path)
        assert page.status == 200, page.text
        return served_by_replica(cluster, page.headers["x-request-id"])

    # the login was a write
    assert not reads_replica("/admin/tenants/recipient/")
    for path in ("/admin/tenants/recipient/", "/admin/notifier/delivery/", "/admin/campaigns/campaign/"):
        until(lambda path=path: reads_replica(path), f"{path} from the replica")  # type: ignore[misc]


def test_tenants_do_not_see_each_other_in_the_replica(
    cluster: ClusterSite, new_tenant: Callable[[], Tenant], reader: Reader
) -> None:
    other = new_tenant()
    other.person("bob")
    stranger = Reader(cluster, other)
    until(stranger.reads_replica, "the replica to answer")
    assert (stranger.names(), reader.names()) == ({"bob"}, {"ann"})


def test_a_caller_reads_its_own_write_though_the_replica_stands_still(
    cluster: ClusterSite, tenant: Tenant, reader: Reader
) -> None:
    with cluster.standby.admin() as admin:
        admin.execute("SELECT pg_wal_replay_pause()")
    reader.api.request_json("PUT", "/v1/recipients/bob", {"name": "Bob"})
    assert reader.names() == {"ann", "bob"}


def test_a_replica_that_stands_still_is_not_read_for_long(cluster: ClusterSite, tenant: Tenant, reader: Reader) -> None:
    with cluster.standby.admin() as admin:
        admin.execute("SELECT pg_wal_replay_pause()")
    tenant.person("bob")  # by another key than the reader's
    until(lambda: reader.names() == {"ann", "bob"}, "the primary to answer")
    assert not reader.reads_replica()
    # the alert NotifierReplicaLag looks at it
    until(lambda: replica_lag(cluster) > 6, "the lag to be told")
    with cluster.standby.admin() as admin:
        admin.execute("SELECT pg_wal_replay_resume()")
    until(reader.reads_replica, "the replica to answer again")
    assert reader.names() == {"ann", "bob"}
    until(lambda: replica_lag(cluster) < 6, "the lag to be over")


def replica_lag(cluster: ClusterSite) -> float:
    """What a scrape of web tells."""
    text = httpx.get(f"{cluster.url}/metrics", timeout=60).text
    [value] = re.findall(r"^notifier_postgres_replica_lag_seconds ([\d.e+-]+)$", text, re.MULTILINE) or ["0"]
    return float(value)


def test_lists_go_on_without_the_replica(cluster: ClusterSite, tenant: Tenant, reader: Reader) -> None:
    cluster.kill_standby()
    try:
        for _ in range(20):
            assert reader.names() == {"ann"}
        assert not reader.reads_replica()
        sent: Any = tenant.api.call("GET", "/v1/notifications")
        assert sent.status == 200
    finally:
        cluster.start_standby()
    until(reader.reads_replica, "the replica to answer again")


def test_an_object_that_is_too_new_for_the_replica_is_found(
    cluster: ClusterSite, tenant: Tenant, reader: Reader, sandbox: Sandbox
) -> None:
    with cluster.standby.admin() as admin:
        admin.execute("SELECT pg_wal_replay_pause()")
    key = cluster.new_key(tenant.credentials.slug)
    # the replica does not know the key
    assert tenant.with_key(key).call("GET", "/v1/recipients").status == 200
