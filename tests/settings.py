"""The product's own settings. Every process that runs tests starts its own servers here.

The servers must start before the settings are read, and pytest reads the settings before any conftest.py.
"""

from __future__ import annotations

import os

from notifier.local.testing import TestServers

#: whether this process only distributes the tests to others, as `make test` does
DISTRIBUTES = int(os.environ.get("TEST_PROCESSES") or 0) > 0 and "PYTEST_XDIST_WORKER" not in os.environ
#: addresses for the process that only distributes; no server listens there
NOWHERE = {"DATABASE_URL": "postgres://nobody@127.0.0.1:1/none", "REDIS_URL": "redis://127.0.0.1:1/0"}

SERVERS = None if DISTRIBUTES or os.environ.get("DATABASE_URL") else TestServers()
if SERVERS is not None:
    SERVERS.start()
placeholders = {name: url for name, url in NOWHERE.items() if DISTRIBUTES and name not in os.environ}
os.environ.update(placeholders)

from notifier.settings import *  # noqa: E402, F403

# the test processes inherit the environment, and start their own servers if it names none
for name in placeholders:
    del os.environ[name]

# the product's password hasher takes a second a user on a busy machine, and most tests begin with three users
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# empties the database after a test that commits, at a hundredth of the cost of Django's command
INSTALLED_APPS = [*INSTALLED_APPS, "tests.flush"]  # noqa: F405
# a worker in the test's process sees an opt-out at once
CONSENT_BELIEVED_SECONDS = 0
# a test sees an open when the request is answered
ENGAGEMENT_WRITE_SECONDS = 0
