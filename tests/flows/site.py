"""The whole product with its own servers and short times."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import pytest

from notifier.local.console import say_nothing
from notifier.local.stack import Stack
from notifier.local.testing import LOCAL, remove_folder
from tests.flows.sandbox import Sandbox

#: A lease must exceed the provider timeout. Small shards, so that a campaign of some thousands has many shards.
#: A long limit on statements of web processes: a busy machine is slow, and test_disconnects must not reach the limit.
SETTINGS = {
    "LEASE_SECONDS": "6",
    "PROVIDER_TIMEOUT_SECONDS": "5",
    "SHARD_SIZE": "500",
    "LOG_LEVEL": "INFO",
    # a test chooses where a process dies (Stack.own_env)
    "FAILPOINTS_ALLOWED": "1",
    "WEB_STATEMENT_SECONDS": "600",
    # receivers of tests
    "WEBHOOK_HTTP": "1",
    # a busy machine is no overload: a test that needs load to be shed switches it on
    "LOAD_SHEDDING_WAIT_SECONDS": "0",
    "LOAD_SHEDDING_ACCEPT_SECONDS": "0",
}
LEASE_SECONDS = float(SETTINGS["LEASE_SECONDS"])
#: tenants created at a time, because starting the command costs more than a tenant
BATCH = 8

_MAKE = """
import json
from tenants.bootstrap import create_tenant
for number in range({start}, {end}):
    made = create_tenant(f"Tenant {{number}}", f"tenant-{{number:03d}}")
    print("made", json.dumps([made.tenant.slug, made.user.username, made.password, made.live_key, made.test_key]))
"""

_OPERATOR = """
from tenants.bootstrap import create_user
print("made", create_user("flow-operator", operator=True)[1])
"""


@dataclass(frozen=True)
class Credentials:
    """The names, passwords and keys of a new tenant."""

    slug: str
    username: str
    password: str
    live_key: str
    test_key: str


class Site(Stack):
    """`up` without Flower, which no flow needs."""

    _made = 0
    _spare: list[Credentials]

    @property
    def env(self) -> dict[str, str]:
        return {**super().env, "DJANGO_SETTINGS_MODULE": "notifier.settings", **SETTINGS}

    def up(self) -> None:
        self._spare = []
        self.start("sandbox")
        self.migrate()
        self.start("web", "beat", *(f"worker:{queue.name}" for queue in self.queues))

    @property
    def sandbox(self) -> Sandbox:
        return Sandbox(self.sandbox_url, self.settings["SANDBOX_CA"])

    def new_tenant(self) -> Credentials:
        """A new tenant without data."""
        if not self._spare:
            self._make(BATCH)
        return self._spare.pop(0)

    @cached_property
    def operator(self) -> tuple[str, str]:
        """Name and password of a user who sees every tenant."""
        return "flow-operator", self._run(_OPERATOR)[0]

    def _make(self, count: int) -> None:
        made = self._run(_MAKE.format(start=self._made, end=self._made + count))
        self._made += count
        self._spare += [Credentials(*json.loads(line)) for line in made]

    def _run(self, script: str) -> list[str]:
        """The values that the script prints after "made "."""
        done = self.manage("shell", "-c", script)
        assert done.returncode == 0, done.stderr
        return [line.partition(" ")[2] for line in done.stdout.splitlines() if line.startswith("made ")]


S = TypeVar("S", bound=Site)


@contextmanager
def running(kind: type[S], name: str, session: pytest.Session) -> Iterator[S]:
    """Servers, sandbox, web, workers and beat, in a folder that notifier.local.testing removes after a killed run. The
    logs of a run with failures stay."""
    folder = LOCAL / f"test-{os.getpid()}-{name}"
    with kind(folder, test=True, environ={}, say=say_nothing) as site:
        site.up()
        yield site
    remove_folder(folder, keep_logs=session.testsfailed > 0)
