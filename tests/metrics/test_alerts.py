"""Alerts and dashboards name metrics that exist, each alert has a runbook, and promtool's tests pass."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import Metric

from campaigns.operations.facts import read_campaigns
from notifier.local.processes.programs import PROJECT
from notifier.metrics.recording import measures
from notifier.metrics.scraping import readers
from notifier.metrics.scraping.accounts import read_accounts
from notifier.metrics.scraping.ledger import read_ledger
from notifier.metrics.scraping.scrape import scraper
from notifier.metrics.scraping.servers import read_postgres, read_redis

PROMETHEUS = PROJECT / "deploy" / "prometheus"
DASHBOARDS = sorted(PROJECT.joinpath("deploy", "grafana").glob("*.json"))
DOCS = PROJECT.joinpath("docs", "metrics.md").read_text()
RUNBOOKS = PROJECT.joinpath("docs", "runbooks.md").read_text()
NAME = re.compile(r"\bnotifier_[a-z0-9_]+\b")
RECORD = re.compile(r"\bnotifier:[a-z0-9_:]+\b")


def rules(file: str) -> list[dict[str, Any]]:
    groups = yaml.safe_load((PROMETHEUS / file).read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


ALERTS = [rule["alert"] for rule in rules("alerts.yml")]


@pytest.fixture
def families(db: None) -> list[Metric]:
    """Everything that a scrape can tell."""
    facts = readers.read_database([read_ledger, read_accounts, read_postgres, read_campaigns])
    own = [readers.single("scrape_ok", "", 1), readers.single("scrape_seconds", "", 1)]
    unique = {metric.name: metric for metric in [*facts, *read_redis(), *measures.REGISTRY.collect(), *own]}
    return list(unique.values())


def names_of(metric: Metric) -> set[str]:
    """As a query names it."""
    if metric.type == "counter":
        return {f"{metric.name}_total"}
    if metric.type == "histogram":
        return {metric.name, *(f"{metric.name}{end}" for end in ("_bucket", "_sum", "_count"))}
    return {metric.name}


def test_the_page_of_metrics_has_each_of_them_and_no_other(families: list[Metric]) -> None:
    rows = re.findall(r"^\| `(notifier_\w+)` \| (\w+) \| ([\w, ]*) ?\| .+\|$", DOCS, re.MULTILINE)
    documented = {name: (kind, tuple(filter(None, labels.strip().split(", ")))) for name, kind, labels in rows}
    told = {min(names_of(metric), key=len): metric for metric in families}
    assert set(documented) == set(told)
    assert {name: kind for name, (kind, _) in documented.items()} == {name: m.type for name, m in told.items()}


def test_the_page_names_the_labels(families: list[Metric]) -> None:
    rows = re.findall(r"^\| `(notifier_\w+)` \| \w+ \| ([\w, ]*) ?\|", DOCS, re.MULTILINE)
    documented = {name: set(filter(None, labels.strip().split(", "))) for name, labels in rows}
    for metric in families:
        for sample in metric.samples:
            shown = documented[min(names_of(metric), key=len)] | {"le"}
            assert set(sample.labels) <= shown | {"source"}, metric.name


def test_no_label_is_an_id(families: list[Metric]) -> None:
    labels = {label for metric in families for sample in metric.samples for label in sample.labels}
    assert not {label for label in labels if re.search("tenant|campaign|recipient|account|_id$", label)}


def test_rules_and_alerts_name_metrics_that_exist(families: list[Metric]) -> None:
    known = set().union(*map(names_of, families))
    files = ("rules.yml", "alerts.yml", "alerts_test.yml")
    # without values of labels: a table is no metric
    texts = {file: re.sub(r'"[^"]*"', "", (PROMETHEUS / file).read_text()) for file in files}
    assert {name for text in texts.values() for name in NAME.findall(text)} - known == set()
    records = {rule["record"] for rule in rules("rules.yml")}
    assert {name for text in texts.values() for name in RECORD.findall(text)} <= records


def expressions(dashboard: dict[str, Any]) -> list[str]:
    panels = [p for panel in dashboard["panels"] for p in (panel, *panel.get("panels", ()))]
    return [target["expr"] for panel in panels for target in panel.get("targets", ())]


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_names_metrics_that_exist(path: Path, families: list[Metric]) -> None:
    known = set().union(*map(names_of, families))
    dashboard = json.loads(path.read_text())
    found = [re.sub(r'"[^"]*"', "", text) for text in expressions(dashboard)]
    assert found
    assert dashboard["uid"]
    assert {name for text in found for name in NAME.findall(text)} - known == set()
    assert {name for text in found for name in RECORD.findall(text)} <= {r["record"] for r in rules("rules.yml")}


def test_compose_gives_prometheus_and_grafana_what_they_read() -> None:
    compose = yaml.safe_load(PROJECT.joinpath("docker-compose.yml").read_text())
    services = compose["services"]
    monitoring = {name for name, service in services.items() if service.get("profiles") == ["monitoring"]}
    assert monitoring == {"metrics", "prometheus", "grafana"}
    for name in monitoring - {"metrics"}:
        for volume in services[name]["volumes"]:
            source = volume.split(":")[0]
            assert PROJECT.joinpath(source).is_dir() if source.startswith(".") else source in compose["volumes"]
    scrape = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"][0]
    assert scrape["static_configs"][0]["targets"] == ["metrics:9464"]
    assert "--port 9464" in services["metrics"]["command"]
    secret = Path(scrape["authorization"]["credentials_file"]).name
    assert services["prometheus"]["secrets"] == [secret]
    assert compose["secrets"][secret] == {"environment": "METRICS_TOKEN"}
    provisioned = [yaml.safe_load(path.read_text()) for path in PROJECT.glob("deploy/grafana/provisioning/*/*.yml")]
    assert len(provisioned) == 2
    assert provisioned[0]["apiVersion"] == provisioned[1]["apiVersion"] == 1
    home = services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert Path(home).name in {path.name for path in DASHBOARDS}


def test_every_alert_has_a_runbook_and_a_test() -> None:
    assert re.findall(r"^## (\w+)$", RUNBOOKS, re.MULTILINE) == ALERTS
    for rule in rules("alerts.yml"):
        assert rule["annotations"]["runbook_url"] == f"docs/runbooks.md#{rule['alert'].lower()}"
    tested = yaml.safe_load((PROMETHEUS / "alerts_test.yml").read_text())["tests"]
    assert set(ALERTS) <= {test["name"] for test in tested}


def test_every_runbook_says_what_it_means_and_what_to_do() -> None:
    for section in RUNBOOKS.split("\n## ")[1:]:
        assert "**Means**" in section, section.splitlines()[0]
        assert "**Do**" in section, section.splitlines()[0]


@pytest.fixture(scope="session")
def promtool() -> str:
    if found := shutil.which("promtool"):
        return found
    missing = "no promtool on PATH (apt-get install prometheus)"
    if os.environ.get("NOTIFIER_REQUIRE_BROWSER") == "1":
        pytest.fail(missing)
    pytest.skip(missing)


@pytest.mark.parametrize(
    "arguments",
    [("check", "rules", "rules.yml", "alerts.yml"), ("test", "rules", "alerts_test.yml")],
    ids=["check", "test"],
)
def test_promtool_accepts_the_rules_and_their_tests_pass(promtool: str, arguments: tuple[str, ...]) -> None:
    done = subprocess.run([promtool, *arguments], cwd=PROMETHEUS, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_accepts_the_example_of_a_scrape(promtool: str, tmp_path: Path) -> None:
    text = (PROMETHEUS / "prometheus.yml").read_text()
    token = tmp_path / "metrics-token"
    token.write_text("s3cret")
    (tmp_path / "prometheus.yml").write_text(text.replace("/run/secrets/metrics-token", str(token)))
    for file in ("rules.yml", "alerts.yml"):
        shutil.copy(PROMETHEUS / file, tmp_path)
    done = subprocess.run([promtool, "check", "config", "prometheus.yml"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.django_db(transaction=True)
def test_promtool_finds_nothing_wrong_with_a_scrape(promtool: str) -> None:
    scraper.reset()
    done = subprocess.run([promtool, "check", "metrics"], input=scraper.text(), capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
