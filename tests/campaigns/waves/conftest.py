"""A campaign whose recipients are in several zones, by offsets of a whole hour from UTC.

The tests move the time by parameter. Zones of the database with a fixed offset: Etc/GMT-2 is UTC+2.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from campaigns.models import Campaign
from tenants.models import Recipient
from tests.campaigns.conftest import Site, armed

NOW = datetime.now(UTC).replace(microsecond=0)
HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
#: on a clock of UTC half an hour from now, on one of UTC-1 an hour later; on one of UTC+2 it is over
LOCAL = (NOW + 30 * MINUTE).replace(tzinfo=None)
IN_UTC, IN_UTC_MINUS_1, IN_UTC_PLUS_2 = NOW + 30 * MINUTE, NOW + 90 * MINUTE, NOW - 90 * MINUTE
ZONES = {"ada": "UTC", "bob": "Etc/GMT+1", "cy": "Etc/GMT-2", "dee": ""}


def armed_in_waves(site: Site, zones: dict[str, str] | None = None, **columns: Any) -> Campaign:
    """An armed campaign at LOCAL; the tenant is in UTC."""
    for external_id, zone in (ZONES if zones is None else zones).items():
        Recipient.objects.filter(tenant=site.acme, external_id=external_id).update(timezone=zone)
    return armed(site.draft(local_time=LOCAL, **columns))
