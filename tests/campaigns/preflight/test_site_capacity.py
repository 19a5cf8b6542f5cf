"""What an installation of a given load needs, in a table; the command that prints it; the page that shows it."""

from __future__ import annotations

import math
import os
import re
import shlex
from io import StringIO
from pathlib import Path
from typing import Any

import django
import pytest
from django.core.management import CommandError, call_command

from campaigns.preflight.site_capacity import USUAL_MIX, SiteLoad, SitePlan, plan_site
from campaigns.preflight.site_costs import BULK, CAMPAIGN, FIGURES, SINGLE

PAGE = Path(__file__).parents[3] / "docs" / "scale.md"
BLOCK = re.compile(r"<!-- (plan_capacity .*?) -->\n(.*?)<!-- end -->", re.DOTALL)
PUSH = {"push": 1.0}


def part(plan: SitePlan, name: str) -> tuple[float, int]:
    found = next(part for part in plan.parts if part.name == name)
    return round(found.cores, 3), found.count


def test_each_part_is_the_rate_times_its_cost() -> None:
    plan = plan_site(SiteLoad(8_640_000, 10_000, PUSH, campaign_share=1.0))
    push = CAMPAIGN["push"]
    assert part(plan, "worker <channel>.bulk") == (round(push.worker / 100, 3), 1)
    assert part(plan, "web") == (0.0, 1)
    background = 100 * (FIGURES.arming_us + FIGURES.rows_us) / 1e6
    assert part(plan, "PostgreSQL")[0] == round(push.postgres / 100 + background / 2, 3)
    assert plan.disk_gb_per_day == pytest.approx(8.64e6 * FIGURES.campaign_bytes / 1e9)


@pytest.mark.parametrize(
    ("campaign_share", "bulk_share", "cost"), [(0.0, 0.0, SINGLE), (0.0, 1.0, BULK)], ids=["one by one", "bulk"]
)
def test_messages_of_the_api_cost_the_web_processes(campaign_share: float, bulk_share: float, cost: Any) -> None:
    plan = plan_site(SiteLoad(86_400_000, 5_000, PUSH, campaign_share, bulk_share))
    assert part(plan, "web") == (round(cost.web * 5 / 1000, 3), math.ceil(cost.web * 5 / 1000 / FIGURES.busy))
    assert part(plan, "worker <channel>")[0] == round(cost.worker * 5 / 1000, 3)


@pytest.mark.parametrize(
    ("load", "cells"),
    [
        (SiteLoad(1e6, 100, PUSH), 1),
        (SiteLoad(2e9, 100_000, PUSH, 0.0, 0.0, 1), 15),
        (SiteLoad(2e9, 100_000, PUSH, 1.0, retention_days=300), 49),
    ],
    ids=["small", "by cores", "by disk"],
)
def test_a_cell_is_as_large_as_a_database_machine(load: SiteLoad, cells: int) -> None:
    plan = plan_site(load)
    assert plan.cells == cells and all(part.count >= cells for part in plan.parts)


def test_twice_the_load_needs_twice_the_busy_cores() -> None:
    one, two = (plan_site(SiteLoad(n * 1e9, n * 50_000, USUAL_MIX)) for n in (1, 2))
    for small, large in zip(one.parts, two.parts, strict=True):
        assert large.cores == pytest.approx(2 * small.cores) and large.full_at == pytest.approx(small.full_at)


# ---- the command -------------------------------------------------------------------------------------------------


def printed(*words: str) -> str:
    out = StringIO()
    call_command("plan_capacity", *words, stdout=out)
    return out.getvalue()


SITE = ["--per-day", "2e9", "--peak", "100000"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--per-day", "2e9"], "--peak is missing"),
        (["--peak", "5"], "--per-day is missing"),
        ([], "--recipients is missing"),
        (["--recipients", "5"], "--seconds is missing"),
        ([*SITE, "--recipients", "5"], "--recipients does not belong"),
        (["--recipients", "5", "--seconds", "5", "--campaign-share", "1"], "--campaign-share does not belong"),
        (["--per-day", "0", "--peak", "1"], "--per-day: Must be a number from 1"),
        (["--per-day", "nan", "--peak", "1"], "--per-day: Must be a number from 1"),
        (["--per-day", "2e9", "--peak", "23000"], r"--peak: .*not below the mean of the day \(23,148\)"),
        (["--per-day", "2e9", "--peak", "inf"], "--peak: Must be messages a second"),
        ([*SITE, "--channel-mix", "push=0.9"], "--channel-mix: The shares must add up to 1; these add up to 0.9"),
        ([*SITE, "--channel-mix", "push"], "--channel-mix: 'push' is no channel=share"),
        ([*SITE, "--channel-mix", "pigeon=1"], "--channel-mix: There is no channel 'pigeon'"),
        ([*SITE, "--channel-mix", "push=0.5,push=0.5"], "--channel-mix: 'push' stands twice"),
        ([*SITE, "--channel-mix", "push=nan"], "--channel-mix: The shares must add up to 1"),
        ([*SITE, "--campaign-share", "1.5"], "--campaign-share: Must be a share from 0 to 1"),
        ([*SITE, "--bulk-share", "-1"], "--bulk-share: Must be a share from 0 to 1"),
        ([*SITE, "--retention-days", "0"], "--retention-days: Must be from 1"),
    ],
)
def test_bad_input_ends_with_two_and_names_the_option(words: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message) as refused:
        printed(*words)
    assert refused.value.returncode == 2


def filled(page: str) -> str:
    """The page with its tables anew."""
    return BLOCK.sub(lambda block: f"<!-- {block[1]} -->\n{printed(*shlex.split(block[1])[1:])}<!-- end -->", page)


def test_the_tables_of_the_page_are_what_the_command_prints() -> None:
    """After a change of a cost: `PYTHONPATH=. python tests/campaigns/preflight/test_site_capacity.py` writes them."""
    page = PAGE.read_text()
    assert len(BLOCK.findall(page)) == 3 and filled(page) == page


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notifier.settings")
    django.setup()
    PAGE.write_text(filled(PAGE.read_text()))
