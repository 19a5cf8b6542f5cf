"""The product's own settings, with servers to name in them: a bare `pytest` starts its own, as `make test` does.

This must happen before the settings are read, and those are read before any conftest.py is.
"""

from __future__ import annotations

import os

from notifier.local.testing import TestServers

SERVERS = None if os.environ.get("DATABASE_URL") else TestServers()
if SERVERS is not None:
    SERVERS.start()

from notifier.settings import *  # noqa: E402, F403

# the product's hasher takes a second a user on a busy machine, and most tests begin with three users
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
