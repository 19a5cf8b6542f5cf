"""The whole product as processes, with the fault proxy between its workers and the sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Self

from notifier.local.console import Say
from notifier.local.servers.ports import free_ports
from notifier.local.stack import SANDBOX_PORTS
from tests.chaos.stack import pids
from tests.chaos.stack.proxy import Proxy
from tests.flows.site import Site

CLOCK = Path(__file__).parent / "clock"
#: A lease must exceed the provider timeout. Longer than that of the flows: on a loaded machine a worker that is merely
#: slow must not lose a lease, because what it had begun would be repeated
SETTINGS = {"LEASE_SECONDS": "8", "PROVIDER_TIMEOUT_SECONDS": "5", "BATCH_PROCESSES": "2"}
SETTINGS |= {"WEB_MAX_CONNECTIONS_PER_ADDRESS": "3000"}
LEASE_SECONDS = float(SETTINGS["LEASE_SECONDS"])
_KILLED = ": did not stop within"
SERVERS = ("postgres", "valkey")


class ChaosSite(Site):
    """A Site whose workers reach the sandbox through `proxy` only. `messages`: what the supervisor says."""

    def __init__(self, root: Path, say: Say, shard_size: int) -> None:
        self._own_settings = {**SETTINGS, "SHARD_SIZE": str(shard_size)}
        self.messages: list[str] = []
        #: programs that a thread waits for and starts again: two starts of one program would end each other
        self.watched: set[str] = set()

        def hear(process: str, text: str) -> None:
            self.messages.append(f"{process}: {text}")
            say(process, text)

        super().__init__(root, test=True, environ={}, say=hear)
        self._proxy_port = free_ports(SANDBOX_PORTS)
        self.proxy = Proxy({self._proxy_port + n: partial(self._sandbox_port, n) for n in range(SANDBOX_PORTS)})

    def open(self) -> Self:
        self.proxy.start()
        return super().open()

    def close(self) -> None:
        super().close()
        self.proxy.close()

    def _sandbox_port(self, offset: int) -> int:
        return self._ports["sandbox"] + offset

    @property
    def env(self) -> dict[str, str]:
        return {**super().env, **self._own_settings, "SANDBOX_URL": f"https://127.0.0.1:{self._proxy_port}"}

    @property
    def workers(self) -> list[str]:
        return [worker for queue in self.queues for worker in queue.workers]

    @property
    def programs(self) -> list[str]:
        """Everything but the servers and the sandbox, which is the receiver."""
        return ["web", "beat", *self.workers]

    def start_everything(self) -> None:
        """Start what does not run, servers first."""
        self.start(*SERVERS)
        self.start(*(name for name in self.programs if name not in self.watched))

    def shift_clock(self, name: str, seconds: float) -> None:
        """Start one stopped program with a clock that is wrong."""
        self.start_varied(name, {"PYTHONPATH": str(CLOCK), "CHAOS_CLOCK_SECONDS": str(seconds)})

    def start_failing(self, name: str, environ: Mapping[str, str]) -> None:
        self.start_varied(name, environ)

    def freeze(self, name: str) -> list[int]:
        """Stop the processes without ending them; returns them."""
        frozen = self.pids(name)
        pids.freeze(frozen)
        return frozen

    def take_killed_after_grace(self, name: str) -> bool:
        """Whether a stop of this program ended by kill -9, because it took longer than its grace period; forgets it."""
        kind, _, rest = name.partition(":")
        killed = [line for line in self.messages if line.startswith(f"{kind}:{rest}") and _KILLED in line]
        for line in killed:
            self.messages.remove(line)
        return bool(killed)
