"""How Celery starts a worker or beat: not with secrets that can be guessed."""

from __future__ import annotations

from celery.loaders.app import AppLoader

from notifier.checks import refuse_insecure_boot


class Loader(AppLoader):
    def on_worker_init(self) -> None:
        """Called first in both; beat asks the database for its schedule before it sends a signal of its own."""
        refuse_insecure_boot()
