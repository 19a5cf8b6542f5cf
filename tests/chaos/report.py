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


def write(path: Path, results: list[Result]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([result.json for result in results], indent=1) + "\n")
