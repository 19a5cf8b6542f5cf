"""Checks are bounded, read only, and independent; the page and the exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from django.db import connection

from notifier.doctor.findings import Finding, Kind, Severity, all_kinds
from notifier.doctor.registry import Check, Options, Server
from notifier.doctor.run import Diagnosis, run_check
from notifier.local.processes.programs import PROJECT
from notifier.local.servers.ports import free_port
from notifier.management.commands.doctor import as_json, as_lines
from tenants.models import Tenant
from tests.pages import first_column, section


def statement(sql: str) -> Check:
    def run(options: Options) -> Iterator[Finding]:
        with connection.cursor() as cursor:
            cursor.execute(sql)
        yield from ()

    return Check("a statement", run, frozenset({Server.DATABASE}))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("sql", "error"),
    [
        pytest.param("SELECT pg_sleep(600)", "QueryCanceled", id="a statement that hangs"),
        pytest.param("DELETE FROM tenants_tenant", "ReadOnlySqlTransaction", id="a statement that writes"),
        pytest.param("SELECT * FROM nothing_of_this_name", "ProgrammingError", id="a statement that fails"),
    ],
)
def test_a_check_that_fails_is_a_finding_and_changes_nothing(sql: str, error: str) -> None:
    Tenant.objects.create(name="ACME", slug="acme")
    (finding,) = run_check(statement(sql))
    assert finding.kind.code == "not-checked"
    # the next check runs as if nothing had happened, and the connection writes again
    assert run_check(statement("SELECT 1")) == []
    Tenant.objects.create(name="Globex", slug="globex")
    assert Tenant.objects.count() == 2


def test_the_text_of_an_unknown_error_is_not_shown() -> None:
    def run(options: Options) -> Iterator[Finding]:
        raise ValueError("password=CANARY")

    (finding,) = run_check(Check("broken", run))
    assert finding.line.startswith("warning not-checked: The check broken failed: ValueError.")
    assert "CANARY" not in finding.line


def found(*severities: Severity) -> Diagnosis:
    return Diagnosis([Kind("x", severity, "It is bad.", "mend it").says("Seen.") for severity in severities], 3)


@pytest.mark.parametrize(
    ("diagnosis", "code"),
    [
        pytest.param(found(), 0, id="nothing"),
        pytest.param(found(Severity.WARNING), 1, id="a warning"),
        pytest.param(found(Severity.WARNING, Severity.ERROR), 2, id="an error"),
    ],
)
def test_the_exit_code_is_that_of_the_worst_finding(diagnosis: Diagnosis, code: int) -> None:
    assert diagnosis.exit_code == json.loads(as_json(diagnosis))["exit_code"] == code


def test_a_finding_is_one_line() -> None:
    assert as_lines(found(Severity.ERROR)) == "error x: Seen. It is bad. Remedy: mend it"
    assert as_lines(found()) == "3 checks: nothing is wrong."


def test_without_servers_each_is_one_finding_and_the_rest_is_skipped() -> None:
    away = {
        "DATABASE_URL": f"postgres://notifier_engine@127.0.0.1:{free_port()}/notifier",
        "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0",
        "SITE_URL": f"http://127.0.0.1:{free_port()}",
    }
    env = {**os.environ, **away, "DJANGO_SETTINGS_MODULE": "notifier.settings"}
    command = [sys.executable, "manage.py", "doctor", "--json"]
    done = subprocess.run(command, cwd=PROJECT, env=env, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    codes = [finding["code"] for finding in json.loads(done.stdout)["findings"]]
    assert codes == ["database", "redis", "site", "skipped"], done.stdout


def test_the_page_has_every_finding_with_its_words() -> None:
    page = (PROJECT / "docs/doctor.md").read_text()
    assert first_column(section(page, "## Findings")) == {kind.code for kind in all_kinds()}
    for kind in all_kinds():
        assert f"| `{kind.code}` | {kind.severity.value} | {kind.means} | {kind.remedy} |" in page
