"""The whole product on servers of its own, with short clocks."""

from __future__ import annotations

import json
from dataclasses import dataclass

from notifier.local.stack import Stack
from tests.flows.sandbox import Sandbox

#: A lease must exceed the provider timeout. Small shards, so that a campaign of some thousands has many.
CLOCKS = {"LEASE_SECONDS": "6", "PROVIDER_TIMEOUT_SECONDS": "5", "SHARD_SIZE": "500", "LOG_LEVEL": "INFO"}
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

    def _make(self, count: int) -> None:
        script = _MAKE.format(start=self._made, end=self._made + count)
        done = self.manage("shell", "-c", script)
        assert done.returncode == 0, done.stderr
        self._made += count
        told = (line.partition(" ")[2] for line in done.stdout.splitlines() if line.startswith("made "))
        self._spare += [Papers(*json.loads(line)) for line in told]
