"""Providers that throttle, fail, hang, lose answers and close connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.chaos.context import Context
from tests.chaos.row import NO_FAULTS, SLOW, Row
from tests.chaos.stack.accounts import enable_second_accounts
from tests.flows.tenant import Tenant

#: the form of a Retry-After -> its value
RETRY_AFTER = {
    "seconds": 2,
    "date": "date",
    "missing": None,
    "garbage": "soon",
    "negative": "-5",
    "past": "Thu, 01 Jan 1970 00:00:00 GMT",
}
#: "as long as possible": a clamp of the product brings it down to an hour
ABSURD = "999999999999"
CLAMP_SECONDS = 3600


def storm(answer: str, **faults: Any) -> Callable[[Context], None]:
    """These knobs for some seconds, and until some requests have ended so."""

    def inject(context: Context) -> None:
        before = context.receiver.answers(answer)
        context.sandbox.faults(**faults)
        context.pause(15, 1)
        ended = context.until(lambda: context.receiver.answers(answer) - before, f"answers {answer}")
        context.sandbox.faults(**NO_FAULTS)
        context.note(f"{ended} × {answer}")

    return inject


def throttled(value: object) -> Callable[[Context], None]:
    return storm("429", retry_after=value, services={"push": {"throttle_rate": 0.3}, "sms": {"throttle_rate": 0.3}})


def lost(context: Context) -> None:
    """The provider takes the message, and its answer is lost."""
    before = context.receiver.answers("reset")
    storm("reset", services={"push": {"lost_rate": 0.1}, "sms": {"lost_rate": 0.1}})(context)
    context.allow(context.receiver.answers("reset") - before)


def reset(context: Context) -> None:
    """Streams and connections end without an answer, and without the message."""
    before = context.receiver.answers("reset")
    storm("reset", services={"push": {"reset_rate": 0.1}, "sms": {"reset_rate": 0.1}})(context)
    context.allow(context.receiver.answers("reset") - before)


def absurd(context: Context) -> None:
    """A Retry-After of thirty thousand years: the message waits for an hour at most, and can be cancelled."""
    tenant = Tenant(context.site, context.site.new_tenant())  # its person is in no campaign
    tenant.publish("order", "order-updates")
    tenant.person("hour", f"{tenant.tag}hour-throttled")
    context.sandbox.faults(retry_after=ABSURD)
    sent = tenant.send("hour", "order", channels=["push"])
    context.until(lambda: context.ledger.longest_wait(sent) > CLAMP_SECONDS / 2, "the message to wait")
    wait = context.ledger.longest_wait(sent)
    context.expect(wait <= CLAMP_SECONDS + 1, f"the message waits for {wait:.0f} s")
    context.sandbox.faults(retry_after=1)
    answer = tenant.api.call("POST", f"/v1/notifications/{sent}/cancel")
    context.expect(answer.status == 200, f"cancel: {answer.status} {answer.text}")
    context.expect(set(tenant.statuses(sent).values()) == {"cancelled"}, "the message was not cancelled")


def goaway(context: Context) -> None:
    """The knobs are those of the whole load."""
    context.pause(10, 2)


def failover(context: Context) -> None:
    """The first account of SMS and of email is down: the second one takes over."""
    with enable_second_accounts(context.site, [side.tenant.credentials.slug for side in context.sides]):
        down = {"twilio": {"down": True}, "smtp": {"down": True}}
        context.sandbox.faults(services=down)
        before = context.receiver.services()
        context.pause(20, 4)
        context.until(lambda: context.receiver.services() > before, "the second accounts to take over")
        context.sandbox.faults(**NO_FAULTS)
        context.pause(2, 1.5)


GOAWAY = {**SLOW, "goaway_every": 60, "refuse_every": 7}
#: a message that fails four times waits for two minutes, so that one load of the short form has one storm
GROUPS = ("valkey 1", "valkey 2", "postgres 1", "postgres 2", "postgres 3", "repeats")
HANGS, ERRORS = storm("503", services={"push": {"hang_rate": 0.1}}), storm("503", error_rate=0.3)
ROWS = (
    *(
        Row(f"429 {form}", f"30 % of pushes and SMS get 429, Retry-After {form}", throttled(value), group=group)
        for (form, value), group in zip(RETRY_AFTER.items(), GROUPS, strict=True)
    ),
    Row("429 absurd", "Retry-After of 30,000 years", absurd, group="repeats", in_soak=False),
    Row("5xx", "30 % of all answers are 503", ERRORS, group="web"),
    Row("hangs", "10 % of pushes are not answered", HANGS, group="clock"),
    Row("resets", "10 % of pushes and SMS are reset", reset, repeats="SMS without an answer", group="network 1"),
    Row("lost answers", "10 % of answers are lost", lost, repeats="lost answers", group="failover"),
    Row("goaway", "GOAWAY, and refused streams", goaway, group="network 2", faults=GOAWAY),
    Row("failover", "the first accounts of SMS and email are down", failover, group="failover"),
)
