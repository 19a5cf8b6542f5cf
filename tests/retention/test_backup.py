"""A backup is restored after everything was lost: the ledger goes on, nothing that the backup knew as sent leaves
again, and what may have left after the backup waits for a person. The receiver counts."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from notifier.local.console import say_nothing
from notifier.local.servers.binaries import postgres_tool
from notifier.local.testing import LOCAL, remove_folder
from tests.flows.site import Site
from tests.flows.tenant import Campaign, Tenant
from tests.flows.wait import until

COUNT = 1_500
MAIL = {"email": {"en": {"subject": "Your order", "text": "It is on its way."}}}

#: what a restore must bring back besides rows
_SHAPE = """
SELECT json_build_object(
  'policies', (SELECT json_agg(p ORDER BY p.tablename, p.policyname) FROM pg_policies p),
  'secured', (SELECT json_agg(relname ORDER BY relname) FROM pg_class WHERE relrowsecurity),
  'months', (SELECT json_agg(json_build_array(i.inhparent::regclass::text, c.relname,
               pg_get_expr(c.relpartbound, c.oid)) ORDER BY c.relname)
             FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE c.relkind = 'r'),
  'triggers', (SELECT json_agg(t.tgrelid::regclass::text || '.' || tgname ORDER BY 1)
               FROM (SELECT * FROM pg_trigger WHERE NOT tgisinternal ORDER BY tgrelid::regclass::text, tgname) t),
  'rights', (SELECT json_agg(json_build_array(c.relname, a.privilege_type) ORDER BY c.relname, a.privilege_type)
             FROM pg_class c, aclexplode(c.relacl) a
             WHERE a.grantee = 'notifier_web'::regrole AND c.relnamespace = 'public'::regnamespace))
"""
_INBOXES = """
SELECT count(*) FROM inbox_feed f JOIN LATERAL (
  SELECT count(*) AS messages, max(seq) AS last, count(DISTINCT seq) AS numbers,
    count(*) FILTER (WHERE state = 0) AS unread
  FROM inbox_inboxmessage m WHERE m.recipient_id = f.recipient_id) m ON true
WHERE m.messages <> f.last_seq OR m.last <> f.last_seq OR m.numbers <> m.messages OR m.unread <> f.unread
"""
_SENT = "SELECT coalesce(sum(sent), 0) FROM campaigns_shard WHERE campaign_id = %s AND channel = 'push'"


@pytest.fixture
def lost_site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """A stack of its own, which loses its database."""
    folder = LOCAL / f"test-{os.getpid()}-backup"
    with Site(folder, test=True, environ={}, say=say_nothing) as running:
        running.up()
        yield running
    remove_folder(folder, keep_logs=request.session.testsfailed > 0)


def query(site: Site, statement: str, *values: Any) -> Any:
    with psycopg.connect(site.settings["DATABASE_URL"]) as connection:
        row = connection.execute(statement, values or None).fetchone()
        assert row is not None
        return row[0]


def run_tool(name: str, *arguments: str) -> None:
    done = subprocess.run([postgres_tool(name), *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def manage(site: Site, *arguments: str) -> str:
    done = site.manage(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def lose_everything(site: Site) -> None:
    """kill -9 of every process but the receiver, and the database is gone."""
    for name in ("beat", "web", *(f"worker:{queue.name}" for queue in site.queues), "postgres"):
        site.kill(name)
    site.start("postgres")
    url = site.settings["DATABASE_URL"]
    name = urlsplit(url).path.lstrip("/")
    with psycopg.connect(url.replace(f"/{name}", "/postgres"), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        connection.execute(f'CREATE DATABASE "{name}"')


def restore(site: Site, dump: Path) -> None:
    run_tool("pg_restore", "--exit-on-error", "--no-owner", "-d", site.settings["DATABASE_URL"], str(dump))
    manage(site, "migrate", "--verbosity", "0")


def start_again(site: Site) -> None:
    site.start("web", "beat", *(f"worker:{queue.name}" for queue in site.queues))


def launched(tenant: Tenant, count: int) -> Campaign:
    campaign = tenant.draft("offer", tenant.list_of([person.external_id for person in tenant.people(count)]))
    campaign.arm()
    campaign.go()
    return campaign


def a_tenant(site: Site) -> Tenant:
    """COUNT people for campaigns; Ada has a mail address and Bob a phone."""
    tenant = Tenant(site, site.new_tenant())
    tenant.import_people(tenant.people(COUNT))
    tenant.publish("offer", "promotions")
    tenant.publish("mail", "order-updates", MAIL)
    tenant.publish("order", "order-updates")
    tenant.api.request_json("PUT", "/v1/recipients/ada", {"name": "Ada", "email": "ada@example.com"})
    tenant.person("bob", f"{tenant.tag}bob")
    return tenant


def test_a_restored_ledger_goes_on(lost_site: Site, tmp_path: Path) -> None:
    site = lost_site
    tenant = a_tenant(site)
    finished = launched(tenant, 100)
    finished.wait_until_finished()
    first_arrivals = tenant.sandbox.addresses(tenant.tag)
    until(lambda: query(site, "SELECT count(*) FROM campaigns_campaign WHERE accounted_at IS NOT NULL"), "accounting")
    site.sandbox.faults(latency_ms=1500)
    running = launched(tenant, COUNT)
    until(lambda: query(site, _SENT, running.id) > 100, "the first outcomes of the campaign")
    leaves_at = (datetime.now(UTC) + timedelta(seconds=20)).isoformat()
    mail = tenant.send("ada", "mail", send_at=leaves_at)
    push = tenant.send("bob", "order", send_at=leaves_at)

    taken_at = datetime.now(UTC)
    shape, dump = query(site, _SHAPE), tmp_path / "notifier.dump"
    run_tool("pg_dump", "-Fc", "-f", str(dump), site.settings["DATABASE_URL"])

    # what leaves after the backup
    assert tenant.wait_until_final(mail)["email"] in ("sent", "delivered")
    assert tenant.wait_until_final(push)["push"] in ("sent", "delivered")
    lost_at = datetime.now(UTC)
    lose_everything(site)
    before = tenant.sandbox.addresses(tenant.tag)

    restore(site, dump)
    known = int(query(site, _SENT, running.id))
    assert known > 100
    said = manage(site, "after_restore", "--dump-taken-at", taken_at.isoformat(), "--lost-at", lost_at.isoformat())
    assert query(site, _SHAPE) == shape
    site.sandbox.faults(latency_ms=0)
    start_again(site)

    # the email may have left: no second one leaves, and a person is told. A push is repeated under the same key
    assert tenant.statuses(mail) == {"email": "unknown"}
    assert "1 messages ended in doubt" in said
    assert tenant.wait_until_final(push)["push"] in ("sent", "delivered")
    assert running.id in said
    halted = running.read()
    assert halted["state"] == "paused" and "restored from a backup" in halted["halted"]

    assert running.post("resume").status == 200
    running.wait_until_finished()
    arrivals = tenant.sandbox.addresses(tenant.tag)
    assert arrivals >= before, "the receiver's count never falls"
    assert set(arrivals) == {f"{tenant.tag}{n}" for n in range(COUNT)} | {f"{tenant.tag}bob"}
    # both campaigns went to the first hundred: those of the finished one arrived once from it
    extra = arrivals.total() - COUNT - len(first_arrivals) - 1
    assert extra <= COUNT - known + 1, "more was repeated than the backup did not know as sent"
    assert site.sandbox.mail("ada@example.com") is not None

    # a new message, whole inboxes, and a whole audit chain
    assert tenant.wait_until_final(tenant.send("bob", "order"))["in_app"] in ("sent", "delivered")
    assert query(site, _INBOXES) == 0
    assert json.dumps(query(site, _SHAPE)) == json.dumps(shape)
    manage(site, "verify_audit")
    assert "tenant" not in manage(site, "retention", "--dry-run").split("together")[0]
