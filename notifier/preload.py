"""What every process of Celery needs, imported once: a fork server calls `preload` and forks workers, beat and Flower,
which share these pages. Nothing here may open a connection or start a thread, because a fork would share it."""

from __future__ import annotations

import importlib

#: modules that the programs import when they run
_LATER = (
    "billiard.pool",
    "celery.__main__",
    "celery.app.control",
    "celery.app.events",
    "celery.app.log",
    "celery.apps.beat",
    "celery.apps.worker",
    "celery.backends.redis",
    "celery.bin.celery",
    "celery.bin.worker",
    "celery.worker.autoscale",
    "celery.worker.components",
    "celery.worker.consumer",
    "celery.worker.heartbeat",
    "celery.worker.loops",
    "celery.worker.pidbox",
    "celery.worker.strategy",
    "django.db.backends.postgresql.base",
    "django.views.csrf",
    "django_celery_beat.schedulers",
    "flower.command",
    "kombu.asynchronous.semaphore",
    "kombu.transport.redis",
    "notifier.celery_pool",
    "notifier.transport.auto",
)


def preload() -> None:
    """Import the site with all its tasks, channels and providers."""
    from notifier.celery import app

    # this sets Django up, imports all tasks and runs Django's checks
    app.loader.import_default_modules()
    app.finalize()
    from notifier.channels.base import channels
    from notifier.providers import providers

    channels()
    providers()
    for name in _LATER:
        importlib.import_module(name)
