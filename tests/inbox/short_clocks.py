"""The product's ASGI application with shorter times, so that tests of heartbeats and timeouts take seconds."""

from notifier.asgi import application

from inbox.live import limits  # isort: skip  (after the application, which sets Django up)

limits.HEARTBEAT_SECONDS = 3.0
limits.HELLO_SECONDS = 3.0

__all__ = ["application"]
