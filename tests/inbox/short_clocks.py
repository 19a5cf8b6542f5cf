"""The product's ASGI application with shorter times, so that tests of heartbeats and timeouts take seconds."""

from notifier.asgi import application

import inbox.live.consumers  # isort: skip  (after the application, which sets Django up)

inbox.live.consumers.HEARTBEAT_SECONDS = 3.0
inbox.live.consumers.HELLO_SECONDS = 3.0

__all__ = ["application"]
