"""Open inboxes: what an idle one costs, how fast they connect, how long a message to all takes, and a killed process.

One web process of its own serves them, so that the figures are those of one process. The clients are one process more
(bench.inbox_clients).
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psutil

from bench import campaign
from bench.campaign import Kind, StepFailed
from bench.meter import Meter
from bench.options import Options
from bench.site import BenchSite
from bench.tenants import BenchTenant
from notifier.local.processes import programs
from notifier.local.processes.child import Child
from notifier.local.processes.programs import PROJECT
from notifier.local.servers.ports import free_port

IN_APP = Kind("in_app", "inbox-news")
_TEMPLATE = {
    "category": "promotions",
    "content": {"in_app": {"en": {"title": "News for {{ recipient.name }}", "body": "The owl is watching you."}}},
}
_TOKENS = """
from inbox.tokens import mint
from tenants.models import Recipient
for recipient in Recipient.objects.filter(tenant_id="{tenant}").order_by("pk")[:{count}]:
    print("token", mint(recipient)[0])
"""
#: the parts of the stack that serve sockets besides the web process
SERVERS = ("postgres", "valkey-server", "redis-server")


def measure_sockets(stack: BenchSite, tenant: BenchTenant, options: Options) -> tuple[dict[str, Any], list[str]]:
    """Figures and problems. Each recipient of the tenant gets one socket, so the tenant has 10,000 at most.

    Measures connects (CPU ms each, a second), KB a socket, CPU ms an idle socket and minute, a campaign to about
    5,000 sockets (seconds until the last client, µs of the web process each), and a storm: the web process is
    killed, and all clients come back while a second campaign leaves. A gap, a double or a missing message is a
    problem. Takes 4 minutes; in the short form 20 s with 100 sockets. Raises StepFailed."""
    count = tenant.size
    tenant.api.put(f"/v1/templates/{IN_APP.template}", _TEMPLATE)
    web = _Web(stack)
    web.start()
    try:
        with _clients(web.port, _mint(stack, tenant, count)) as clients:
            bench = _SocketBench(stack, tenant, web, clients, count)
            bench.run(idle_seconds=5 if options.short else 60)
            return bench.figures, bench.problems
    finally:
        web.child.stop()


class _Web:
    """One web process beside those of the stack."""

    def __init__(self, stack: BenchSite) -> None:
        # below the ports of outgoing connections: clients that reconnect to a killed process would take its port
        self.port = free_port(18_400)
        self._stack = stack

    def start(self) -> None:
        """Start it, or a new process after `child.kill`."""
        env = {**self._stack.env, "WEB_CONCURRENCY": "1", "WEB_MAX_CONNECTIONS": "12000"}
        self.child = Child(programs.web(env, self.port), self._stack.root / "sockets", self._stack.say)
        self.child.start()

    @property
    def kb(self) -> float:
        return float(psutil.Process(self.child.pid).memory_full_info().pss) / 1024


class _SocketBench:
    def __init__(self, stack: BenchSite, tenant: BenchTenant, web: _Web, clients: _Clients, count: int) -> None:
        self.stack, self.tenant, self.web, self.clients, self.count = stack, tenant, web, clients, count
        self.figures: dict[str, Any] = {"sockets": count}
        self.problems: list[str] = []
        self.baseline: dict[str, float] = {}

    def run(self, idle_seconds: int) -> None:
        self._baseline(idle_seconds // 2)
        self._connect()
        self._idle(idle_seconds)
        self._message_to_all()
        self._storm()

    def _meter(self) -> Meter:
        pids = {name: pids for name, pids in self.stack.pids_by_part.items() if name in SERVERS}
        return Meter({**pids, "web": [self.web.child.pid or 0]})

    def _baseline(self, seconds: int) -> None:
        """What PostgreSQL and the web process do without a socket."""
        with self._meter() as meter:
            time.sleep(seconds)
        self.baseline = {name: spent / seconds for name, spent in meter.cpu_by_part.items()}

    def _connect(self) -> None:
        before = self.web.kb
        with self._meter() as meter:
            began = time.time()
            # 600 a second are offered, more than are expected
            self.clients.do("open", seconds=self.count / 600)
            report = self._wait_ready(300)
        seconds = report["last_ready"] - began
        self.figures |= {
            "connects_per_s": round(self.count / seconds),
            "connect_refused": report["refused"],
            "connect_ms": _per(meter.cpu_by_part, self.count, 1e3),
            "kb_a_socket": round((self.web.kb - before) / self.count, 1),
        }

    def _idle(self, seconds: int) -> None:
        with self._meter() as meter:
            time.sleep(seconds)
        spent = meter.cpu_by_part
        of_sockets = {name: max(0.0, spent[name] - self.baseline[name] * seconds) for name in spent}
        self.figures["idle_ms_a_minute"] = _per(of_sockets, self.count * seconds / 60, 1e3)
        self.figures["idle_core"] = round(of_sockets["web"] / seconds, 3)

    def _message_to_all(self) -> None:
        armed = campaign.arm(self.stack, self._tenant_of_5_000(), "inbox news", IN_APP)
        with self._meter() as meter:
            began = time.time()
            sent = campaign.send(self.stack, armed, lambda: None)
            report = self._wait_messages(sent.sent, "message to all")
        self.figures |= {
            "to_all_sockets": sent.sent,
            "to_all_seconds": round(report["last_message"] - began, 2),
            "to_all_stored_seconds": round(sent.seconds, 2),
            "to_all_us": {"web": round(meter.cpu_by_part["web"] * 1e6 / sent.sent, 1)},
        }

    def _tenant_of_5_000(self) -> BenchTenant:
        """The tenant with an audience of about 5,000 recipients, as the target names: of 10,000 all whose number begins
        with 1 to 5, which are 5,555. All recipients of a smaller tenant."""
        if self.count <= 5_000:
            return self.tenant
        prefixes = [{"field": "external_id", "op": "prefix", "value": f"user-{digit}"} for digit in range(1, 6)]
        audience = {"name": "half", "source": "segment", "filter": [{"any": prefixes}]}
        return replace(self.tenant, audience=self.tenant.api.post("/v1/audiences", audience)["id"])

    def _storm(self) -> None:
        """kill -9, a new process, and a campaign while the clients come back."""
        armed = campaign.arm(self.stack, self.tenant, "inbox storm", IN_APP)
        self.clients.do("forget_ready")
        self.web.child.kill()
        killed = time.time()
        # the first clients are back before the process answers /healthz: the start is not waited for
        starting = threading.Thread(target=self.web.start)
        starting.start()
        sent = campaign.send(self.stack, armed, lambda: None)
        back = self._wait_ready(180)
        report = self._wait_messages(self.figures.get("to_all_sockets", 0) + sent.sent, "storm")
        starting.join()
        self.figures["storm"] = {
            "back_seconds": round(back["last_ready"] - killed, 1),
            "first_back_seconds": round(back["first_ready"] - killed, 1),
            "refused": report["refused"] - self.figures["connect_refused"],
            "lost_connections": report["lost"],
        }

    def _wait_ready(self, timeout: float) -> dict[str, Any]:
        report = self.clients.do("wait_ready", timeout=timeout)
        if report["ready"] < self.count:
            raise StepFailed(f"{report['ready']} of {self.count} sockets are open after {timeout:.0f} s: {report}")
        return report

    def _wait_messages(self, count: int, part: str) -> dict[str, Any]:
        """Wait until the clients have so many messages in all. What is lost, or comes twice, is a problem."""
        report = self.clients.do("wait_messages", count=count, timeout=120)
        wrong = {"lost": count - report["messages"], "gaps": report["gaps"], "doubles": report["doubles"]}
        for name, number in wrong.items():
            if number:
                self.problems.append(f"sockets, {part}: {name} {number}")
        return report


class _Clients:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def send(self, line: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()

    def do(self, command: str, **values: Any) -> dict[str, Any]:
        self.send({"do": command, **values})
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise StepFailed("the clients of the inbox ended")
        report: dict[str, Any] = json.loads(line)
        return report


@contextmanager
def _clients(port: int, tokens: list[str]) -> Iterator[_Clients]:
    command = [sys.executable, "-m", "bench.inbox_clients"]
    with subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        clients = _Clients(process)
        clients.send({"host": "127.0.0.1", "port": port, "tokens": tokens})
        try:
            yield clients
        finally:
            process.kill()


def _mint(stack: BenchSite, tenant: BenchTenant, count: int) -> list[str]:
    done = stack.manage("shell", "-c", _TOKENS.format(tenant=tenant.tenant_id, count=count))
    tokens = [line[6:] for line in done.stdout.splitlines() if line.startswith("token ")]
    if len(tokens) != count:
        raise StepFailed(f"no tokens were made:\n{done.stdout[-500:]}{done.stderr[-500:]}")
    return tokens


def _per(cpu_by_part: Mapping[str, float], divisor: float, scale: float) -> dict[str, float]:
    """CPU of each part."""
    return {name: round(seconds * scale / divisor, 3) for name, seconds in cpu_by_part.items()}
