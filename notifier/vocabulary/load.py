"""The level of load shedding, the work that waits while the level is `shedding`, and the operator's switch."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

#: the sweep's own `shedding` ends after this time, whatever the facts say, so that work that waits is never starved
LONGEST_SHEDDING = timedelta(minutes=15)
#: an operator's `on` without a duration, and the longest duration of a switch
USUAL_SWITCH, LONGEST_SWITCH = timedelta(hours=1), timedelta(hours=24)


class Level(StrEnum):
    """How much work the installation does."""

    NORMAL = "normal"  #: everything
    SHEDDING = "shedding"  #: what is urgent; the work of `Work` waits


class Switch(StrEnum):
    """What an operator has said. `ON` and `OFF` may end at a time; then the switch is `AUTO` again."""

    AUTO = "auto"  #: the sweep decides, from measured facts
    ON = "on"  #: the level is `shedding`
    OFF = "off"  #: the level is `normal`


class Work(StrEnum):
    """Work that waits while the level is `shedding`. Critical and transactional messages, opt-outs, stops, GO and what
    a provider reports never wait, so they have no entry here."""

    ANALYTICS = "analytics"  #: opens and clicks, counts of reports, winners of A/B tests chosen by rule
    DIGESTS = "digests"  #: closing digests
    IMPORTS = "imports"  #: reading uploaded files
    EXPANSIONS = "expansions"  #: arming campaigns without a plan, copying outcomes into the ledger
    MARKETING = "marketing"  #: single messages of the bulk lane
    DELETIONS = "deletions"  #: deleting what is older than a tenant's retention


@dataclass(frozen=True)
class LoadState:
    """The row `tenants_loadshedding`, with the time of the database at which it was read."""

    now: datetime
    switch: Switch = Switch.AUTO
    switch_until: datetime | None = None
    #: the login of the operator; empty for a command
    switched_by: str = ""
    #: what the sweep decided, and when
    decided: Level = Level.NORMAL
    decided_at: datetime | None = None
    #: why the sweep decided so; empty: never decided
    cause: str = ""

    @property
    def active_switch(self) -> Switch:
        """The switch, or AUTO after its end."""
        is_over = self.switch_until is not None and self.switch_until <= self.now
        return Switch.AUTO if is_over else self.switch

    @property
    def level(self) -> Level:
        """The level that holds now. Needs no sweep: a switch and a decision end by themselves."""
        if self.active_switch is Switch.ON:
            return Level.SHEDDING
        if self.active_switch is Switch.OFF or self.until is None or self.until <= self.now:
            return Level.NORMAL
        return Level.SHEDDING

    @property
    def until(self) -> datetime | None:
        """When `shedding` ends at the latest; None when there is no such time."""
        if self.active_switch is not Switch.AUTO:
            return self.switch_until if self.active_switch is Switch.ON else None
        if self.decided is Level.NORMAL or self.decided_at is None:
            return None
        return self.decided_at + LONGEST_SHEDDING
