"""What a scrape says: facts of the installation, who may ask, and what it says while a server is away."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from notifier.local.processes.programs import PROJECT
from notifier.local.servers.ports import free_port
from notifier.metrics.scraping import readers
from notifier.metrics.scraping.accounts import read_accounts
from notifier.metrics.scraping.guard import refusal
from notifier.metrics.scraping.ledger import read_ledger
from notifier.metrics.scraping.scrape import BELIEVED_SECONDS, scraper
from notifier.metrics.scraping.servers import read_postgres
from notifier.models import Delivery
from notifier.vocabulary.status import Status
from tests.delivery.build import Shop, a_shop, an_order
from tests.inbox.web import Web

Samples = dict[str, float]


def samples(text: str) -> Samples:
    """`name{label="value"}` -> value, with the labels in the order of their names."""
    return {
        f"{s.name}{{{','.join(f'{k}={v}' for k, v in sorted(s.labels.items()))}}}": s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
    }


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("127.0.0.1", {}, None),
        ("::1", {}, None),
        (None, {}, None),
        ("10.1.2.3", {}, 404),
        ("203.0.113.9", {}, 404),
        ("no address", {}, 404),
        ("127.0.0.1", {b"x-forwarded-for": b"203.0.113.9"}, 404),
        ("127.0.0.1", {b"forwarded": b"for=203.0.113.9"}, 404),
        ("127.0.0.1", {b"x-real-ip": b"203.0.113.9"}, 404),
        ("127.0.0.1", {b"via": b"1.1 proxy"}, 404),
        ("::1", {b"x-forwarded-proto": b"https"}, 404),
        (None, {b"x-forwarded-host": b"notify.example.com"}, 404),
    ],
    ids=[
        "loopback", "loopback v6", "unix socket", "internal", "public", "odd", "x-forwarded-for", "forwarded",
        "x-real-ip", "via", "x-forwarded-proto", "unix socket of a proxy",
    ],
)  # fmt: skip
def test_without_a_token_only_this_machine_may_scrape(
    settings: object, address: str | None, headers: dict[bytes, bytes], status: int | None
) -> None:
    settings.METRICS_TOKEN, settings.DEBUG = "", False  # type: ignore[attr-defined]
    settings.INTERNAL_HOSTS = ["10.0.0.0/8"]  # type: ignore[attr-defined]
    assert refusal(address, headers) == status


@pytest.mark.parametrize(
    ("header", "status"),
    [(b"Bearer s3cret", None), (b"Bearer other", 401), (b"s3cret", 401), (b"", 401)],
    ids=["right", "wrong", "without scheme", "none"],
)
def test_with_a_token_only_the_token_counts(settings: object, header: bytes, status: int | None) -> None:
    settings.METRICS_TOKEN = "s3cret"  # type: ignore[attr-defined]
    assert refusal("127.0.0.1", {b"authorization": header}) == status


@pytest.fixture
def shop(db: None) -> Shop:
    shop = a_shop()
    shop.recipient()
    return shop


def facts() -> Samples:
    metrics = readers.read_database([read_ledger, read_accounts, read_postgres])
    return {
        f"{s.name}{{{','.join(f'{k}={v}' for k, v in sorted(s.labels.items()))}}}": s.value
        for metric in metrics
        for s in metric.samples
    }


def test_the_facts_tell_what_waits(shop: Shop) -> None:
    before = facts()
    assert before["notifier_queue_due_messages{lane=transactional,queue=in_app}"] == 0
    assert before["notifier_partition_months_ahead{table=notifier_delivery}"] == 3
    assert before["notifier_partition_default_bytes{table=notifier_delivery}"] == 0
    shop.accept(an_order())
    after = facts()
    assert after["notifier_queue_due_messages{lane=transactional,queue=in_app}"] >= 1
    assert after["notifier_queue_oldest_due_seconds{lane=transactional,queue=in_app}"] > 0
    Delivery.objects.update(attempt=2)
    assert facts()["notifier_retries_waiting{channel=in_app}"] >= 1
    Delivery.objects.update(status=Status.SENT)
    assert facts()["notifier_queue_due_messages{lane=transactional,queue=in_app}"] == 0


@pytest.fixture
def web(transactional_db: None, tmp_path: Path) -> Iterator[Web]:
    server = Web(METRICS_DIR=str(tmp_path / "metrics"), METRICS_TOKEN="s3cret", app="notifier.asgi:application")
    yield server
    server.stop()


def test_the_web_process_answers_a_scrape(web: Web) -> None:
    url, token = f"{web.origin}/metrics", {"Authorization": "Bearer s3cret"}
    assert httpx.get(url).status_code == 401
    assert httpx.post(url, headers=token).status_code == 405
    assert httpx.get(f"{web.origin}/healthz").status_code == 200
    answer = httpx.get(url, headers=token, timeout=60)
    said = samples(answer.text)
    assert [said[f"notifier_scrape_ok{{source={s}}}"] for s in ("postgresql", "redis", "processes")] == [1, 1, 1]
    assert said["notifier_http_requests_total{route=health,status=200}"] == 1
    assert "notifier_campaigns{state=running}" in said
    assert not [name for name in said if not name.startswith("notifier_")]


def test_web_answers_though_its_folder_cannot_be_used(transactional_db: None, tmp_path: Path) -> None:
    tmp_path.joinpath("file").touch()
    folder = str(tmp_path / "file" / "metrics")
    server = Web(METRICS_DIR=folder, METRICS_TOKEN="s3cret", app="notifier.asgi:application")
    try:
        assert httpx.get(f"{server.origin}/healthz", timeout=60).status_code == 200
        scrape = httpx.get(f"{server.origin}/metrics", headers={"Authorization": "Bearer s3cret"}, timeout=60)
        said = samples(scrape.text)
        assert said["notifier_scrape_ok{source=processes}"] == 0
        assert said["notifier_http_requests_total{route=health,status=200}"] == 1
    finally:
        server.stop()


def test_a_scrape_says_which_server_is_away(db: None, tmp_path: Path) -> None:
    nowhere = f"redis://127.0.0.1:{free_port()}/0"
    env = {**os.environ, "METRICS_DIR": str(tmp_path), "REDIS_URL": nowhere, "METRICS_TOKEN": ""}
    env |= {"DATABASE_URL": f"postgres://nobody@127.0.0.1:{free_port()}/none", "LOG_LEVEL": "WARNING"}
    log = tmp_path / "log"
    with log.open("wb") as errors:
        exporter = subprocess.Popen(
            [sys.executable, "manage.py", "metrics_exporter", "--port", "0"],
            cwd=PROJECT,
            env=env,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
    try:
        assert exporter.stdout is not None
        url = exporter.stdout.readline().decode().strip()
        said = samples(httpx.get(url, timeout=60).text)
        assert [said[f"notifier_scrape_ok{{source={s}}}"] for s in ("postgresql", "redis", "processes")] == [0, 0, 1]
        assert httpx.get(url.replace("/metrics", "/other"), timeout=60).status_code == 404
        # it counts nothing: in a pod it may have the host name and the process id of the worker beside it
        assert list(tmp_path.glob("*.alive")) == []
    finally:
        exporter.terminate()
        assert exporter.wait(60) == 0
    assert "facts not read" in log.read_text()


@pytest.mark.django_db(transaction=True)
def test_ten_scrapers_cost_as_one() -> None:
    reads: list[float] = []

    def count() -> list[Metric]:
        reads.append(time.monotonic())
        return []

    readers.register(count)
    scraper.reset()
    began = time.monotonic()
    for _ in range(10):
        scraper.text()
    seconds = time.monotonic() - began
    assert 1 <= len(reads) <= 1 + seconds / BELIEVED_SECONDS
