"""The tables of the small things, from figures as a run has them."""

from __future__ import annotations

from typing import Any

from bench import inbox_tables
from bench.api import tables

WAITS: dict[str, float] = {f"{kind}p{p}_ms": float(p) for kind in ("", "answer_") for p in (50, 95, 99)}


def test_a_step_that_queued_and_the_floor_have_rows() -> None:
    step: dict[str, Any] = {"per_s": 400, "held": False, "failed": 3, "achieved_per_s": 354.2, **WAITS}
    step |= {"cpu_us": 1_825.0, "cpu_us_by_part": {"web": 600.0}}
    floor = {"version": "go1", "steps": [{**WAITS, "per_s": 400, "cpu_us": 59.0}], "highest_per_s": None}
    lines = list(tables.tables({"api": {"steps": [step]}, "floor": floor, "fairness": None}))
    assert "| 400 | **no** (3 failed) | 354 | 50.0 / 99.0 | 50.0 / 99.0 | 1,825 | 600 |" in lines
    assert "| 400: the floor in Go | – | – | 50.0 / 99.0 | – | 59 | – |" in lines


def test_loads_that_were_not_measured_have_no_row() -> None:
    no_waits: dict[str, Any] = dict.fromkeys(WAITS)
    fairness = {"alone": {"requests": 300, **WAITS, "critical": no_waits}}
    lines = list(tables.tables({"api": {}, "floor": None, "fairness": fairness}))
    assert "| alone | 300 | 50.0 / 99.0 | 50.0 / 99.0 | – / – / – |" in lines
    assert not [line for line in lines if "another tenant's bulk |" in line]


def test_a_cost_of_several_processes_is_their_sum() -> None:
    assert inbox_tables.value({"web": 2.0, "postgres": 1.1, "valkey": 0.001}, 1) == "3.1 (web 2.0, postgres 1.1)"
    assert inbox_tables.value(0.5, 1) == "0.5"
    assert inbox_tables.value(None, 1) == inbox_tables.value({}, 1) == "–"


def test_sockets_stand_beside_those_of_a_peer() -> None:
    lines = list(inbox_tables.sockets({"connect_ms": {"web": 2.0}}, {"centrifugo": {"connect_ms": 0.4}}))
    assert "| CPU ms a connect | 2.00 (web 2.00) | 0.40 |" in lines
