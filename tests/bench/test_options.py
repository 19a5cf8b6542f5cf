"""What the environment asks of a run."""

from __future__ import annotations

import pytest

from bench.options import PARTS, BadOption, options
from bench.report import BEGIN, END, between_marks


def test_without_a_wish_everything_runs() -> None:
    asked = options({})
    assert asked.sizes == (30_000, 100_000, 300_000, 1_000_000)
    assert asked.parts == PARTS and not asked.short


def test_parts_run_in_their_order_and_sizes_from_small_to_large() -> None:
    asked = options({"BENCH_PARTS": "api,ceiling", "BENCH_N": "300000, 1000"})
    assert asked.parts == ("ceiling", "api")
    assert asked.sizes == (1000, 300_000)


@pytest.mark.parametrize("wrong", [{"BENCH_N": "many"}, {"BENCH_N": "0"}, {"BENCH_SINKS": "apache"}])
def test_what_there_is_not_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(BadOption, match=next(iter(wrong))):
        options(wrong)


def test_only_what_stands_between_the_marks_is_written_anew() -> None:
    page = f"# bench\n{BEGIN}\nold\n{END}\nthe end\n"
    assert between_marks(page, "new") == f"# bench\n{BEGIN}\nnew\n{END}\nthe end\n"
