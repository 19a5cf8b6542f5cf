"""The Celery app. Tasks only wake workers: a lost task costs a second, a repeated one a millisecond."""

from __future__ import annotations

import os

from celery import Celery
from celery.signals import setup_logging, task_prerun, worker_process_shutdown

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notifier.settings")

from django.conf import settings
from django.db import connections

from notifier import celery_broker
from notifier.channels.queues import BATCH, CONTROL, RECEIPTS, WEBHOOKS
from notifier.metrics.recording import tasks as task_metrics
from notifier.tracing import switch

app = Celery("notifier", loader="notifier.celery_loader:Loader")
app.set_default()  # for all threads: the web process posts from its pool
# not config_from_object: a worker shows its whole configuration to Flower, which would then be all of Django's settings
# with the passwords in their URLs; Celery masks the passwords of its own settings
app.conf.update({k.removeprefix("CELERY_").lower(): getattr(settings, k) for k in dir(settings) if k[:7] == "CELERY_"})
# Celery's Django fixup reads this setting by its old name
app.conf["CELERY_DB_REUSE_MAX"] = settings.CELERY_DB_REUSE_MAX
app.conf.task_default_queue = CONTROL
app.autodiscover_tasks()
celery_broker.install()


def _every(task: str, seconds: float, queue: str = CONTROL) -> dict[str, object]:
    # ticks expire so that they do not pile up while no worker runs
    return {
        "task": task,
        "schedule": seconds,
        "options": {"queue": queue, "expires": max(2.0, seconds * 2)},
    }


app.conf.beat_schedule = {
    "notifier sweep": _every("notifier.sweep", 1.0),
    "load": _every("notifier.watch_load", 2.0),
    "campaigns sweep": _every("campaigns.sweep", 1.0),
    "receipts to fetch": _every("notifier.fetch_receipts", 15.0, BATCH),
    "old unreadable receipts": _every("notifier.forget_receipts", 3600.0),
    "opens and clicks": _every("notifier.engagement", 2.0, RECEIPTS),
    "bounce mailboxes": _every("notifier.read_bounces", 300.0),
    "stale devices": _every("notifier.stale_devices", 3600.0, BATCH),
    "old counts of frequency caps": _every("notifier.forget_cap_counts", 3600.0, BATCH),
    "webhooks": _every("notifier.webhooks", 1.0, WEBHOOKS),
    "old webhooks": _every("notifier.forget_webhooks", 3600.0, BATCH),
    "channels of status pages": _every("notifier.record_status", 60.0),
    "quotas": _every("notifier.watch_quotas", 60.0),
    "partitions ahead": _every("notifier.partitions", 3600.0),
    "what is too old": _every("notifier.retention", 600.0, BATCH),
    "audit chain": _every("tenants.audit_chain", 10.0),
    "audit heads": _every("tenants.audit_heads", 3600.0),
    "old idempotency keys": _every("tenants.forget_keys", 3600.0),
    "sessions that are over": _every("tenants.forget_sessions", 3600.0),
    "failed logins that are over": _every("tenants.forget_failed_logins", 900.0),
    "people to erase": _every("tenants.erase", 10.0, BATCH),
    "snoozed messages": _every("inbox.sweep", 5.0),
    "rows that imports left out": _every("tenants.forget_left_out_rows", 3600.0),
    "imports waiting": _every("tenants.imports", 10.0, BATCH),
}
app.conf.beat_max_loop_interval = 1.0
task_metrics.connect()


@task_prerun.connect
def _check_connections(**_: object) -> None:
    """Connections outlive tasks; after a database restart the next task must find out before its first statement."""
    for connection in connections.all(initialized_only=True):
        connection.close_if_unusable_or_obsolete()


@setup_logging.connect
def _keep_our_logging(**_: object) -> None:
    """Celery configures logging unless this signal has a receiver; settings.py already did."""


@worker_process_shutdown.connect
def _hand_over_spans(**_: object) -> None:
    """A process of a pool ends without Python's exit handlers."""
    switch.flush(1.0)
