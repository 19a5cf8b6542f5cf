"""Workers whose clock is a day ahead or behind: every due time and lease is the database's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from notifier.local.processes.run_parallel import run_parallel
from tests.chaos.context import Context
from tests.chaos.load.campaigns import draft
from tests.chaos.row import Row, When

DAY = 86_400.0
#: those that need no token whose age a provider checks
WORKERS = ("worker:sms.bulk:1", "worker:email.bulk:1", "worker:sms:1")


def shifted(seconds: float) -> Callable[[Context], None]:
    """These workers run with a wrong clock for a while; a message for later does not leave early."""

    def inject(context: Context) -> None:
        _each(lambda name: _shift(context, name, seconds))
        side = context.sides[0]
        later = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
        waits = side.tenant.send("u2", "order", channels=["sms"], send_at=later)
        context.pause(30, 4)
        context.expect(set(side.tenant.statuses(waits).values()) == {"queued"}, "a message left two hours early")
        side.tenant.api.call("POST", f"/v1/notifications/{waits}/cancel")
        _each(context.terminate)

    return inject


def _shift(context: Context, name: str, seconds: float) -> None:
    context.terminate(name)
    context.site.shift_clock(name, seconds)


def _each(do: Callable[[str], None]) -> None:
    run_parallel([partial(do, name) for name in WORKERS])


def control_ahead(context: Context) -> None:
    """The sweep runs on a machine that is a day ahead: a campaign that is planned for later must not leave."""
    planned = draft(context.sides[:1], ["in_app"]).campaigns[0]
    planned.arm()
    later = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    planned.tenant.api.request_json("PATCH", f"/v1/campaigns/{planned.id}", {"launch_at": later})
    context.terminate("worker:control:1")
    context.site.shift_clock("worker:control:1", DAY)
    context.pause(20, 4)
    state = planned.read()["state"]
    planned.post("stop")
    context.terminate("worker:control:1")
    context.expect(state == "armed", f"the campaign that is planned for later is {state}")


ROWS = (
    Row("clock a day ahead", "workers whose clock is a day ahead", shifted(DAY), group="clock", in_soak=False),
    Row("clock a day behind", "workers whose clock is a day behind", shifted(-DAY), group="clock", in_soak=False),
    Row("control a day ahead", "the sweep's clock is a day ahead", control_ahead, When.SENDING, group="clock",
        in_soak=False),
)  # fmt: skip
