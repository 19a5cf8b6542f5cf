"""The product's ASGI application with shorter times, and with limits on connections of loopback addresses too."""

from notifier.asgi import application

import inbox.live.limits  # isort: skip  (after the application, which sets Django up)
from notifier.web import limits  # isort: skip

limits.HEAD_SECONDS = 3.0
limits.BODY_SECONDS = 3.0
limits.DRAIN_SECONDS = 3.0
limits.COUNT_LOCAL = True
inbox.live.limits.HELLO_SECONDS = 60.0

__all__ = ["application"]
