"""The whole product on servers of its own, with short clocks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property

from notifier.local.stack import Stack
from tests.flows.sandbox import Sandbox

#: A lease must exceed the provider timeout. Small shards, so that a campaign of some thousands has many.
#: A statement of web may take long: a busy machine is slow, and a test of a client that leaves must not see the limit.
CLOCKS = {
    "LEASE_SECONDS": "6",
    "PROVIDER_TIMEOUT_SECONDS": "5",
    "SHARD_SIZE": "500",
    "LOG_LEVEL": "INFO",
    "WEB_STATEMENT_SECONDS": "600",
}
LEASE_SECONDS = float(CLOCKS["LEASE_SECONDS"])
#: tenants made at a time: the command's start costs more than a tenant
BATCH = 8

_MAKE = """
import json
from tenants.bootstrap import create_tenant
for number in range({start}, {end}):
    made = create_tenant(f"Tenant {{number}}", f"tenant-{{number:03d}}")
    print("made", json.dumps([made.tenant.slug, made.user.username, made.password, made.live_key, made.test_key]))
"""

_OPERATOR = """
from tenants.bootstrap import new_user
print("made", new_user("flow-operator", operator=True)[1])
"""


@dataclass(frozen=True)
class Papers:
    """What a new tenant is handed."""

    slug: str
    username: str
    password: str
    live_key: str
    test_key: str


class Site(Stack):
    """`up` without Flower, which no flow needs."""

    _made = 0
    _spare: list[Papers]

    @property
    def env(self) -> dict[str, str]:
        return {**super().env, "DJANGO_SETTINGS_MODULE": "notifier.settings", **CLOCKS}

    def up(self) -> None:
        self._spare = []
        self.start("sandbox")
        self.migrate()
        self.start("web", "beat", *(f"worker:{queue.name}" for queue in self.queues))

    @property
    def sandbox(self) -> Sandbox:
        return Sandbox(self.sandbox_url, self.settings["SANDBOX_CA"])

    def new_tenant(self) -> Papers:
        """A tenant that nobody has used."""
        if not self._spare:
            self._make(BATCH)
        return self._spare.pop(0)

    @cached_property
    def operator(self) -> tuple[str, str]:
        """Name and password of somebody who sees every tenant."""
        return "flow-operator", self._run(_OPERATOR)[0]

    def _make(self, count: int) -> None:
        made = self._run(_MAKE.format(start=self._made, end=self._made + count))
        self._made += count
        self._spare += [Papers(*json.loads(line)) for line in made]

    def _run(self, script: str) -> list[str]:
        """What it says that it made."""
        done = self.manage("shell", "-c", script)
        assert done.returncode == 0, done.stderr
        return [line.partition(" ")[2] for line in done.stdout.splitlines() if line.startswith("made ")]
