"""docker-compose.yml runs what `make demo` runs: every queue has a worker, and no secret has a default."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from notifier.channels.queues import BATCH, CONTROL, RECEIPTS, WEBHOOKS, channel_and_lanes, queues
from notifier.local.processes.programs import PROJECT, parse_queues

COMPOSE: dict[str, Any] = yaml.safe_load(PROJECT.joinpath("docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def queues_of(service: dict[str, Any]) -> set[str]:
    match = re.search(r" worker -Q (\S+)", str(service.get("command", "")))
    return set(match[1].split(",")) if match else set()


def shipped_queues() -> list[str]:
    """`control`, `batch`, `receipts`, `webhooks`, and both queues of each channel that the README names."""
    table = PROJECT.joinpath("README.md").read_text().split("\n## Channels and providers\n")[1].split("\n## ")[0]
    shipped = {CONTROL, BATCH, RECEIPTS, WEBHOOKS, *re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)}
    return [queue for queue in queues() if channel_and_lanes(queue)[0] in shipped]


@pytest.mark.parametrize("queue", shipped_queues())
def test_every_queue_has_one_worker_service_of_its_own(queue: str) -> None:
    assert [name for name, service in SERVICES.items() if queue in queues_of(service)] == [
        "worker-" + re.sub(r"[._]", "-", queue)
    ]


def test_every_worker_service_has_a_queue_that_ships() -> None:
    assert {queue for service in SERVICES.values() for queue in queues_of(service)} == set(shipped_queues())
    assert {"push", "push.bulk", "in_app", "in_app.bulk"} <= set(shipped_queues())


def test_the_queues_command_names_every_queue() -> None:
    command = subprocess.run([sys.executable, "manage.py", "queues"], cwd=PROJECT, capture_output=True, text=True)
    assert {queue.name for queue in parse_queues(command.stdout)} == set(queues())


def test_every_secret_must_be_given() -> None:
    text = PROJECT.joinpath("docker-compose.yml").read_text()
    secrets = re.findall(r"\$\{(\w*(?:PASSWORD|SECRET|KEYS?)\w*)([^}]*)\}", text)
    assert len(secrets) >= 7
    assert {name for name, rule in secrets if not rule.startswith(":?")} == set()


def test_make_env_writes_every_variable_that_compose_needs_and_overwrites_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "deploy"
    folder.mkdir()
    script = folder / "make-env"
    script.write_bytes(PROJECT.joinpath("deploy", "make-env").read_bytes())
    subprocess.run(["sh", str(script), "https://notifier.example:8443/x"], check=True, capture_output=True)
    env = tmp_path / ".env"
    written = dict(line.split("=", 1) for line in env.read_text().splitlines() if not line.startswith("#"))
    required = set(re.findall(r"\$\{(\w+):\?", PROJECT.joinpath("docker-compose.yml").read_text()))
    assert required <= set(written)
    assert (written["SITE_URL"], written["ALLOWED_HOSTS"]) == ("https://notifier.example:8443", "notifier.example")
    assert env.stat().st_mode & 0o777 == 0o600
    assert subprocess.run(["sh", str(script)], capture_output=True).returncode == 1


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "migrate"])
def test_every_lasting_service_has_a_health_check(name: str) -> None:
    assert "healthcheck" in SERVICES[name]


def test_web_does_not_know_how_to_become_the_engine() -> None:
    environment = SERVICES["web"]["environment"]
    assert environment["DATABASE_URL"] == ""
    assert "ENGINE_PASSWORD" not in str(environment)
