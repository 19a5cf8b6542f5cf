"""`python -m bench.acceptance`: what an acceptance costs, below the HTTP layer, in Python and in PostgreSQL.

Starts a PostgreSQL of its own, and calls `notifier.delivery.accept` as the database role of the web processes, with 1,
10 and 1,000 requests. CPU of the calling thread and of the database's backend process, which other load on the machine
hardly changes; the least of several rounds. `--explain` prints the plans, `--profile` the Python functions.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import conninfo

from notifier.local import secret_file
from notifier.local.console import say
from notifier.local.testing import TestServers

if TYPE_CHECKING:
    from notifier.vocabulary.people import SendRequest

RECIPIENTS = 20_000
#: requests of one call -> rounds of so many calls
ROUNDS = {1: (15, 200), 10: (10, 60), 1_000: (10, 2)}
PUSH = {"push": {"en": {"title": "On its way", "body": "Order {{ order }} left our warehouse."}}}
BOTH = {**PUSH, "in_app": {"en": {"title": "Hi {{ recipient.name }}", "body": "Order {{ order }}"}}}
_RECIPIENTS = """
INSERT INTO tenants_recipient
  (id, tenant_id, external_id, name, email, phone, locale, timezone, attributes, status, created_at, updated_at)
SELECT gen_random_uuid(), %(tenant)s, 'user-' || n, 'Person ' || n, 'user-' || n || '@bench.example', '', 'en', '',
  '{}', 'active', now(), now() FROM generate_series(1, %(count)s) n
"""
_DEVICES = """
INSERT INTO tenants_device
  (id, tenant_id, recipient_id, platform, token, app, created_at, last_seen_at, dead_since)
SELECT gen_random_uuid(), tenant_id, id, 'fcm', md5(id::text) || ':APA91b' || repeat(md5(id::text || 'b'), 4), '',
  now(), now(), NULL FROM tenants_recipient
"""
# what workers would have done by the next round
_SETTLE = (
    "UPDATE notifier_delivery SET status = 40, settled_at = now() WHERE status < 40",
    "UPDATE notifier_orderingqueue SET unfinished = 0, turn_taken = false WHERE unfinished > 0",
    "VACUUM notifier_delivery, notifier_orderingqueue, notifier_notification",
)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--explain", action="store_true")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--templates", nargs="+", default=["push", "both"], choices=["push", "both"])
    options = parser.parse_args()
    servers = TestServers()
    servers.start()
    try:
        if options.explain:
            _allow_auto_explain(servers)
        _run(options)
    finally:
        servers.stop()


def _allow_auto_explain(servers: TestServers) -> None:
    """The role of the bench becomes a superuser of this throw-away database."""
    password = secret_file.read(servers.folder / "secrets")["POSTGRES_PASSWORD"]
    place = conninfo.conninfo_to_dict(servers.urls["DATABASE_URL"])
    with psycopg.connect(
        host=place["host"], port=place["port"], user="postgres", password=password, dbname="postgres", autocommit=True
    ) as admin:
        admin.execute(f"ALTER ROLE {place['user']} SUPERUSER")


def _run(options: argparse.Namespace) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "notifier.settings"
    os.environ.setdefault("LOG_LEVEL", "ERROR")
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    tenant_id = _fill()
    for template in options.templates:
        for size, (rounds, calls) in ROUNDS.items():
            _print_cost(f"{template:5} x {size:5}", tenant_id, template, size, rounds, calls)
        if options.explain:
            for size in (1, 1_000):
                _explain(tenant_id, template, size)
        if options.profile:
            _profile(tenant_id, template)


def _fill() -> uuid.UUID:
    """A tenant with its templates and recipients; returns its id."""
    from django.db import connection

    from notifier.delivery.content import templates
    from notifier.models import Template
    from tenants.models import Category, Tenant

    tenant = Tenant.objects.create(name="bench", slug="bench")
    category = Category.objects.create(tenant=tenant, key="orders", name="Orders", kind="transactional")
    for key, content in (("push", PUSH), ("both", BOTH)):
        templates.publish(Template.objects.create(tenant=tenant, key=key, category=category), content)
    with connection.cursor() as cursor:
        cursor.execute(_RECIPIENTS, {"tenant": tenant.pk, "count": RECIPIENTS})
        cursor.execute(_DEVICES)
        cursor.execute("ANALYZE")
    return tenant.pk


def _requests(template: str, size: int) -> Iterator[list[SendRequest]]:
    """Calls to ever other recipients."""
    from notifier.vocabulary.people import SendRequest

    at = 0
    while True:
        numbers = [(at + n) % RECIPIENTS + 1 for n in range(size)]
        yield [SendRequest(f"user-{n}", template, data={"order": str(n)}) for n in numbers]
        at += size


@contextmanager
def _as_web(tenant_id: uuid.UUID) -> Iterator[None]:
    from django.conf import settings
    from django.db import connection

    from tenants.access import set_scope

    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL ROLE {settings.WEB_DATABASE_ROLE_NAME}")
    set_scope([tenant_id])
    yield


def _print_cost(name: str, tenant_id: uuid.UUID, template: str, size: int, rounds: int, calls: int) -> None:
    from django.db import connection, transaction

    from notifier.delivery import Accepted, accept

    pid = connection.connection.info.backend_pid
    source = _requests(template, size)
    python, database, trips = [], [], []
    for _round in range(rounds):
        batches = [next(source) for _ in range(calls)]
        spent = spent_db = 0.0
        waits = 0
        for batch in batches:
            with transaction.atomic(), _as_web(tenant_id):
                before, db_before, switches = time.thread_time(), _cpu(pid), _switches(pid)
                outcomes = accept(tenant_id, batch)
                spent += time.thread_time() - before
                _settled_cpu(pid)
                spent_db += _cpu(pid) - db_before
                waits += _switches(pid) - switches
            assert all(isinstance(outcome, Accepted) for outcome in outcomes), outcomes[0]
        python.append(spent / calls)
        database.append(spent_db / calls)
        trips.append(waits / calls)
        with connection.cursor() as cursor:
            for statement in _SETTLE:
                cursor.execute(statement)
    per = 1e6 / size
    say(
        name,
        f"Python {min(python) * per:8.1f} us a request, PostgreSQL {min(database) * per:8.1f}"
        f" (first round {database[0] * per:8.1f}); waits of the backend a call {min(trips):.1f}",
    )


def _cpu(pid: int) -> float:
    """CPU seconds of a process that waits now."""
    with open(f"/proc/{pid}/schedstat") as file:
        return int(file.read().split()[0]) / 1e9


def _settled_cpu(pid: int) -> None:
    """Let the backend go to sleep, so that its account is complete."""
    time.sleep(0.0003)


def _switches(pid: int) -> int:
    """How often the process has waited: once a round trip, and for locks and disks."""
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("voluntary"))


def _explain(tenant_id: uuid.UUID, template: str, size: int) -> None:
    from django.db import connection, transaction

    from notifier.delivery import accept

    source = _requests(template, size)
    plans: list[str] = []
    settings = {"log_min_duration": "0", "log_analyze": "on", "log_buffers": "on", "log_wal": "on", "log_timing": "on"}

    def note(notice: Any) -> None:
        plans.append(notice.message_primary)

    with connection.cursor() as cursor:
        cursor.execute("LOAD 'auto_explain'")
        for _ in range(6):
            with transaction.atomic(), _as_web(tenant_id):
                accept(tenant_id, next(source))
        connection.connection.add_notice_handler(note)
        with transaction.atomic():
            for key, value in settings.items():
                cursor.execute(f"SET LOCAL auto_explain.{key} = '{value}'")
            cursor.execute("SET LOCAL client_min_messages = log")
            with _as_web(tenant_id):
                plans.clear()
                accept(tenant_id, next(source))
        connection.connection.remove_notice_handler(note)
        for statement in _SETTLE:
            cursor.execute(statement)
    for plan in plans:
        say(f"{template} x {size}", plan)


def _profile(tenant_id: uuid.UUID, template: str) -> None:
    from django.db import transaction

    from notifier.delivery import accept

    source = _requests(template, 1_000)
    profile = cProfile.Profile(time.thread_time)
    work: Callable[..., Any] = accept
    for _ in range(5):
        batch = next(source)
        with transaction.atomic(), _as_web(tenant_id):
            profile.runcall(work, tenant_id, batch)
    pstats.Stats(profile).sort_stats("tottime").print_stats(45)


if __name__ == "__main__":
    main()
