"""What an installation of a given load needs: processes, cores, memory, disk, and where each part is full. Pure
arithmetic over `site_costs`.

An installation that needs more than one database machine is several *cells*: each is a whole installation (web,
workers, beat, PostgreSQL, Valkey) with tenants of its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from campaigns.preflight.site_costs import BULK, CAMPAIGN, FIGURES, SINGLE, MessageCost, SiteFigures
from notifier.errors import InvalidInput

DAY = 86_400
#: more messages a day than a hundred for each person on earth are a typing error
MOST_PER_DAY = 1e12
LONGEST_RETENTION = 3_650
USUAL_MIX: Mapping[str, float] = {"push": 0.9, "email": 0.05, "in_app": 0.04, "sms": 0.01}


@dataclass(frozen=True)
class SiteLoad:
    """`peak_per_s`: messages in the fullest second. `campaign_share` of them leave by campaigns, `bulk_share` of the
    others by bulk requests; the rest are single notifications."""

    per_day: float
    peak_per_s: float
    mix: Mapping[str, float]
    campaign_share: float = 0.95
    bulk_share: float = 0.8
    retention_days: int = 30

    @property
    def mean_per_s(self) -> float:
        return self.per_day / DAY

    def shares(self) -> list[tuple[MessageCost, float]]:
        """Each kind of message, and its share."""
        campaigns = [(CAMPAIGN[channel], self.campaign_share * share) for channel, share in self.mix.items()]
        others = 1 - self.campaign_share
        return [*campaigns, (BULK, others * self.bulk_share), (SINGLE, others * (1 - self.bulk_share))]


@dataclass(frozen=True)
class Part:
    """One kind of process. `cores`: busy cores at the peak; `full_at`: messages of this load a second that fill one
    process (PostgreSQL: one machine)."""

    name: str
    cores: float
    count: int
    full_at: float
    memory_gb: float


@dataclass(frozen=True)
class SitePlan:
    """What a load needs."""

    load: SiteLoad
    parts: tuple[Part, ...]
    cells: int
    disk_gb_per_day: float
    wal_gb_per_day: float

    @property
    def disk_gb(self) -> float:
        """What is kept at the end of the retention, without replicas."""
        return self.disk_gb_per_day * self.load.retention_days

    @property
    def cores(self) -> int:
        return sum(max(self.cells, math.ceil(part.cores / FIGURES.busy)) for part in self.parts)

    @property
    def memory_gb(self) -> float:
        return sum(part.memory_gb for part in self.parts)


def check_load(load: SiteLoad) -> None:
    """Raise InvalidInput, with the option as its field, for a load that is out of range."""
    if not (math.isfinite(load.per_day) and 1 <= load.per_day <= MOST_PER_DAY):
        raise InvalidInput(f"Must be a number from 1 to {MOST_PER_DAY:g}.", field="per-day")
    if not (math.isfinite(load.peak_per_s) and load.mean_per_s <= load.peak_per_s <= MOST_PER_DAY):
        least = f"{load.mean_per_s:,.0f}"
        raise InvalidInput(f"Must be messages a second, and not below the mean of the day ({least}).", field="peak")
    _check_mix(load.mix)
    for option, share in (("campaign-share", load.campaign_share), ("bulk-share", load.bulk_share)):
        if not 0 <= share <= 1:
            raise InvalidInput("Must be a share from 0 to 1.", field=option)
    if not 1 <= load.retention_days <= LONGEST_RETENTION:
        raise InvalidInput(f"Must be from 1 to {LONGEST_RETENTION} days.", field="retention-days")


def _check_mix(mix: Mapping[str, float]) -> None:
    if unknown := sorted(set(mix) - set(CAMPAIGN)):
        known = ", ".join(CAMPAIGN)
        raise InvalidInput(f"There is no channel {unknown[0]!r}; known: {known}.", field="channel-mix")
    if not all(0 <= share <= 1 for share in mix.values()) or not math.isclose(sum(mix.values()), 1, abs_tol=1e-6):
        raise InvalidInput(f"The shares must add up to 1; these add up to {sum(mix.values()):g}.", field="channel-mix")


def plan_site(load: SiteLoad, figures: SiteFigures = FIGURES) -> SitePlan:
    """What the load needs. Arming and copying outcomes are spread over the day, so they count with the day's mean; all
    else counts with the peak. Raises what `check_load` raises."""
    check_load(load)
    background = load.mean_per_s * load.campaign_share * (figures.arming_us + figures.rows_us) / 1e6
    in_database = background * figures.postgres_share
    peak = _cores_at(load.peak_per_s, load)
    single = _cores_at(load.peak_per_s, load, (SINGLE, BULK))
    disk, wal = _gigabytes_a_day(load, figures)
    database_cores = peak["postgres"] + in_database
    cells = max(
        1,
        math.ceil(database_cores / (figures.database_cores * figures.busy)),
        math.ceil(disk * load.retention_days / (figures.database_disk_gb * figures.busy)),
    )
    rate = load.peak_per_s
    parts = (
        _process("web", rate, (peak["web"], figures.process_mb), cells),
        _process("worker <channel>.bulk", rate, (peak["worker"] - single["worker"], figures.bulk_worker_mb), cells),
        _process("worker <channel>", rate, (single["worker"], figures.process_mb), cells),
        _process("worker control", rate, (peak["control"], figures.process_mb), cells),
        _process("worker batch", rate, (background - in_database, figures.process_mb), cells),
        _database(rate, database_cores, cells, figures),
        _process("Valkey", rate, (peak["valkey"], 1_000), cells),
    )
    return SitePlan(load, parts, cells, disk, wal)


def _gigabytes_a_day(load: SiteLoad, figures: SiteFigures) -> tuple[float, float]:
    """What the ledger grows by, and the WAL."""
    others = 1 - load.campaign_share
    disk = load.campaign_share * figures.campaign_bytes + others * figures.single_bytes
    wal = load.campaign_share * figures.campaign_wal + others * 3 * figures.single_bytes
    return load.per_day * disk / 1e9, load.per_day * wal / 1e9


def _cores_at(per_s: float, load: SiteLoad, only: tuple[MessageCost, ...] = ()) -> dict[str, float]:
    """Part -> busy cores at so many messages a second."""
    costs = [(cost, share) for cost, share in load.shares() if not only or cost in only]
    names = ("web", "worker", "control", "postgres", "valkey")
    return {name: per_s * sum(getattr(cost, name) * share for cost, share in costs) / 1e6 for name in names}


def _process(name: str, per_s: float, one: tuple[float, int], cells: int) -> Part:
    """A process computes on one core, and each cell has one of each kind. `one`: busy cores of all, and MB of one."""
    cores, megabytes = one
    count = max(cells, math.ceil(cores / FIGURES.busy))
    full_at = per_s * FIGURES.busy / cores if cores else math.inf
    return Part(name, cores, count, full_at, count * megabytes / 1_000)


def _database(per_s: float, cores: float, cells: int, figures: SiteFigures) -> Part:
    full_at = per_s * figures.database_cores * figures.busy / cores
    memory = max(cells, math.ceil(cores / figures.busy)) * figures.database_gb_per_core
    return Part("PostgreSQL", cores, cells, full_at, memory)


# ---- words -------------------------------------------------------------------------------------------------------


def describe_site(plan: SitePlan) -> list[str]:
    """The plan as Markdown: what is needed, the disk, and the sources of the costs."""
    load = plan.load
    mix = ", ".join(f"{channel} {share:.0%}" for channel, share in load.mix.items())
    others = 1 - load.campaign_share
    return [
        f"{load.per_day:,.0f} messages a day: {load.mean_per_s:,.0f} a second in the mean, {load.peak_per_s:,.0f} at "
        f"the peak.",
        f"By campaigns {load.campaign_share:.1%} ({mix}), by bulk requests {others * load.bulk_share:.1%}, one by one "
        f"{others * (1 - load.bulk_share):.1%}.",
        "",
        *_table(
            ("part", "busy cores at the peak", "processes", "messages/s that fill one", "memory, GB"),
            [(p.name, f"{p.cores:,.1f}", f"{p.count:,}", _rate(p.full_at), f"{p.memory_gb:,.1f}") for p in plan.parts],
        ),
        "",
        f"In all {plan.cores:,} cores, each {FIGURES.busy:.0%} busy at the peak, and {plan.memory_gb:,.0f} GB of "
        f"memory.",
        f"Cells: {plan.cells}, each with a database machine of {FIGURES.database_cores} cores and "
        f"{FIGURES.database_disk_gb / 1000:g} TB at most.",
        "",
        *_table(
            ("disk", "GB"),
            [
                ("the ledger, a day", f"{plan.disk_gb_per_day:,.0f}"),
                (f"the ledger, {load.retention_days} days", f"{plan.disk_gb:,.0f}"),
                ("WAL, a day", f"{plan.wal_gb_per_day:,.0f}"),
                ("two copies of the ledger, and WAL of a day", f"{2 * plan.disk_gb + plan.wal_gb_per_day:,.0f}"),
            ],
        ),
    ]


def describe_costs() -> list[str]:
    """The costs of a message as Markdown, with their sources."""
    names = [(f"campaign, {channel}", cost) for channel, cost in CAMPAIGN.items()]
    rows = [
        (name, *(f"{value:g}" for value in (c.web, c.worker, c.postgres, c.control, c.valkey)), c.source)
        for name, c in [*names, ("bulk request", BULK), ("one by one", SINGLE)]
    ]
    return _table(("µs a message", "web", "worker", "PostgreSQL", "control", "Valkey", "source"), rows)


def _rate(per_s: float) -> str:
    return "not used" if math.isinf(per_s) else f"{per_s:,.0f}"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    """A Markdown table whose columns are aligned, so that a terminal shows it, too."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in [head, *rows]]
    rule = "|".join("-" * (width + 2) for width in widths)
    return [f"| {lines[0]} |", f"|{rule}|", *(f"| {line} |" for line in lines[1:])]
