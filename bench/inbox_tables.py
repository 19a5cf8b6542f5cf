"""The tables of the inbox: its sockets beside another server's, and campaigns to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bench.markdown import DASH, number, table

#: key of both servers' figures -> what it is, decimals
ROWS = {
    "sockets": ("sockets, in one process", 0),
    "connects_per_s": ("connects a second", 0),
    "connect_ms": ("CPU ms a connect", 2),
    "kb_a_socket": ("KB a socket", 1),
    "idle_ms_a_minute": ("CPU ms an idle socket and minute", 2),
    "to_all_seconds": ("message to all: the last client has it after, s", 2),
    "to_all_us": ("the same, CPU µs a socket", 0),
}
#: kinds of processes in one cell
SHOWN_PARTS = 4


def campaigns(in_app: Mapping[str, Any]) -> Iterator[str]:
    yield "\n### Campaigns to inboxes: GO to every outcome stored\n"
    heads = ("campaign", "recipients", "messages/s", "CPU µs", "with the ledger's rows", "rows complete after")
    rows = [
        (
            name,
            number(in_app["size"]),
            number(run["per_s"]),
            f"{number(run['cpu_us_per_message'], 1)} ({_parts(run['cpu_us_by_part'])})",
            number(run["total_us"], 1),
            f"{number(run['expansion_s'], 1)} s",
        )
        for name, run in in_app["campaigns"].items()
    ]
    yield from table(heads, rows)
    yield "\nThe first campaign makes the inboxes; the second finds them."


def sockets(ours: Mapping[str, Any], peers: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield "\n### Open inboxes, one web process\n"
    rows = [
        (what, value(ours.get(key), digits), *(value(peer.get(key), digits) for peer in peers.values()))
        for key, (what, digits) in ROWS.items()
    ]
    yield from table(("what", "the inbox", *peers), rows)
    if storm := ours.get("storm"):
        back, first = number(storm["back_seconds"], 1), number(storm.get("first_back_seconds"), 1)
        yield f"\nA killed web process: the first socket is back after {first} s, all sockets after {back} s."


def value(figure: float | Mapping[str, float] | None, digits: int) -> str:
    """A figure; of several kinds of processes the sum, and each."""
    if not isinstance(figure, Mapping):
        return number(figure, digits)
    return f"{number(sum(figure.values()), digits)} ({_parts(figure, digits)})" if figure else DASH


def _parts(figure: Mapping[str, float], digits: int = 0) -> str:
    """The largest ones that are not zero when rounded."""
    largest = sorted(figure.items(), key=lambda part: -part[1])[:SHOWN_PARTS]
    return ", ".join(f"{part} {number(one, digits)}" for part, one in largest if round(one, digits)) or DASH
