"""The whole of Notifier on one machine: servers, sandbox, web, workers of every queue, beat, Flower.

    with Stack(Path(".local")) as stack:     # servers are up, nothing else
        stack.migrate()
        stack.start("sandbox", "web", "worker:push", "beat")
        stack.kill("worker:push")            # kill -9; stays down until started

`worker:<queue>` means all nodes of that queue, `worker:<queue>:<n>` one node, `beat:<n>` one more beat. A process that
crashes is restarted with back-off. `make demo`, `make up`, the flow tests and `make chaos` use this class.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from notifier.local import secret_file
from notifier.local.console import Say, say
from notifier.local.processes import programs, records
from notifier.local.processes.child import Child, Process, ProcessFailed, Program
from notifier.local.processes.fork_server import Order
from notifier.local.processes.forking import ForkServers
from notifier.local.processes.programs import PROJECT, Queue
from notifier.local.processes.run_parallel import run_parallel
from notifier.local.processes.watchdog import Watchdog
from notifier.local.servers import sources
from notifier.local.servers.ports import are_free, free_port
from notifier.local.servers.start import Servers

PREFERRED_PORTS = {"web": 8000, "flower": 5555}
SANDBOX_PORT, SANDBOX_PORTS = 8443, 3


class Stack:
    """One stack per folder. `environ` may name existing servers (DATABASE_URL with WEB_DATABASE_URL, REDIS_URL). `test`
    starts servers without durability, on any free ports."""

    def __init__(
        self, root: Path, *, test: bool = False, environ: Mapping[str, str] = os.environ, say: Say = say
    ) -> None:
        self.root = root.resolve()
        self.test = test
        self.say = say
        self._environ = environ
        #: program, or `worker:<queue>` for all of its nodes -> variables that it gets at its next start
        self.own_env: dict[str, Mapping[str, str]] = {}
        self._watchdog: Watchdog | None = None
        self._children: dict[str, Child] = {}
        self._fork_servers = ForkServers(PROJECT, self.root / "logs" / "fork-server.log", programs.PRELOAD)
        self._closed = False
        self._lock = threading.Lock()

    # ---- start and end -------------------------------------------------------------------------------------------

    def open(self) -> Self:
        """Lock the folder, end processes that a killed run left, start the servers, write `env`."""
        self._watchdog = Watchdog(self.root)
        if orphans := records.sweep(self.root):
            self.say("stack", f"ended {orphans} processes that an earlier run had left")
        self.root.joinpath("sandbox", "address.json").unlink(missing_ok=True)
        self._secrets = secret_file.load_or_create(self.root / "secrets")
        self._ports = {name: free_port(0 if self.test else port) for name, port in PREFERRED_PORTS.items()}
        # the sandbox also listens on the two ports after its own; with 0 it looks for three that are free
        self._ports["sandbox"] = 0 if self.test or not are_free(SANDBOX_PORT, SANDBOX_PORTS) else SANDBOX_PORT
        self._servers = Servers(self.root, self._secrets, self._environ, self.test, self.say)
        self._servers.start()
        self.say("servers", f"ready; logs in {self.root / 'logs'}")
        self._write_env()
        return self

    def close(self) -> None:
        """Stop everything, servers last."""
        with self._lock:
            self._closed = True
            children = list(self._children.values())
        for stop_order in (2, 1):
            run_parallel([child.stop for child in children if child.program.stop_order == stop_order])
        self._fork_servers.close()
        if hasattr(self, "_servers"):
            self._servers.stop()
        for stale in ("env", "sandbox/address.json"):
            self.root.joinpath(stale).unlink(missing_ok=True)
        if self._watchdog is not None:
            self._watchdog.release()

    def __enter__(self) -> Self:
        try:
            return self.open()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ---- what tests and commands use -----------------------------------------------------------------------------

    def up(self) -> None:
        """Start everything, in parallel where possible."""
        run_parallel([self.migrate, lambda: self.start("sandbox"), lambda: self.queues])
        workers = [f"worker:{queue.name}" for queue in self.queues]
        self.start("web", *workers, "beat", "flower")

    def migrate(self) -> None:
        """Migrate the database, unless the stack's own database was migrated by exactly this source tree."""
        stamp, digest = self.root / "migrated", sources.sources_digest(PROJECT)
        if self._servers.own_database and stamp.exists() and stamp.read_text() == digest:
            return
        done = self.manage("migrate", "--verbosity", "0")
        if done.returncode:
            raise ProcessFailed(f"migrate failed:\n{done.stdout}{done.stderr}")
        stamp.write_text(digest)
        self.say("migrate", "done")

    def start(self, *names: str) -> None:
        """Start the named programs that do not run yet, and wait until all are ready. Raises ProcessFailed."""
        stopped = [node for name in names for node in self._expand(name) if self.pid(node) is None]
        run_parallel([partial(self._start_one, name) for name in stopped])

    def start_varied(self, name: str, environ: Mapping[str, str], *arguments: str) -> None:
        """Start one stopped program with more variables and arguments, until it is stopped. The program is no fork: the
        fork server has one environment."""
        program = self._build(name)
        varied = replace(program, env={**program.env, **environ}, argv=(*program.argv, *arguments))
        self._adopt(Child(varied, self.root, self.say)).start()

    def stop(self, name: str) -> None:
        run_parallel([child.stop for child in self._named(name)])

    def kill(self, name: str) -> None:
        """kill -9 the process and its children. The process stays down until it is started."""
        run_parallel([child.kill for child in self._named(name)])

    def restart(self, name: str) -> None:
        """Stop and start. A server keeps its port and data."""
        self.stop(name)
        self.start(name)

    def pid(self, name: str) -> int | None:
        child = self._all().get(name)
        return child.pid if child is not None else None

    def pids(self, name: str) -> list[int]:
        """The process ids of all running nodes of this name."""
        return [pid for child in self._named(name) if (pid := child.pid) is not None]

    def crashes(self, name: str) -> int:
        """How often one process ended by itself and was restarted since it was started."""
        return self._all()[name].restarts

    def log(self, name: str) -> Path:
        return self._all()[name].log

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `manage.py` to its end, as the engine role."""
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(command, cwd=PROJECT, env=self.env, capture_output=True, text=True)

    def foreground(self, *arguments: str) -> int:
        """Run `manage.py` on this terminal. It ends at the latest with this process, however this process ends."""
        return self._adopt(Child(programs.manage(self.env, *arguments), self.root, self.say)).run()

    @cached_property
    def queues(self) -> list[Queue]:
        command = self.manage("queues")
        queues = programs.parse_queues(command.stdout)
        if command.returncode or not queues:
            raise ProcessFailed(f"manage.py queues failed:\n{command.stdout}{command.stderr}")
        return queues

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._ports['web']}"

    @property
    def flower_url(self) -> str:
        return f"http://127.0.0.1:{self._ports['flower']}"

    @property
    def sandbox_url(self) -> str:
        return self._sandbox()["SANDBOX_URL"]

    @property
    def outbox_url(self) -> str:
        """The page on which a person reads what arrived at the sandbox."""
        return str(self._sandbox_address().get("outbox", ""))

    @property
    def settings(self) -> dict[str, str]:
        """The content of `env`: all addresses, and the secrets that the site needs."""
        return {
            **self._servers.urls,
            **self._sandbox(),
            "SITE_URL": self.url,
            "METRICS_DIR": str(self.root / "metrics"),
            "FLOWER_URL": self.flower_url,
            "FLOWER_BASIC_AUTH": f"admin:{self._secrets['FLOWER_PASSWORD']}",
            "SECRET_KEY": self._secrets["SECRET_KEY"],
            "ENCRYPTION_KEYS": self._secrets["ENCRYPTION_KEYS"],
        }

    @property
    def env(self) -> dict[str, str]:
        """The environment for commands that use this stack."""
        return {**os.environ, **self.settings}

    # ---- helpers ----------------------------------------------------------------------------------------------------

    def _start_one(self, name: str) -> None:
        if name in self._servers.children:
            self._servers.restart(name)
        else:
            program = self._build(name)
            fork = self._fork if programs.is_forked(program) else None
            self._adopt(Child(program, self.root, self.say, fork)).start()
        if name == "sandbox":
            self._ports["sandbox"] = urlsplit(self.sandbox_url).port or 0  # a restart keeps the port
            self._write_env()
        self.say(name, self._ready_line(name))

    def _fork(self, program: Program, log: Path) -> Process:
        arguments, env = program.argv[2:], dict(program.env)
        try:
            return self._fork_servers.fork(
                Order(program.name, arguments, env, str(log), str(program.cwd), program.nice)
            )
        except ChildProcessError as problem:
            raise ProcessFailed(str(problem)) from None

    def _adopt(self, child: Child) -> Child:
        """Make close() stop this child."""
        with self._lock:
            if self._closed:
                raise ProcessFailed("the stack is closed")
            self._children[child.program.name] = child
        return child

    def _build(self, name: str) -> Program:
        kind, _, rest = name.partition(":")
        env = self._env_of(name)
        match kind:
            case "web":
                return programs.web(env, self._ports["web"])
            case "sandbox":
                return programs.sandbox(env, self._ports["sandbox"], self.root / "sandbox")
            case "beat":
                return programs.beat(env, name)
            case "flower":
                return programs.flower(env, self._ports["flower"])
            case "worker":
                queue, _, number = rest.rpartition(":")
                return programs.worker(env, self._queue(queue), int(number))
        raise KeyError(f"no program {name!r}")

    def _env_of(self, name: str) -> dict[str, str]:
        own = [env for key, env in self.own_env.items() if name == key or name.startswith(f"{key}:")]
        return dict(ChainMap(*map(dict, own), self.env))

    def _queue(self, name: str) -> Queue:
        for queue in self.queues:
            if queue.name == name:
                return queue
        raise KeyError(f"no queue {name!r}; there are {', '.join(queue.name for queue in self.queues)}")

    def _expand(self, name: str) -> list[str]:
        """The nodes of `worker:push`; any other name stands for itself."""
        kind, _, rest = name.partition(":")
        if kind != "worker" or rest.rpartition(":")[2].isdigit():
            return [name]
        return self._queue(rest).workers

    def _all(self) -> dict[str, Child]:
        return {**self._servers.children, **self._children}

    def _named(self, name: str) -> list[Child]:
        known = self._all()
        return [known[node] for node in self._expand(name) if node in known]

    def _sandbox(self) -> dict[str, str]:
        """The sandbox's address, as HTTP server and as mail server, once the sandbox has written it."""
        address = self._sandbox_address()
        return {"SANDBOX_URL": address["url"], "SANDBOX_CA": address["ca"], **self._mail(address)} if address else {}

    def _mail(self, address: Mapping[str, str]) -> dict[str, str]:
        """The sandbox is also the mail server of the installation, unless the environment names another one."""
        if self._environ.get("EMAIL_URL"):
            return {}
        sandbox = urlsplit(address["url"])
        # SMTP is on the port after that of HTTP (notifier/sandbox/services/smtp.py); any user may log in
        server = f"smtp+tls://notifier:sandbox@{sandbox.hostname}:{(sandbox.port or 0) + 1}"
        return {"EMAIL_URL": server, "EMAIL_CA": address["ca"]}

    def _sandbox_address(self) -> dict[str, str]:
        """What the sandbox wrote when it began to listen; empty before."""
        try:
            address: dict[str, str] = json.loads(self.root.joinpath("sandbox", "address.json").read_text())
        except OSError:
            return {}
        return address

    def _ready_line(self, name: str) -> str:
        urls = {"web": self.url, "flower": self.flower_url, "sandbox": self._sandbox().get("SANDBOX_URL", "")}
        return f"ready {urls.get(name, '')}".rstrip()

    def _write_env(self) -> None:
        secret_file.write(self.root / "env", self.settings)
