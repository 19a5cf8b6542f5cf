"""The options of a run, from the environment."""

from __future__ import annotations

import pytest

from bench.options import PARTS, BadOption, parse_options
from bench.report import BEGIN, END, replace_between_marks


def test_without_options_everything_runs() -> None:
    options = parse_options({})
    assert options.sizes == (30_000, 100_000, 300_000, 1_000_000)
    assert options.parts == PARTS and not options.short


def test_parts_run_in_their_order_and_sizes_from_small_to_large() -> None:
    options = parse_options({"BENCH_PARTS": "api,ceiling", "BENCH_N": "300000, 1000"})
    assert options.parts == ("ceiling", "api")
    assert options.sizes == (1000, 300_000)


@pytest.mark.parametrize("wrong", [{"BENCH_N": "many"}, {"BENCH_N": "0"}, {"BENCH_SINKS": "apache"}])
def test_unknown_or_malformed_options_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(BadOption, match=next(iter(wrong))):
        parse_options(wrong)


def test_only_the_text_between_the_marks_is_replaced() -> None:
    page = f"# bench\n{BEGIN}\nold\n{END}\nthe end\n"
    assert replace_between_marks(page, "new") == f"# bench\n{BEGIN}\nnew\n{END}\nthe end\n"
