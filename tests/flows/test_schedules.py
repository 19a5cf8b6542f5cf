"""A schedule sends a campaign and a notification at their minute, once, though three beats ring."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.flows.sandbox import Sandbox
from tests.flows.site import Site
from tests.flows.tenant import Tenant
from tests.flows.wait import until

PEOPLE = 40
#: two more beats beside the one of the site, until five sweeps after the file is gone
TWO_MORE_BEATS = """
import time
from pathlib import Path
from notifier.celery import app
more = 5
for _ in range(400):
    app.send_task("campaigns.sweep")
    app.send_task("campaigns.sweep")
    time.sleep(1)
    more -= not Path({file!r}).exists()
    if not more:
        break
"""


@pytest.fixture
def stop_two_more_beats(site: Site, tmp_path: Path) -> Iterator[Callable[[], None]]:
    """Two more beats run until this is called. It returns after their last sweeps."""
    file = tmp_path / "beats"
    file.touch()
    with ThreadPoolExecutor(1) as pool:
        beats = pool.submit(site.manage, "shell", "-c", TWO_MORE_BEATS.format(file=str(file)))

        def stop() -> None:
            file.unlink(missing_ok=True)
            assert beats.result().returncode == 0

        yield stop
        stop()


def test_a_slot_is_sent_once_by_three_beats(
    site: Site, tenant: Tenant, sandbox: Sandbox, stop_two_more_beats: Callable[[], None]
) -> None:
    people = tenant.people(PEOPLE)
    tenant.import_people(people)
    tenant.publish("offer", "promotions")
    reminded = tenant.person("ann", f"{tenant.tag}ann").token
    draft = tenant.draft("offer", tenant.list_of([p.external_id for p in people]), ["push"])
    # at least 15 s to arm
    at = f"{datetime.now(UTC) + timedelta(seconds=75):%Y-%m-%dT%H:%M}"
    when = {"at": at, "timezone": "UTC"}
    campaign = tenant.api.request_json("POST", "/v1/schedules", {"name": "Offer", "campaign": draft.id, **when})
    notification = {"recipient": "ann", "template": "offer", "channels": ["push"]}
    reminder = tenant.api.request_json(
        "POST", "/v1/schedules", {"name": "Reminder", "notification": notification, **when}
    )

    def states() -> list[str]:
        return [tenant.api.request_json("GET", f"/v1/schedules/{s['id']}")["state"] for s in (campaign, reminder)]

    until(lambda: states() == ["finished"] * 2, "both slots", seconds=240)
    until(lambda: len(sandbox.addresses(tenant.tag)) == PEOPLE + 1, "all messages")
    stop_two_more_beats()
    assert sandbox.addresses(tenant.tag) == {**{p.token: 1 for p in people}, reminded: 1}
    slots = [made(tenant, schedule) for schedule in (campaign, reminder)]
    assert [(slot["state"], slot["at"][:16]) for slot in slots] == [("done", at)] * 2
    assert tenant.api.request_json("GET", f"/v1/campaigns/{slots[0]['campaign']}")["launched_at"][:16] >= at


def made(tenant: Tenant, schedule: dict[str, Any]) -> dict[str, Any]:
    """The one slot that the schedule had."""
    (slot,) = tenant.api.request_json("GET", f"/v1/schedules/{schedule['id']}/slots")["data"]
    return dict(slot)
