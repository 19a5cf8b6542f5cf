"""The live line of a stage, on a terminal and without one."""

from __future__ import annotations

import io

import pytest

from notifier.demo.console import Console, Stage


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("done", "seconds", "line"),
    [
        (0, 2.0, "sending       0 %  0 of 1,000 messages  0/s"),
        (250, 5.0, "sending      25 %  250 of 1,000 messages  50/s  15 s left  push 250"),
        (1000, 4.0, "sending     100 %  1,000 of 1,000 messages  250/s  push 1,000"),
    ],
)
def test_a_line_says_done_rate_and_time_left(done: int, seconds: float, line: str) -> None:
    stage = Stage(Console(io.StringIO()), "sending", 1000, "messages")
    stage.update(done, f"push {done:,}" if done else "")
    assert stage.progress(seconds) == line


def test_a_stage_of_nothing_is_done_at_once() -> None:
    assert Stage(Console(io.StringIO()), "receipts", 0, "mails").progress(0.0) == "receipts    100 %  0 of 0 mails  0/s"


def test_a_terminal_has_one_line_a_stage_that_is_written_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    out = Terminal()
    with Console(out).stage("arming", 3, "people") as stage:
        stage.update(1)
        stage.update(3)
    assert out.getvalue().startswith("\r\x1b[Karming       33 %")
    assert out.getvalue().count("\n") == 1
    assert out.getvalue().splitlines()[-1].split("\x1b[K")[-1].startswith("arming      done  3 people in ")


def test_without_a_terminal_only_plain_lines_are_written() -> None:
    out = io.StringIO()
    console = Console(out)
    with console.stage("arming", 3, "people") as stage:
        for done in range(4):
            stage.update(done)
    console.say("end")
    assert "\r" not in out.getvalue() and "\x1b" not in out.getvalue()
    first, second = out.getvalue().splitlines()
    assert first.startswith("arming      done  3 people in ") and second == "end"
