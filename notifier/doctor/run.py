"""Runs the checks. Each is bounded in time, reads only, and takes nothing from the others when it fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import DatabaseError, connection, transaction

from notifier.doctor.findings import Finding, Severity, warning
from notifier.doctor.registry import DEFAULTS, Check, Options, Server, all_checks

#: seconds that one statement of a check may take
STATEMENT_SECONDS = 5

NOT_CHECKED = warning(
    "not-checked", "Nothing is known about this part.", "read the error; run the command again when the load is lower"
)
SKIPPED = warning("skipped", "They need a server that is away.", "mend what is reported above, then run it again")


@dataclass(frozen=True)
class Diagnosis:
    """What the checks found, and how many of them ran."""

    findings: Sequence[Finding]
    checks: int

    @property
    def exit_code(self) -> int:
        """0: nothing is wrong; 1: warnings; 2: errors."""
        severities = {finding.kind.severity for finding in self.findings}
        return 2 if Severity.ERROR in severities else 1 if severities else 0


def diagnose(options: Options = DEFAULTS) -> Diagnosis:
    """Run every check."""
    findings: list[Finding] = []
    away: set[Server] = set()
    skipped: list[str] = []
    checks = all_checks()
    for check in checks:
        if check.needs & away:
            skipped.append(check.name)
            continue
        found = run_check(check, options)
        findings += found
        if check.proves is not None and found:
            away.add(check.proves)
    if skipped:
        findings.append(SKIPPED.says(f"{len(skipped)} checks did not run: {', '.join(skipped)}."))
    return Diagnosis(findings, len(checks) - len(skipped))


def run_check(check: Check, options: Options = DEFAULTS) -> list[Finding]:
    """The findings of one check; a check that fails is a finding."""
    try:
        if Server.DATABASE in check.needs:
            return _read_only(check, options)
        return list(check.run(options))
    except DatabaseError as error:
        return [NOT_CHECKED.says(f"The check {check.name} failed: {type(error).__name__}, {_first_line(error)}.")]
    except Exception as error:
        # the type only: the text of an error may quote a secret
        return [NOT_CHECKED.says(f"The check {check.name} failed: {type(error).__name__}.")]


def _read_only(check: Check, options: Options) -> list[Finding]:
    """In a transaction that can write nothing and is rolled back, so that its settings end with it."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                f"SET LOCAL statement_timeout = '{STATEMENT_SECONDS}s'; SET LOCAL lock_timeout = '1s';"
                " SET LOCAL transaction_read_only = on"
            )
        found = list(check.run(options))
        transaction.set_rollback(True)
    return found


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]
