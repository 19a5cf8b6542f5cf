"""listmonk, a newsletter server in Go: a campaign to the same smtp-sink, with a database of its own on the same
PostgreSQL. bench/README.md says how to install it."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import psycopg

from bench.sinks import Sink
from bench.sinks.base import first_line
from bench.tenants import NEWSLETTER
from notifier.local.servers.ports import free_port

TIMEOUT = 180
DATABASE = "bench_listmonk"
#: as in the measurements that its users publish: 20 connections; its default of 10 messages a second is lifted
CONNECTIONS = 20

_SETTING = "UPDATE settings SET value = %s::jsonb WHERE key = %s"
_SUBSCRIBERS = """
INSERT INTO subscribers (uuid, email, name)
SELECT gen_random_uuid(), 'user-' || n || '@bench.example', 'Person ' || n FROM generate_series(1, %s) n
"""
_SUBSCRIBED = """
INSERT INTO subscriber_lists (subscriber_id, list_id, status)
SELECT id, (SELECT min(id) FROM lists), 'confirmed' FROM subscribers
"""
_CAMPAIGN = """
WITH template AS (
  INSERT INTO templates (name, body) VALUES ('plain', '{{ template "content" . }}') RETURNING id
), campaign AS (
  INSERT INTO campaigns (uuid, name, subject, from_email, body, content_type, messenger, template_id, status, to_send,
                         max_subscriber_id)
  SELECT gen_random_uuid(), 'bench', 'News for {{ .Subscriber.Name }}', 'news@bench.example', %(body)s, 'html', 'email',
         template.id, 'draft', %(count)s, (SELECT max(id) FROM subscribers) FROM template RETURNING id
)
INSERT INTO campaign_lists (campaign_id, list_id, list_name) SELECT campaign.id, min(lists.id), 'all'
FROM campaign, lists GROUP BY campaign.id
"""


class ListmonkFailed(Exception):
    """listmonk did not do what it should; the message is its own."""


@dataclass
class Listmonk:
    """One installation of listmonk, for one measurement."""

    program: str
    database_url: str
    sink: Sink

    @property
    def _home(self) -> Path:
        """A binary built from the Go module reads its pages from the folder in which it lies."""
        return Path(self.program).resolve().parent

    def measure(self, messages: int) -> dict[str, Any]:
        self._install(messages)
        before = self.sink.messages() or 0
        count: Callable[[], int] = lambda: (self.sink.messages() or 0) - before  # noqa: E731
        with (self.sink.folder / "listmonk.log").open("ab") as log:
            running = subprocess.Popen([self.program, *self._options()], stdout=log, stderr=log, cwd=self._home)
        try:
            with self._connect(DATABASE) as database:
                # it looks for a campaign every 5 s, so the clock starts with the first mail
                database.execute("UPDATE campaigns SET status = 'running' WHERE name = 'bench'")
            began = _wait(lambda: count() > 0, running)
            cpu = psutil.Process(running.pid).cpu_times()
            ended = _wait(lambda: count() >= messages, running)
            after = psutil.Process(running.pid).cpu_times()
        finally:
            running.kill()
            running.wait()
        cpu_seconds = after.user + after.system - cpu.user - cpu.system
        return {
            "per_s": round(messages / (ended - began), 1),
            "cpu_us": round(cpu_seconds / messages * 1e6, 1),
            "messages": messages,
            "version": first_line(self.program, "--version"),
        }

    def _install(self, messages: int) -> None:
        with self._connect("") as server:
            server.execute(f"DROP DATABASE IF EXISTS {DATABASE}")
            server.execute(f"CREATE DATABASE {DATABASE}")
        done = subprocess.run(
            [self.program, *self._options(), "--install", "--yes"], capture_output=True, text=True, cwd=self._home
        )
        if done.returncode:
            raise ListmonkFailed((done.stdout + done.stderr).strip().splitlines()[-1][:300])
        smtp = {"enabled": True, "host": "127.0.0.1", "port": self.sink.address.port, "auth_protocol": "none"}
        smtp |= {"max_conns": CONNECTIONS, "idle_timeout": "15s", "wait_timeout": "5s", "max_msg_retries": 2}
        smtp |= {"tls_enabled": False, "email_headers": [], "username": "", "password": "", "hello_hostname": ""}
        settings = {"smtp": [smtp], "app.concurrency": CONNECTIONS, "app.message_rate": 100_000}
        settings |= {"app.check_updates": False}
        with self._connect(DATABASE) as database:
            for key, value in settings.items():
                database.execute(_SETTING, [json.dumps(value), key])
            database.execute("DELETE FROM subscribers")
            database.execute(_SUBSCRIBERS, [messages])
            database.execute(_SUBSCRIBED)
            body = NEWSLETTER.replace("{{ recipient.name }}", "{{ .Subscriber.Name }}")
            database.execute(_CAMPAIGN, {"body": body, "count": messages})

    def _connect(self, database: str) -> psycopg.Connection[Any]:
        url = urlsplit(self.database_url)._replace(path=f"/{database}") if database else urlsplit(self.database_url)
        return psycopg.connect(url.geturl(), autocommit=True)

    def _options(self) -> list[str]:
        url = urlsplit(self.database_url)
        address = [f'host = "{url.hostname}"', f"port = {url.port}", f'user = "{url.username}"']
        pool = ["max_open = 25", "max_idle = 25", 'max_lifetime = "300s"', 'ssl_mode = "disable"']
        app = ["[app]", f'address = "127.0.0.1:{free_port()}"', 'admin_username = ""', 'admin_password = ""']
        lines = [*app, "[db]", *address, f'password = "{url.password}"', f'database = "{DATABASE}"', *pool]
        config = self.sink.folder / "listmonk.toml"
        config.touch(mode=0o600)
        config.write_text("\n".join(lines) + "\n")
        return ["--config", str(config)]


def find() -> str | None:
    return shutil.which("listmonk")


def _wait(reached: Callable[[], bool], running: subprocess.Popen[bytes]) -> float:
    """The time at which `reached` holds. Raises ListmonkFailed."""
    until = time.monotonic() + TIMEOUT
    while not reached():
        if running.poll() is not None or time.monotonic() > until:
            raise ListmonkFailed(f"it ended, or sent less than all in {TIMEOUT} s")
        time.sleep(0.01)
    return time.monotonic()
