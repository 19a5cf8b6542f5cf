"""How Celery starts a worker or beat: it refuses secrets that can be guessed."""

from __future__ import annotations

from celery.loaders.app import AppLoader

from notifier.apps import arm_failpoint
from notifier.checks import refuse_insecure_boot


class Loader(AppLoader):
    def on_worker_init(self) -> None:
        """Called first in a worker and in beat; beat reads its schedule from the database before it sends a signal."""
        refuse_insecure_boot()
        arm_failpoint()
