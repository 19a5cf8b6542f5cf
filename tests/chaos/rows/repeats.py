"""The same thing many times: wakeups, requests, GO, receipts, beats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.chaos.context import Context
from tests.chaos.row import SLOW, Row, When
from tests.chaos.stack.django import use_django

TIMES, CALLERS = 10, 50


def doorbells(context: Context) -> None:
    """Every Celery message ten times, in any order."""
    use_django(context.site)
    from notifier.celery import app
    from notifier.channels.queues import CONTROL, queue_of
    from notifier.vocabulary.status import Lane

    messages: list[tuple[str, list[str], str]] = [("notifier.sweep", [], CONTROL), ("campaigns.sweep", [], CONTROL)]
    for name in (queue.name for queue in context.site.queues):
        if name not in ("control", "batch", "receipts"):
            messages.append(("notifier.deliver", [name], name))
    for campaign in context.rounds[-1].ids:
        messages += [(f"campaigns.{task}", [campaign], CONTROL) for task in ("dispatch", "finish_chord", "cancel_rows")]
        messages.append(("campaigns.account", [campaign], "batch"))
    for shard, channel in context.ledger.shards(context.rounds[-1].ids):
        messages.append(("campaigns.send_shard", [shard], queue_of(channel, Lane.BULK)))
    repeated = messages * TIMES
    context.random.shuffle(repeated)
    for task, arguments, queue in repeated:
        app.send_task(task, args=arguments, queue=queue)
    context.note(f"{len(repeated)} messages")


def one_key(context: Context) -> None:
    """Fifty callers post the same request with one idempotency key: one notification, one answer."""
    side = context.sides[0]
    key = f"chaos-{context.random.randrange(1 << 60)}"

    def post(_: int) -> tuple[int, str]:
        answer = side.tenant.post("u1", "order", key, channels=["push"])
        return answer.status, str(answer.json.get("id", "")) if answer.status == 202 else ""

    with ThreadPoolExecutor(CALLERS) as pool:
        answers = list(pool.map(post, range(CALLERS)))
    ids = {identity for _, identity in answers if identity}
    context.expect(len(ids) == 1, f"one key made {len(ids)} notifications: {Counter(status for status, _ in answers)}")
    context.expect({status for status, _ in answers} <= {202, 409}, f"answers: {Counter(answers)}")
    context.notifications += ids
    context.own_messages += 1


def go_again(context: Context) -> None:
    """Twenty callers ask for GO after GO: none of them launches."""
    for campaign in context.rounds[-1].campaigns:
        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(lambda _, campaign=campaign: campaign.post("go"), range(20)))
        launched = sum(bool((answer.json or {}).get("launched")) for answer in answers)
        context.expect(launched == 0, f"{launched} of 20 late callers launched the campaign again")


def shuffled_receipts(context: Context) -> None:
    """Each receipt comes five times, all of them in any order: `sent` after `delivered` moves nothing back."""
    side = context.sides[0]
    sent = [side.tenant.send(f"u{n}", "order", channels=["sms"]) for n in range(10)]
    context.notifications += sent
    context.own_messages += len(sent)
    context.until(lambda: _statuses(context, sent) == {"delivered"}, "the receipts")
    context.until(lambda: context.receiver.callbacks_waiting() == 0, "the last receipt")
    context.expect(_statuses(context, sent) == {"delivered"}, f"statuses {_statuses(context, sent)}")


def _statuses(context: Context, notifications: list[str]) -> set[str]:
    tenant = context.sides[0].tenant
    return {status for one in notifications for status in tenant.statuses(one).values()}


def more_beats(context: Context) -> None:
    """Three beats tick at once."""
    context.site.start("beat:2", "beat:3")
    context.pause(20, 3)
    context.site.stop("beat:2")
    context.site.stop("beat:3")


def no_beat(context: Context) -> None:
    """Nothing ticks for a while: the workers go on without a sweep."""
    context.site.kill("beat")
    context.pause(30, 4)
    context.site.start("beat")


def _row(name: str, says: str, inject: Callable[[Context], None], when: When = When.SENDING) -> Row:
    return Row(name, says, inject, when, group="repeats", faults={**SLOW, "callback_repeats": 4})


ROWS = (
    _row("go again", "twenty callers ask for GO once more", go_again, When.LAUNCH),
    _row("doorbells", "each Celery message ten times", doorbells),
    _row("one key", "fifty requests with one idempotency key", one_key),
    _row("receipts shuffled", "each receipt five times, in any order", shuffled_receipts),
    _row("three beats", "three beats tick", more_beats),
    _row("no beat", "no beat ticks", no_beat),
)
