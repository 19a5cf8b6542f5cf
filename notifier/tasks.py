"""The engine's Celery tasks, three lines each, and what posts them (`AppConfig.ready` registers `notify_queue`)."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import structlog
from celery import current_app, shared_task
from django.conf import settings
from django.db import transaction
from kombu.exceptions import OperationalError

from notifier.channels.queues import BATCH, CONTROL, RECEIPTS, channel_and_lanes, is_bulk
from notifier.delivery.accounts.connection_test import mark_requested, run_test
from notifier.delivery.bounces import read_mailboxes, tenants_with_mailbox
from notifier.delivery.caps.places import forget_old
from notifier.delivery.channel_status.history import record_look
from notifier.delivery.engagement import apply as engagement
from notifier.delivery.infra import redis
from notifier.delivery.ledger.people.stale_devices import mark_stale_devices
from notifier.delivery.ledger.reports import receipt_rows
from notifier.delivery.load_shedding.watch import watch
from notifier.delivery.quotas import watching
from notifier.delivery.quotas.counting import Use
from notifier.delivery.receipts import fetching, reading
from notifier.delivery.send import deliver
from notifier.delivery.sweep import sweep
from notifier.delivery.wakeup import listener, signal
from notifier.models import ProviderAccount
from notifier.models.partitions import make_ahead
from notifier.vocabulary.load import Work
from notifier.webhooks import disabling, forgetting, sender
from tenants.load_shedding import may_run
from tenants.models import Tenant
from tenants.owners_mail import send_to_owners
from tenants.retention import run as retention

log = structlog.get_logger("notifier.tasks")

#: seconds for which a process does not call Redis after a failed call: a Redis that hangs instead of refusing costs its
#: callers 2 s a call
PAUSE_SECONDS = 5.0
_away_until = 0.0


def _pause(error: Exception, task: str) -> None:
    global _away_until
    _away_until = time.monotonic() + PAUSE_SECONDS
    log.warning("broker away", action="post", task=task, error=type(error).__name__)


def post(task: str, *args: str, queue: str = CONTROL) -> bool:
    """Send a task by name. False when the broker is away: the caller has stored rows that a sweep finds."""
    # the engine's client finds out at once that Redis is away; Celery's client tries for 12 s, in the caller's request
    return _length(queue) is not None and _publish(task, args, queue)


def request_test(account: ProviderAccount) -> bool:
    """Let a worker test the account. False when the broker is away: no test begins."""
    mark_requested(account)
    return post("notifier.test_account", str(account.pk), queue=BATCH)


def waiting(queue: str) -> int:
    """How many tasks no worker of this queue has taken yet; 0 while the broker is away."""
    return _length(queue) or 0


def notify_queue(queue: str) -> None:
    """Wake a listener of the queue. Without one, post a wakeup task, unless two tasks wait in the queue already."""
    queued = _query(lambda: listener.notify_listener(queue), queue)
    if queued is not None and queued < 2:
        _publish("notifier.read_receipts" if queue == RECEIPTS else "notifier.deliver", [queue], queue)


def _length(queue: str) -> int | None:
    """How many tasks wait in the queue; None while the broker is away."""
    return _query(lambda: int(redis.client().llen(queue)), queue)


def _query(query: Callable[[], int | None], queue: str) -> int | None:
    """The answer of Redis; None while Redis is away."""
    if time.monotonic() < _away_until:
        return None
    try:
        return query()
    except redis.Unavailable as error:
        _pause(error, queue)
        return None


def _publish(task: str, args: Sequence[str], queue: str) -> bool:
    try:
        # without ignore_result Celery subscribes to the result first: 19 s of tries and an error while Redis is away
        current_app.send_task(task, args=args, queue=queue, retry=False, ignore_result=True)
    except OperationalError as error:
        _pause(error, task)
        return False
    return True


def reset() -> None:
    """Call Redis again at once, although it was away."""
    global _away_until
    _away_until = 0.0


@shared_task(name="notifier.deliver", ignore_result=True)
def deliver_queue(queue: str) -> None:
    """Send what is due on a channel, in the lanes of this queue. The workers of a bulk queue also send campaigns, so
    the task ends when there is nothing to send."""
    if is_bulk(queue) and not may_run(Work.MARKETING):
        return
    wakeups = listener.NullListener() if is_bulk(queue) else listener.WakeupListener(queue)
    if deliver(*channel_and_lanes(queue), wakeups):
        notify_queue(queue)


@shared_task(name="notifier.test_account", ignore_result=True)
def test_account(account_id: str) -> None:
    """Once for each press of "Test connection"."""
    run_test(uuid.UUID(account_id))


@shared_task(name="notifier.sweep", ignore_result=True)
def sweep_once() -> None:
    """Every second: see notifier.delivery.sweep. Also wakes the readers of receipts."""
    sweep()
    if receipt_rows.due_accounts():
        signal.notify([RECEIPTS])


@shared_task(name="notifier.watch_load", ignore_result=True)
def watch_load() -> None:
    """Every 2 seconds: decide whether load is shed."""
    watch()


@shared_task(name="notifier.read_receipts", ignore_result=True)
def read_receipts_of(queue: str) -> None:
    """Read what providers reported."""
    if reading.read_receipts(listener.WakeupListener(queue)):
        notify_queue(queue)


@shared_task(name="notifier.fetch_receipts", ignore_result=True)
def fetch_receipts_due() -> None:
    """Every 15 seconds: ask providers' servers what became of messages, where no server calls us."""
    fetching.fetch_receipts()


@shared_task(name="notifier.forget_receipts", ignore_result=True)
def forget_receipts() -> None:
    """Every hour: delete old receipts that no worker could read."""
    reading.forget_unreadable()


@shared_task(name="notifier.stale_devices", ignore_result=True)
def stale_devices() -> None:
    """Every hour: mark devices dead that their platform has given up."""
    if marked := mark_stale_devices():
        log.info("stale devices", action="mark", devices=marked)


@shared_task(name="notifier.forget_cap_counts", ignore_result=True)
def forget_cap_counts() -> None:
    """Every hour: delete the counts of frequency caps whose windows are over."""
    forget_old(datetime.now(UTC))


@shared_task(name="notifier.record_status", ignore_result=True)
def record_status() -> None:
    """Every minute: keep how the channels are, for status pages."""
    record_look(datetime.now(UTC))


@shared_task(name="notifier.watch_quotas", ignore_result=True)
def watch_quotas() -> None:
    """Every minute: warn the owners of tenants that have used most of a quota; delete old counts."""
    watching.watch(tell_owners)
    watching.forget_old(datetime.now(UTC))


def tell_owners(tenant: Tenant, uses: Sequence[Use]) -> None:
    """Mail the quotas that are nearly used to the owners."""
    lines = [
        f"{u.quota.channel}: {u.used:,} of {u.quota.most:,} messages of this {u.quota.period.value}; renews at "
        f"{u.renews_at:%Y-%m-%d %H:%M} UTC"
        for u in uses
    ]
    body = "\n".join([
        "These quotas are nearly used:",
        "",
        *lines,
        "",
        "When a quota is used up, further messages on its channel are refused until it renews (429 quota_exceeded).",
        "An operator of this installation can give a larger quota.",
        f"{settings.SITE_URL}/admin/tenants/tenant/{tenant.pk}/change/",
    ])  # fmt: skip
    send_to_owners(tenant, f"{tenant.name}: most of a quota is used", body)


@shared_task(name="notifier.engagement", ignore_result=True)
def apply_engagement() -> None:
    """Every 2 seconds: apply opens and clicks that the site saw, and events of apps."""
    engagement.apply_due()


@shared_task(name="notifier.read_bounces", ignore_result=True)
def read_bounces() -> None:
    """Every 5 minutes: one task for each tenant with bounce mailboxes, so that one whose servers do not answer delays
    no other."""
    for tenant_id in tenants_with_mailbox():
        post("notifier.read_mailboxes", str(tenant_id), queue=BATCH)


@shared_task(name="notifier.read_mailboxes", ignore_result=True)
def read_mailboxes_of(tenant_id: str) -> None:
    """Read the bounce mailboxes of one tenant."""
    read_mailboxes(uuid.UUID(tenant_id))


@shared_task(name="notifier.retention", ignore_result=True)
def delete_old_rows() -> None:
    """Every 10 minutes: delete for a minute what is older than its tenant keeps it (tenants.retention)."""
    retention.run(datetime.now(UTC))


@shared_task(name="notifier.webhooks", ignore_result=True)
def send_webhooks() -> None:
    """Every second: pack events, and send what is due, for 20 seconds at most."""
    sender.run()


@shared_task(name="notifier.webhook_notices", ignore_result=True)
def send_webhook_notices() -> None:
    """When an endpoint was disabled, and every hour: mail the owners."""
    disabling.send_notices()


@shared_task(name="notifier.forget_webhooks", ignore_result=True)
def forget_webhooks() -> None:
    """Every hour: delete events and attempts of more than 30 days ago; and mail what could not be mailed."""
    forgetting.forget(datetime.now(UTC))
    disabling.send_notices()


@shared_task(name="notifier.partitions", ignore_result=True)
def partitions_ahead() -> None:
    """Every hour: create the partitions of the coming months."""
    with transaction.atomic():
        make_ahead(datetime.now(UTC).date())
