"""The operator's switch: on, off, or as the sweep decides.

Each change is in the audit log of every tenant, because the marketing, digests and imports of every tenant wait."""

from __future__ import annotations

from datetime import timedelta

import structlog
from django.db import transaction
from django.utils import timezone

from notifier.errors import InvalidInput
from notifier.values.duration import write_duration
from notifier.vocabulary.load import LONGEST_SWITCH, USUAL_SWITCH, LoadState, Switch
from tenants import audit
from tenants.load_shedding.level import read_state, reset
from tenants.models import LoadShedding

log = structlog.get_logger("tenants.load_shedding")


def set_switch(switch: Switch, length: timedelta | None = None, by: audit.Actor | None = None) -> LoadState:
    """Set the switch for `length`: an hour for `on` without a length, no end for `off`. Raises InvalidInput with field
    `for`. Returns the new state; a switch that is set already gets the new end."""
    length = length or (USUAL_SWITCH if switch is Switch.ON else None)
    _check(switch, length)
    by = by or audit.Actor()
    until = None if length is None else timezone.now() + length
    columns = {"switch": switch.value, "switch_until": until, "switched_by": by.user}
    with transaction.atomic():
        LoadShedding.objects.update_or_create(id=LoadShedding.ONLY, defaults=columns)
        detail = {"for": write_duration(length)} if length else {}
        audit.record_for_every_tenant(f"load_shedding.{switch.value}", detail, by)
    reset()
    log.info("load shedding switched", action="shedding", switch=switch.value, until=until and until.isoformat())
    return read_state()


def _check(switch: Switch, length: timedelta | None) -> None:
    if length is None:
        return
    if switch is Switch.AUTO:
        raise InvalidInput("`auto` has no end: leave the duration out.", field="for")
    if length > LONGEST_SWITCH:
        raise InvalidInput(f"At most {write_duration(LONGEST_SWITCH)}.", field="for")
