"""The table of rows, and what the environment chooses of it."""

from __future__ import annotations

import re

import pytest

from notifier import failpoints
from notifier.local.processes.programs import PROJECT
from tests.chaos.options import Options
from tests.chaos.report import Result, prove_nothing
from tests.chaos.rows import all_rows, loads
from tests.chaos.rows.failpoints import FIRST, SECOND

#: the load has no digest and no route
ELSEWHERE = {"digests.before-commit", "routes.before-commit"}


def test_names_are_unique() -> None:
    names = [row.name for row in all_rows()]
    assert len(names) == len(set(names))


def test_every_failpoint_has_a_row() -> None:
    points = {row.name.removeprefix("die ") for row in all_rows() if row.name.startswith("die ")}
    assert points == set(failpoints.names()) - ELSEWHERE


def test_rows_that_die_in_one_load_have_a_process_each() -> None:
    for points in (FIRST, SECOND):
        assert len(set(points.values())) == len(points)


def test_every_row_is_in_one_load_of_the_short_form_and_alone_in_the_full_one() -> None:
    rows = all_rows()
    assert sorted(row.name for load in loads(rows, short=True) for row in load) == sorted(row.name for row in rows)
    full = loads(rows, short=False)
    assert {len(load) for load in full} == {1} and len(full) == sum(row.times for row in rows)


def test_the_page_has_every_row() -> None:
    page = (PROJECT / "docs/chaos.md").read_text()
    shown = set(re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE))
    assert shown == {re.sub(r"^(die|429) .*", r"\1 …", row.name) for row in all_rows()}


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"SHORT": "1", "SEED": "7"}, (True, 7, 1_500)),
        ({"SHORT": "0", "SEED": "7"}, (False, 7, 20_000)),
        ({"SHORT": "", "SEED": "7", "RECIPIENTS": "90"}, (False, 7, 90)),
    ],
    ids=["short", "full", "size"],
)
def test_the_form_and_the_size(environ: dict[str, str], expected: tuple[bool, int, int]) -> None:
    options = Options.read(environ)
    assert (options.short, options.seed, options.recipients) == expected


def test_globs_choose_rows_and_none_chooses_all() -> None:
    chosen = Options.read({"ROWS": "kill*, goaway"})
    assert [chosen.chooses(name) for name in ("kill web", "goaway", "5xx")] == [True, True, False]
    assert Options.read({}).chooses("5xx")


@pytest.mark.parametrize(
    ("problems", "again"),
    [
        ([], False),
        (["ProcessFailed: web ended before it was ready"], True),
        (["the fault was not injected in 12 rounds of campaigns"], True),
        (["I1: 3 messages are lost"], False),
        (["ProcessFailed: web ended before it was ready", "I1: 3 messages are lost"], False),
        (["AssertionError: 2 numbers were shown twice"], False),
    ],
)
def test_a_load_runs_again_only_if_it_was_not_carried_out(problems: list[str], again: bool) -> None:
    failed = Result("a row")
    for problem in problems:
        failed.fail(problem)
    assert prove_nothing([Result("another row"), failed]) is again
