"""The programs of a stack besides the servers: the command line, the readiness check and the stop order of each."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from notifier.local.processes.child import Program
from notifier.local.processes.ready import Ready, answers_http, at_once, log_says, wrote_json

PROJECT = Path(__file__).resolve().parents[3]
CELERY = (sys.executable, "-m", "celery", "-A", "notifier.celery")
#: what the fork server imports
PRELOAD = "notifier.preload"


@dataclass(frozen=True)
class Queue:
    """One line of `manage.py queues`: a queue needs `nodes` worker nodes with `concurrency` processes each."""

    name: str
    concurrency: int
    nodes: int

    @property
    def workers(self) -> list[str]:
        return [f"worker:{self.name}:{number}" for number in range(1, self.nodes + 1)]


def parse_queues(text: str) -> list[Queue]:
    """Read lines of `name concurrency nodes`; other lines, such as warnings, are skipped."""
    rows = [line.split() for line in text.splitlines()]
    return [
        Queue(row[0], int(row[1]), int(row[2]))
        for row in rows
        if len(row) == 3 and row[1].isdigit() and row[2].isdigit()
    ]


def web(env: Mapping[str, str], port: int) -> Program:
    argv = (sys.executable, "-m", "notifier.web", "--port", str(port), "--grace", "5")
    return _program("web", argv, env, answers_http(port, "/healthz"))


def sandbox(env: Mapping[str, str], port: int, folder: Path) -> Program:
    argv = (sys.executable, "-m", "notifier.sandbox", "--port", str(port), "--dir", str(folder))
    return _program("sandbox", argv, env, wrote_json(folder / "address.json"), stop_order=1)


def worker(env: Mapping[str, str], queue: Queue, number: int) -> Program:
    name = f"worker:{queue.name}:{number}"
    argv: tuple[str, ...] = (
        *CELERY,
        "worker",
        "-Q",
        queue.name,
        "-n",
        f"{queue.name}-{number}@%h",
        "--loglevel",
        "INFO",
    )
    argv += ("--pool", "custom", "--concurrency", str(queue.concurrency))
    # mingle and gossip ask the other nodes for their state: a second at each start, and the answer is not used
    argv += ("--without-mingle", "--without-gossip")
    # arming and accounting leave the cores to the senders
    return _celery(name, argv, env, log_says(r"\bready\b"), nice=10 if queue.name == "batch" else 0)


def beat(env: Mapping[str, str], name: str = "beat") -> Program:
    argv = (*CELERY, "beat", "--scheduler", "django_celery_beat.schedulers:DatabaseScheduler", "--loglevel", "INFO")
    return _celery(name, argv, env, log_says(r"beat: Starting|DatabaseScheduler"))


def flower(env: Mapping[str, str], port: int) -> Program:
    """Flower reads its login from FLOWER_BASIC_AUTH, because every user of the machine can read argv."""
    argv = (*CELERY, "flower", "--address=127.0.0.1", f"--port={port}")
    return _celery("flower", argv, env, answers_http(port, "/"))


def is_forked(program: Program) -> bool:
    """Whether the fork server starts the program: those of Celery, which have one environment."""
    return program.argv[: len(CELERY)] == CELERY


def manage(env: Mapping[str, str], *arguments: str) -> Program:
    """A management command as a supervised program; the demo is one."""
    return _program(arguments[0], (sys.executable, "manage.py", *arguments), env, at_once)


def _program(name: str, argv: tuple[str, ...], env: Mapping[str, str], ready: Ready, *, stop_order: int = 2) -> Program:
    # unbuffered: the last lines of a killed process matter most. With two arenas instead of eight for each core, the
    # threads of an idle stack keep 34 MB less
    env = {"MALLOC_ARENA_MAX": "2", **env, "PYTHONUNBUFFERED": "1"}
    return Program(name=name, argv=argv, env=env, cwd=PROJECT, ready=ready, stop_order=stop_order)


def _celery(name: str, argv: tuple[str, ...], env: Mapping[str, str], ready: Ready, *, nice: int = 0) -> Program:
    # Celery logs "ready" at level INFO; with DEBUG, Django would keep the text of every SQL statement with its arrays.
    # Django's checks ran before the fork: they touch so many pages that each process had 9 MB more of its own
    celery_env = {"LOG_LEVEL": "INFO", "DEBUG": "0", "CELERY_SKIP_CHECKS": "1"}
    celery_env["CELERY_CUSTOM_WORKER_POOL"] = "notifier.celery_pool:ThreadPool"
    # a mail server and a receiver of webhooks on this machine may be used, as with DEBUG
    debug_default = {"INTERNAL_HOSTS": "0.0.0.0/0,::/0", "WEBHOOK_HTTP": "1"}
    return replace(_program(name, argv, {**debug_default, **env, **celery_env}, ready), nice=nice)
