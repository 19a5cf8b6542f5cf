"""The site of the flow tests on servers that stand twice, behind a pooler."""

from __future__ import annotations

from typing import Any, Self
from urllib.parse import urlsplit

import psycopg

from notifier.local.console import say_nothing
from notifier.local.processes.child import Child
from notifier.local.servers.ports import free_port
from notifier.local.servers.roles import ENGINE, WEB
from tests.clusters.pooler import Pooler
from tests.clusters.sentinels import WatchedValkey
from tests.clusters.standby import Standby
from tests.flows.site import Site

_NEW_KEY = """
from tenants.api_keys import create_key
from tenants.models import Tenant
print("made", create_key(Tenant.objects.get(slug={slug!r}), "reader", "live", ["*"])[1])
"""


class ClusterSite(Site):
    """Web and workers reach PostgreSQL through PgBouncer, lists come from the standby, and Sentinel says where Valkey
    is."""

    pooler: Pooler
    standby: Standby
    valkey: WatchedValkey
    _own: dict[str, Child]

    def open(self) -> Self:
        self._own = {}
        self.valkey = WatchedValkey(self.root / "watched")
        self.valkey.start()
        self._environ = {"REDIS_URL": self.valkey.url}  # Stack starts a Valkey of its own only without it
        super().open()
        urls, secrets = self._servers.urls, self._secrets
        passwords = {ENGINE: secrets["ENGINE_PASSWORD"], WEB: secrets["WEB_PASSWORD"]}
        self.pooler = Pooler(self.root, free_port(), urls["DATABASE_URL"], passwords)
        self.standby = Standby(self.root, free_port(), self.primary_url)
        for name, program in (("pgbouncer", self.pooler.program()), ("standby", self.standby.program())):
            folder = self.root if name == "pgbouncer" else self.root / "standby"
            self._own[name] = Child(program, folder, say_nothing)
            self._own[name].start()
        return self

    def close(self) -> None:
        super().close()
        for child in getattr(self, "_own", {}).values():
            child.stop()
        if hasattr(self, "valkey"):
            self.valkey.stop()

    @property
    def primary_url(self) -> str:
        """The primary's address for its superuser."""
        port = urlsplit(self._servers.urls["DATABASE_URL"]).port
        return f"postgres://postgres:{self._secrets['POSTGRES_PASSWORD']}@127.0.0.1:{port}/postgres"

    @property
    def settings(self) -> dict[str, str]:
        direct = super().settings
        if not hasattr(self, "pooler") or not hasattr(self, "standby"):
            return direct
        return {
            **direct,
            "DATABASE_POOLER": "transaction",
            "DATABASE_DIRECT_URL": direct["DATABASE_URL"],
            "DATABASE_URL": self.pooler.url(ENGINE),
            "WEB_DATABASE_URL": self.pooler.url(WEB),
            "REPLICA_DATABASE_URL": self.standby.url(direct["WEB_DATABASE_URL"]),
        }

    @property
    def past_the_pooler(self) -> dict[str, str]:
        """Settings of processes that have sessions of their own, and so prepare statements."""
        direct = super().settings
        return {"DATABASE_POOLER": "", **{name: direct[name] for name in ("DATABASE_URL", "WEB_DATABASE_URL")}}

    def engine(self) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection of the role that owns the tables, to the primary itself."""
        return psycopg.connect(self.settings["DATABASE_DIRECT_URL"], autocommit=True)

    def tenant_id(self, slug: str) -> str:
        with self.engine() as engine:
            row = engine.execute("SELECT id FROM tenants_tenant WHERE slug = %s", [slug]).fetchone()
        assert row is not None
        return str(row[0])

    def new_key(self, slug: str) -> str:
        """A live API key of the tenant, which nobody has used."""
        return self._run(_NEW_KEY.format(slug=slug))[0]

    @property
    def env(self) -> dict[str, str]:
        """Without limits of rates: bursts of these tests would meet them on a busy machine."""
        limits = ("REQUESTS", "RECIPIENTS", "INBOX", "ADDRESS")
        return {**super().env, **{f"RATE_LIMIT_{name}": "0" for name in limits}}

    def kill_standby(self) -> None:
        self._own["standby"].kill()

    def start_standby(self) -> None:
        self.standby.drop_dead_pid()
        self._own["standby"] = Child(self._own["standby"].program, self.root / "standby", say_nothing)
        self._own["standby"].start()
