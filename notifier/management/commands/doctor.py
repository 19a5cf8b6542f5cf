"""`manage.py doctor`: what is wrong, in plain words. Exit code 0: nothing; 1: warnings; 2: errors."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from notifier.doctor.registry import Options
from notifier.doctor.run import Diagnosis, diagnose


class Command(BaseCommand):
    help = "Say what is wrong with this installation, one line a finding. Changes nothing."
    # a doctor that stops at the first error of the settings would not name the others
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON document instead of lines")
        parser.add_argument(
            "--database-folder", type=Path, help="the folder of PostgreSQL's files, to look at its disk from there"
        )
        parser.add_argument(
            "--worker-seconds", type=float, default=Options.worker_seconds, help="how long workers may take to answer"
        )

        parser.add_argument(
            "--transaction-seconds",
            type=float,
            default=Options.transaction_seconds,
            help="how long a transaction may be open",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        diagnosis = diagnose(
            Options(options["database_folder"], options["worker_seconds"], options["transaction_seconds"])
        )
        self.stdout.write(as_json(diagnosis) if options["json"] else as_lines(diagnosis))
        if diagnosis.exit_code:
            sys.exit(diagnosis.exit_code)


def as_lines(diagnosis: Diagnosis) -> str:
    if not diagnosis.findings:
        return f"{diagnosis.checks} checks: nothing is wrong."
    return "\n".join(finding.line for finding in diagnosis.findings)


def as_json(diagnosis: Diagnosis) -> str:
    findings = [
        {
            "code": finding.kind.code,
            "severity": finding.kind.severity.value,
            "text": finding.text,
            "means": finding.kind.means,
            "remedy": finding.kind.remedy,
        }
        for finding in diagnosis.findings
    ]
    return json.dumps({"checks": diagnosis.checks, "exit_code": diagnosis.exit_code, "findings": findings}, indent=2)
