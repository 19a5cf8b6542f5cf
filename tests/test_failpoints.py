"""Points at which a process can be told to die: their names, their setting, and who refuses it.
tests/flows/test_failpoints.py dies at each of them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from pytest_django import Settings

from notifier import failpoints
from notifier.apps import arm_failpoint
from notifier.checks import failpoints_are_refused, no_process_dies_on_purpose
from notifier.settings import BASE_DIR

_CALL = re.compile(r"failpoints\.reach\(\"([^\"]+)\"\)")


@pytest.fixture(autouse=True)
def _no_point_is_armed() -> Iterator[None]:
    yield
    failpoints.arm("")


def test_each_point_has_a_place_in_the_code_and_each_place_a_name() -> None:
    sources = [path for app in ("notifier", "campaigns", "inbox", "tenants") for path in (BASE_DIR / app).rglob("*.py")]
    called = {name for path in sources for name in _CALL.findall(path.read_text())}
    assert called == set(failpoints.names())
    assert len(called) >= 12


@pytest.mark.parametrize("setting", ["nowhere", "accept.before-commit:0", "accept.before-commit:x", ":1"])
def test_a_point_that_does_not_exist_is_refused(setting: str) -> None:
    with pytest.raises(ValueError, match="NOTIFIER_FAILPOINT"):
        failpoints.arm(setting)


def test_nothing_happens_without_a_setting_and_at_other_points() -> None:
    failpoints.reach("send.after-claim")
    failpoints.arm("send.after-claim:3")
    failpoints.reach("send.before-request")
    failpoints.reach("send.after-claim")
    failpoints.arm("")
    for _ in range(5):
        failpoints.reach("send.after-claim")


@pytest.mark.parametrize(("setting", "reached"), [("send.after-claim", 1), ("send.after-claim:3", 3)])
def test_the_process_dies_at_the_nth_time(setting: str, reached: int) -> None:
    script = f"""
from notifier import failpoints
failpoints.arm({setting!r})
for n in range(9):
    print(n, flush=True)
    failpoints.reach("send.after-claim")
"""
    ended = subprocess.run([sys.executable, "-c", script], cwd=BASE_DIR, capture_output=True, text=True)
    assert ended.returncode == failpoints.EXIT_CODE
    assert ended.stdout.split() == [str(n) for n in range(reached)]
    assert ended.stderr == "failpoint send.after-claim: this process ends\n"


@pytest.mark.parametrize(
    ("debug", "allowed", "point", "expected"),
    [
        (False, False, "", []),
        (False, False, "send.after-claim", ["notifier.E012"]),
        (False, True, "send.after-claim", []),
        (True, True, "send.after-claim", []),
    ],
    ids=["none", "production", "allowed", "debug"],
)
def test_production_refuses_a_failpoint(
    settings: Settings, debug: bool, allowed: bool, point: str, expected: list[str]
) -> None:
    settings.DEBUG, settings.FAILPOINTS_ALLOWED, settings.FAILPOINT = debug, allowed, point
    assert [message.id for message in no_process_dies_on_purpose()] == expected


@pytest.mark.parametrize(
    ("debug", "allowed", "expected"),
    [(False, False, []), (False, True, ["notifier.W002"]), (True, True, [])],
    ids=["production", "allowed", "debug"],
)
def test_production_is_warned_of_failpoints(
    settings: Settings, debug: bool, allowed: bool, expected: list[str]
) -> None:
    settings.DEBUG, settings.FAILPOINTS_ALLOWED = debug, allowed
    assert [message.id for message in failpoints_are_refused()] == expected


def test_a_failpoint_that_is_not_allowed_is_not_armed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFIER_FAILPOINT", "nowhere")
    settings.FAILPOINTS_ALLOWED = False
    arm_failpoint()
    settings.FAILPOINTS_ALLOWED = True
    with pytest.raises(ValueError, match="nowhere"):
        arm_failpoint()
