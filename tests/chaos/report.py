"""One line for each row, and `.local/chaos-report.json`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.chaos.judging.invariants import Judgement


@dataclass
class Result:
    """The outcome of one row. `recovery_s`: from the repair until everything that was accepted had ended. Rows of one
    group share their load, and so lost, duplicates and recovery."""

    name: str
    ok: bool = True
    lost: int = 0
    duplicates: int = 0
    allowed: int = 0
    recovery_s: float = 0.0
    seconds: float = 0.0
    note: str = ""
    problems: list[str] = field(default_factory=list)

    def add(self, judgement: Judgement, allowed: int) -> None:
        self.lost, self.duplicates, self.allowed = judgement.lost, judgement.duplicates, allowed
        self.fail(judgement.problems)

    def fail(self, problems: object) -> None:
        self.problems += [str(problem) for problem in (problems if isinstance(problems, list | tuple) else [problems])]
        self.ok = not self.problems

    @property
    def line(self) -> str:
        verdict = "pass" if self.ok else "FAIL"
        counts = f"lost {self.lost}  repeats {self.duplicates} of {self.allowed}"
        times = f"recovery {self.recovery_s:5.1f} s  in {self.seconds:5.1f} s"
        return f"{verdict}  {self.name:<38} {counts:<28} {times}  {self.note}".rstrip()

    @property
    def json(self) -> dict[str, object]:
        values = asdict(self)
        return {"name": values.pop("name"), "pass": values.pop("ok"), **values}


#: how the problem begins of a load that the harness could not carry out: a program did not start, or no message was in
#: flight when the fault was due
_NOT_CARRIED_OUT = ("ProcessFailed:", "the fault was not injected")


def prove_nothing(results: list[Result]) -> bool:
    """Whether rows of a load failed, and all for a reason that says nothing about the product's counts."""
    problems = [problem for result in results for problem in result.problems]
    return bool(problems) and all(problem.startswith(_NOT_CARRIED_OUT) for problem in problems)


def write(path: Path, results: list[Result]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([result.json for result in results], indent=1) + "\n")
