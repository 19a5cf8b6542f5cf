"""What runs when Django starts: checks, the Celery app, providers, and what the engine needs of upper layers."""

from __future__ import annotations

import os

from django.apps import AppConfig


class NotifierConfig(AppConfig):
    name = "notifier"
    verbose_name = "Delivery engine"

    def ready(self) -> None:
        from django.utils.module_loading import autodiscover_modules

        arm_failpoint()
        # the checks register themselves; the Celery app must exist before a task is posted
        from notifier import celery, checks, tasks  # noqa: F401

        autodiscover_modules("provider")

        from notifier.admin import find, home
        from notifier.admin.content.uses import digests_using, register_use_finder
        from notifier.admin.ledger import references, timeline
        from notifier.api.framework import paths
        from notifier.delivery.accounts import webpush_keys
        from notifier.delivery.caps import places
        from notifier.delivery.caps import settings as caps
        from notifier.delivery.caps.trace import trace_caps
        from notifier.delivery.content import marketing
        from notifier.delivery.digests import settings as digest_settings
        from notifier.delivery.digests.trace import trace_digest
        from notifier.delivery.ledger import settle
        from notifier.delivery.ledger.people import erasing, exporting
        from notifier.delivery.planning import category_rules
        from notifier.delivery.planning.trace import add_later_rule
        from notifier.delivery.retention import removers
        from notifier.delivery.wakeup import signal
        from notifier.doctor.own_checks import register_own_checks
        from notifier.providers import token_checks
        from notifier.providers.webpush.provider import WebPush
        from tenants.categories import add_kind_check, add_use_finder, add_value_check
        from tenants.erasure import register_eraser
        from tenants.export import register_exporter
        from tenants.people.platforms import add_platform_finder, add_same_device

        _read_settings()
        register_own_checks()
        for part in (references, home, find, timeline, removers):
            part.register()
        paths.register()
        signal.register_notifier(tasks.notify_queue)
        _register_webhooks()
        register_use_finder(digests_using)
        for module in (category_rules, digest_settings, caps):
            add_use_finder(module.find_uses)
        add_kind_check(marketing.check_kind)
        add_value_check(digest_settings.check_over_cap)
        settle.register_cancelled_late(places.give_back_cancelled_late)
        add_later_rule(trace_digest)
        add_later_rule(trace_caps)
        register_eraser("messages", erasing.erase)
        register_exporter("requests", exporting.requests)
        register_exporter("messages", exporting.messages)
        add_platform_finder(token_checks)
        add_same_device(WebPush.platform, webpush_keys.tokens_of_browser)


def _read_settings() -> None:
    """What modules without Django must know of settings."""
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured

    from notifier.providers.webpush import services
    from notifier.transport import egress

    try:
        egress.allow(settings.INTERNAL_HOSTS)
    except ValueError as error:
        raise ImproperlyConfigured(f"INTERNAL_HOSTS: {error}") from None
    try:
        services.allow(settings.WEBPUSH_SERVICES, settings.SANDBOX_URL)
    except ValueError as error:
        raise ImproperlyConfigured(f"WEBPUSH_SERVICES: {error}") from None
    if settings.TRACING:
        _record_traces(settings.DATABASE_ROLE)


def arm_failpoint() -> None:
    """Arm the point of NOTIFIER_FAILPOINT. A forked worker calls this again: its settings were read before the fork."""
    from django.conf import settings

    from notifier import failpoints

    if settings.FAILPOINTS_ALLOWED:
        failpoints.arm(os.environ.get("NOTIFIER_FAILPOINT", settings.FAILPOINT))


def _register_webhooks() -> None:
    from notifier import tasks
    from notifier.channels.queues import BATCH
    from notifier.webhooks import disabling

    disabling.register_request(lambda: tasks.post("notifier.webhook_notices", queue=BATCH))


def _record_traces(role: str) -> None:
    from django.core.exceptions import ImproperlyConfigured

    from notifier.tracing import switch

    try:
        from notifier.tracing.recorder import OtlpRecorder
    except ImportError as error:
        remedy = "TRACING needs the extra `tracing`: pip install 'notifier[tracing]', or set TRACING=0."
        raise ImproperlyConfigured(f"{remedy} ({error})") from None
    switch.start(OtlpRecorder(role))
