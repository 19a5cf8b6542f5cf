"""`queue_backlog`, by which Kubernetes scales workers."""

from __future__ import annotations

import psycopg
import pytest
from django.db import connection
from psycopg import errors, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from notifier.channels.queues import queues
from tests.clusters.site import ClusterSite
from tests.flows.tenant import Tenant


@pytest.mark.django_db
@pytest.mark.parametrize("queue", [*queues(), "unknown"])
def test_every_queue_has_a_backlog(queue: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT queue_backlog(%s)", [queue])
        assert cursor.fetchone() == (0,)


def test_an_armed_campaign_counts_before_its_go_and_not_after_its_end(cluster: ClusterSite, tenant: Tenant) -> None:
    def backlog() -> int:
        with cluster.engine() as engine:
            row = engine.execute("SELECT queue_backlog('push.bulk')").fetchone()
        assert row is not None
        return int(row[0])

    tenant.import_people(tenant.people(300))
    tenant.publish("offer", "promotions")
    campaign = tenant.draft("offer", tenant.everybody(), ["push"])
    before = backlog()
    campaign.arm()
    assert backlog() == before + 300
    campaign.go()
    campaign.wait_until_finished()
    assert backlog() == before


def test_a_role_that_may_call_it_may_read_nothing_else(cluster: ClusterSite) -> None:
    """As docs/kubernetes.md makes the role."""
    database = cluster.settings["DATABASE_DIRECT_URL"].rsplit("/", 1)[1]
    as_admin = make_conninfo(cluster.primary_url, dbname=database)
    with psycopg.connect(as_admin, autocommit=True) as admin:
        password = conninfo_to_dict(as_admin)["password"]
        make = sql.SQL("CREATE ROLE notifier_scaler LOGIN PASSWORD {}").format(sql.Literal(password))
        admin.execute(make)
        admin.execute("GRANT EXECUTE ON FUNCTION queue_backlog(text) TO notifier_scaler")
    with psycopg.connect(make_conninfo(as_admin, user="notifier_scaler"), autocommit=True) as client:
        assert client.execute("SELECT queue_backlog('push')").fetchone() is not None
        with pytest.raises(errors.InsufficientPrivilege):
            client.execute("SELECT count(*) FROM notifier_delivery")
