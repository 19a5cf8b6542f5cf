"""The product's own settings, with servers to name in them: every process that runs tests starts its own.

This must happen before the settings are read, and those are read before any conftest.py is.
"""

from __future__ import annotations

import os

from notifier.local.testing import TestServers

#: `make test` hands the tests out to so many processes
HANDED_OUT = int(os.environ.get("TEST_PROCESSES") or 0) > 0 and "PYTEST_XDIST_WORKER" not in os.environ
#: what the process that only hands them out may read, and nobody can reach
NOWHERE = {"DATABASE_URL": "postgres://nobody@127.0.0.1:1/none", "REDIS_URL": "redis://127.0.0.1:1/0"}

SERVERS = None if HANDED_OUT or os.environ.get("DATABASE_URL") else TestServers()
if SERVERS is not None:
    SERVERS.start()
placeholders = {name: url for name, url in NOWHERE.items() if HANDED_OUT and name not in os.environ}
os.environ.update(placeholders)

from notifier.settings import *  # noqa: E402, F403

# the others inherit the environment, and start their own servers when it names none
for name in placeholders:
    del os.environ[name]

# the product's hasher takes a second a user on a busy machine, and most tests begin with three users
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
