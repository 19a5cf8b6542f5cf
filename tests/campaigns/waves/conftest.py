"""A campaign whose recipients are in several zones, by offsets of a whole hour from UTC.

The tests move the time by parameter. Zones of the database with a fixed offset: Etc/GMT-2 is UTC+2.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from campaigns.models import Campaign
from tenants.models import Recipient
from tests.campaigns.conftest import Site, armed

HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)


def times_from(now: datetime) -> dict[str, datetime]:
    """On a clock of UTC half an hour from now, on one of UTC-1 an hour later; on one of UTC+2 it is over."""
    return {
        "NOW": now,
        "LOCAL": (now + 30 * MINUTE).replace(tzinfo=None),
        "IN_UTC": now + 30 * MINUTE,
        "IN_UTC_MINUS_1": now + 90 * MINUTE,
        "IN_UTC_PLUS_2": now - 90 * MINUTE,
    }


NOW, LOCAL, IN_UTC, IN_UTC_MINUS_1, IN_UTC_PLUS_2 = times_from(datetime.now(UTC).replace(microsecond=0)).values()


@pytest.fixture(autouse=True)
def _times_from_the_tests_beginning(request: pytest.FixtureRequest) -> None:
    """The suite may have begun a quarter of an hour ago, when these modules were read."""
    module = vars(request.module)
    helper = module.get("armed_in_waves")
    for name, time in times_from(datetime.now(UTC).replace(microsecond=0)).items():
        for names in (module, helper.__globals__ if helper else {}):
            if name in names:
                names[name] = time


ZONES = {"ada": "UTC", "bob": "Etc/GMT+1", "cy": "Etc/GMT-2", "dee": ""}


def armed_in_waves(site: Site, zones: dict[str, str] | None = None, **columns: Any) -> Campaign:
    """An armed campaign at LOCAL; the tenant is in UTC."""
    for external_id, zone in (ZONES if zones is None else zones).items():
        Recipient.objects.filter(tenant=site.acme, external_id=external_id).update(timezone=zone)
    return armed(site.draft(local_time=LOCAL, **columns))
