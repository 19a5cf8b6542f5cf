"""The look at the load: gather facts, decide, and write what changed."""

from __future__ import annotations

from collections import Counter
from typing import Any

import structlog
from django.conf import settings

from notifier.delivery.load_shedding.decide import LOOP_LAG_SECONDS, Bounds, Decided, channels_without_worker, decide
from notifier.delivery.load_shedding.facts import Facts, gather
from notifier.vocabulary.load import Level
from tenants.load_shedding import read_state, reset
from tenants.models import LoadShedding

log = structlog.get_logger("notifier.load_shedding")

#: a worker may have nothing in flight for a moment: so many looks of one process in a row say that there is none
LOOKS = 3
#: how many looks in a row found a channel without a worker
_looks: Counter[str] = Counter()


def watch(facts: Facts | None = None) -> Level:
    """One look; returns what is decided now. Several processes may look at once: one of them writes.

    `facts`: instead of the measured ones."""
    old = _decided(LoadShedding.objects.filter(pk=LoadShedding.ONLY).first())
    facts, bounds = facts or gather(), _bounds()
    _log_channels(channels_without_worker(facts, bounds))
    new = decide(old, facts, bounds, read_state().now)
    if new == old or not _write(old, new) or new.level is old.level:
        return new.level
    reset()
    log.warning("load level changed", action="shedding", level=new.level.value, cause=new.cause)
    return new.level


def _log_channels(without_worker: set[str]) -> None:
    """One line for a channel without a worker; another line only after the channel had a worker again."""
    for channel in set(_looks) - without_worker:
        del _looks[channel]
    for channel in sorted(without_worker):
        _looks[channel] += 1
        if _looks[channel] == LOOKS:
            log.warning("no worker", action="shedding", channel=channel)


def _bounds() -> Bounds:
    accept = settings.LOAD_SHEDDING_ACCEPT_SECONDS
    return Bounds(settings.LOAD_SHEDDING_WAIT_SECONDS, accept, LOOP_LAG_SECONDS if accept else 0.0)


def _write(old: Decided, new: Decided) -> bool:
    """False when another process has written meanwhile: the next look decides from what it wrote."""
    LoadShedding.objects.get_or_create(pk=LoadShedding.ONLY)
    return bool(LoadShedding.objects.filter(pk=LoadShedding.ONLY, **_columns(old)).update(**_columns(new)))


def _columns(decided: Decided) -> dict[str, Any]:
    columns = {"decided": decided.level.value, "decided_at": decided.at, "cause": decided.cause}
    return {**columns, "asked_since": decided.asked_since}


def _decided(row: LoadShedding | None) -> Decided:
    if row is None:
        return Decided()
    return Decided(Level(row.decided), row.decided_at, row.cause, row.asked_since)
