"""Two Valkeys and three sentinels, which make the second Valkey the primary when the first one is away."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import redis

from notifier.local.console import say_nothing
from notifier.local.processes.child import Child, Program
from notifier.local.processes.ready import answers_tcp
from notifier.local.processes.run_parallel import run_parallel
from notifier.local.servers.binaries import valkey_server
from notifier.local.servers.ports import free_port
from tests.flows.wait import until

MASTER = "notifier"
#: of the Valkeys, and of the sentinels
PASSWORD, SENTINEL_PASSWORD = "valkey-of-the-tests", "sentinels-of-the-tests"
_SENTINEL = """
bind 127.0.0.1
port {port}
dir "{folder}"
requirepass {sentinel_password}
sentinel sentinel-pass {sentinel_password}
sentinel monitor {master} 127.0.0.1 {primary} 2
sentinel auth-pass {master} {password}
sentinel down-after-milliseconds {master} 3000
sentinel failover-timeout {master} 10000
"""


@dataclass
class WatchedValkey:
    folder: Path
    valkeys: dict[int, Child] = field(default_factory=dict)
    sentinels: dict[int, Child] = field(default_factory=dict)

    def start(self) -> None:
        first, second = free_port(), free_port()
        for port, primary in ((first, None), (second, first)):
            self.valkeys[port] = self._child(_valkey(self.folder / f"valkey-{port}", port, primary))
            self.valkeys[port].start()
        until(lambda: self._replicas_of(first) == 1, "the second Valkey to follow the first")
        for _ in range(3):
            port = free_port()
            self.sentinels[port] = self._child(_sentinel(self.folder / f"sentinel-{port}", port, first))
        run_parallel([child.start for child in self.sentinels.values()])
        until(lambda: all(map(self._knows_all, self.sentinels)), "the sentinels to know each other")

    def stop(self) -> None:
        run_parallel([child.stop for child in (*self.sentinels.values(), *self.valkeys.values())])

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.sentinels)
        return f"redis+sentinel://:{PASSWORD}@{hosts}/{MASTER}/0?sentinel_password={SENTINEL_PASSWORD}"

    def primary(self) -> int:
        """The port of the primary, as the sentinels say."""
        port = next(iter(self.sentinels))
        with redis.Redis(port=port, password=SENTINEL_PASSWORD, decode_responses=True) as client:
            return int(client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER)[1])

    def kill_primary(self) -> int:
        """kill -9; returns the port that it had."""
        port = self.primary()
        self.valkeys[port].kill()
        return port

    def bring_back(self, port: int) -> None:
        """Start a killed Valkey again; the sentinels make it a replica."""
        self.valkeys[port] = self._child(self.valkeys[port].program)
        self.valkeys[port].start()
        until(lambda: self._replicas_of(self.primary()) == 1, "the Valkey that was away to follow the new primary")

    def _child(self, program: Program) -> Child:
        return Child(program, self.folder, say_nothing)

    def _replicas_of(self, port: int) -> int:
        with redis.Redis(port=port, password=PASSWORD) as client:
            info = client.info("replication")
        return sum(f"slave{n}" in info and info[f"slave{n}"]["state"] == "online" for n in range(4))

    def _knows_all(self, port: int) -> bool:
        with redis.Redis(port=port, password=SENTINEL_PASSWORD) as client:
            state = client.sentinel_master(MASTER)
        return bool(state["num-other-sentinels"] == 2 and state["num-slaves"] == 1)


def _valkey(folder: Path, port: int, primary: int | None) -> Program:
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        "bind 127.0.0.1",
        f"port {port}",
        f'dir "{folder}"',
        f"requirepass {PASSWORD}",
        f"masterauth {PASSWORD}",
        'save ""',
        "repl-diskless-sync-delay 0",
        "maxmemory-policy noeviction",
        *([f"replicaof 127.0.0.1 {primary}"] if primary else []),
    ]
    # the sentinels make the server rewrite its file
    return _program(folder, port, "\n".join(lines), PASSWORD)


def _sentinel(folder: Path, port: int, primary: int) -> Program:
    folder.mkdir(parents=True, exist_ok=True)
    values = {"sentinel_password": SENTINEL_PASSWORD, "password": PASSWORD, "master": MASTER, "primary": primary}
    return _program(folder, port, _SENTINEL.format(port=port, folder=folder, **values), SENTINEL_PASSWORD, "--sentinel")


def _program(folder: Path, port: int, config: str, password: str, *options: str) -> Program:
    path = folder / "server.conf"
    path.write_text(config + "\n")
    return Program(
        name=folder.name,
        argv=(str(valkey_server()), str(path), *options),
        env=os.environ,
        cwd=folder,
        ready=answers_tcp(port, f"AUTH {password}\r\nPING\r\n".encode(), b"+PONG\r\n"),
        stop_order=0,
    )
