"""Other clients that send the same mail to the same smtp-sink, each in its own process: their rate and their cost."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import psycopg

from bench.peers import listmonk
from bench.sinks import Sink
from bench.sinks.base import find_program
from bench.tenants import NEWSLETTER

TIMEOUT = 180
HERE = Path(__file__).parent
#: sessions of smtp-source: as many connections as two worker processes have
SESSIONS = 8


def run(sink: Sink, messages: int, database_url: str, chosen: Collection[str]) -> dict[str, dict[str, Any]]:
    """peer -> {"per_s": mails a second, or None; "cpu_us": of one mail; "reason": why there is no figure}. The faster a
    peer, the more mails it sends."""
    peers: dict[str, Callable[[], dict[str, Any]]] = {
        "smtp-source": lambda: _smtp_source(sink, messages * 10),
        "django": lambda: _django(sink, messages),
        "listmonk": lambda: _listmonk(sink, messages * 10, database_url),
    }
    return {name: measure() for name, measure in peers.items() if name in chosen}


def _smtp_source(sink: Sink, messages: int) -> dict[str, Any]:
    """Postfix' own load generator, in C: it composes nothing, and waits for the answer to each command."""
    program = find_program("smtp-source")
    if program is None:
        return _no_figure("not installed")
    addresses = ["-f", "news@bench.example", "-t", "user@bench.example"]
    size = ["-s", str(SESSIONS), "-m", str(messages), "-l", str(len(NEWSLETTER))]
    return _measure([program, "-d", *size, *addresses, f"127.0.0.1:{sink.address.port}"], messages)


def _django(sink: Sink, messages: int) -> dict[str, Any]:
    """Django's SMTP backend: one connection, one EmailMultiAlternatives a mail."""
    return _measure([sys.executable, str(HERE / "django_mail.py"), str(sink.address.port), str(messages)], messages)


def _listmonk(sink: Sink, messages: int, database_url: str) -> dict[str, Any]:
    program = listmonk.find()
    if program is None:
        return _no_figure("not installed")
    try:
        return listmonk.Listmonk(program, database_url, sink).measure(messages)
    except (listmonk.ListmonkFailed, psycopg.Error) as problem:
        return _no_figure(str(problem).splitlines()[0][:300])


def _measure(command: list[str], messages: int) -> dict[str, Any]:
    before, began = _cpu_seconds(), time.monotonic()
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, cwd=HERE.parent.parent)
    except subprocess.TimeoutExpired:
        return _no_figure(f"{messages} messages took more than {TIMEOUT} s")
    seconds, cpu = time.monotonic() - began, _cpu_seconds() - before
    if done.returncode:
        return _no_figure((done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1][:300])
    if done.stdout.startswith("{"):  # a script knows its own times, without its start
        answer = json.loads(done.stdout)
        seconds, cpu = answer["seconds"], answer["cpu_seconds"]
    return {"per_s": round(messages / seconds, 1), "cpu_us": round(cpu / messages * 1e6, 1), "messages": messages}


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _no_figure(reason: str) -> dict[str, Any]:
    return {"per_s": None, "reason": reason}
