"""The product's own settings, once there are servers to name in them: a bare `pytest` starts its own, as `make test` does.

This must happen before the settings are read, which is before any conftest.py is.
"""

from __future__ import annotations

import atexit
import os

if not os.environ.get("DATABASE_URL"):
    from notifier.local.testing import TestServers

    _servers = TestServers()
    _servers.start()
    atexit.register(_servers.stop)

from notifier.settings import *  # noqa: E402, F403
