"""One load with its rows: two tenants' campaigns and a trickle, faults in turn, and the judgement."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from notifier.local.processes.run_parallel import run_parallel
from tests.chaos.context import AWAY, Context, NotReached, Skipped
from tests.chaos.judging.gather import gather
from tests.chaos.judging.invariants import judge
from tests.chaos.judging.ledger import Run
from tests.chaos.load.campaigns import Round, Side, draft
from tests.chaos.load.trickle import Trickle
from tests.chaos.options import Options
from tests.chaos.report import Result
from tests.chaos.row import NO_FAULTS, Row, When, knobs
from tests.chaos.stack.site import ChaosSite
from tests.flows.tenant import Campaign
from tests.flows.wait import until

#: seconds until everything that was accepted has ended; the last retries wait 2 and 10 min
ENDS_WITHIN = 1_000.0
#: share of all messages that must arrive between two faults
STEP = 0.02
MOST_ROUNDS = 12


class Load:
    """One load. `run` injects the rows one after the other, and starts another round of campaigns when one has ended
    before all faults are injected. `pause`: seconds after each fault."""

    def __init__(
        self, site: ChaosSite, sides: Sequence[Side], options: Options, rows: Sequence[Row], pause: float = 0.0
    ) -> None:
        self._rows, self._pause = rows, pause
        self._began = time.monotonic()
        self.results = [Result(row.name) for row in rows]
        seed = random.Random(f"{options.seed} {rows[0].name}")
        self._context = Context(site, sides, options, seed)
        self._trickle = Trickle(sides, seed.randrange(1 << 30))
        self._repaired_at = self._began

    def run(self) -> list[Result]:
        context = self._context
        context.site.start_everything()
        context.sandbox.reset()
        context.ledger.take_violations()
        try:
            run_parallel([partial(row.prepare, context) for row in self._rows if row.prepare])
            with self._trickle:
                pending = list(zip(self._rows, self.results, strict=True))
                while pending and len(context.rounds) < MOST_ROUNDS:
                    self._round(pending)
                for _, result in pending:
                    result.fail(f"the fault was not injected in {MOST_ROUNDS} rounds of campaigns")
            self._judge()
        except Exception as problem:  # the next load must run, and this one has failed
            self._fail_all(f"{type(problem).__name__}: {problem}")
        for doomed in context.doomed.values():
            doomed.end()
        for result in self.results:
            result.seconds = round(time.monotonic() - self._began, 1)
        return self.results

    # ---- one round of campaigns ----------------------------------------------------------------------------------

    def _round(self, pending: list[tuple[Row, Result]]) -> None:
        context = self._context
        round_: Round = context.until(lambda: draft(context.sides), "the campaigns to be written")
        context.rounds.append(round_)
        for campaign in round_.campaigns:
            self._post(campaign, "arm")
        self._inject_all(pending, When.ARMING)
        for campaign in round_.campaigns:
            self._wait_until_not(campaign, "draft", "arming")
        self._slow_down(pending)
        for campaign in round_.campaigns:
            self._post(campaign, "go")
        self._inject_all(pending, When.LAUNCH)
        arrived = 0
        while sending := [item for item in pending if item[0].when in (When.SENDING, When.IDLE)]:
            if not self._wait_for_more(arrived):
                break
            self._slow_down(sending)
            if self._inject(sending[0]):
                pending.remove(sending[0])
            arrived = context.receiver.count()
        context.sandbox.faults(**NO_FAULTS)
        for campaign in round_.campaigns:
            self._wait_until_not(campaign, "running")

    def _slow_down(self, pending: Sequence[tuple[Row, Result]]) -> None:
        """Turn the knobs of the next row."""
        if pending:
            self._context.sandbox.faults(**knobs(pending[0][0].faults, short=self._context.options.short))

    def _inject_all(self, pending: list[tuple[Row, Result]], when: When) -> None:
        for item in [item for item in pending if item[0].when is when]:
            if self._inject(item):
                pending.remove(item)

    def _inject(self, item: tuple[Row, Result]) -> bool:
        """False when the row must wait for the next round."""
        row, result = item
        context, began = self._context, len(self._context.notes)
        try:
            row.inject(context)
        except NotReached:
            return False
        except Skipped as why:
            result.note = f"left out: {why}"
        except Exception as problem:
            result.fail(f"{type(problem).__name__}: {problem}")
        context.site.proxy.heal()
        context.site.start_everything()
        time.sleep(self._pause)
        self._repaired_at = time.monotonic()
        result.note = "; ".join(filter(None, [result.note, *context.notes[began:]]))
        return True

    def _wait_for_more(self, arrived: int) -> bool:
        """Whether more messages arrived before the campaigns ended."""
        context = self._context
        step = max(10, int(STEP * sum(side.size for side in context.sides)))
        campaigns = context.rounds[-1].campaigns

        def moved() -> str:
            with suppress(*AWAY):
                if context.receiver.count() >= arrived + step:
                    return "more"
                if all(campaign.read()["state"] != "running" for campaign in campaigns):
                    return "ended"
            return ""

        return until(moved, "messages to arrive", ENDS_WITHIN) == "more"

    def _wait_until_not(self, campaign: Campaign, *states: str) -> None:
        what = f"a campaign not to be {' or '.join(states)}"
        self._context.until(lambda: campaign.read()["state"] not in states, what, ENDS_WITHIN)

    def _post(self, campaign: Campaign, step: str) -> None:
        """POST until it is answered: GO and arming may be repeated."""

        def accepted() -> bool:
            return campaign.post(step).status < 300

        self._context.until(accepted, f"{step} to be accepted")

    # ---- the judgement -------------------------------------------------------------------------------------------

    def _judge(self) -> None:
        context, accepted = self._context, self._trickle.accepted
        run = Run(
            [c for round_ in context.rounds for c in round_.ids], [*accepted.ids.values(), *context.notifications]
        )
        try:
            context.until(lambda: context.ledger.unfinished(run) == 0, "everything to end", ENDS_WITHIN)
        except AssertionError as late:
            self._fail_all(f"I1: {late}")
        recovery = time.monotonic() - self._repaired_at
        facts = gather(context, run, accepted)
        judgement = judge(facts)
        for result in self.results:
            result.recovery_s = round(recovery, 1)
            result.add(judgement, facts.allowed)

    def _fail_all(self, problem: str) -> None:
        for result in self.results:
            result.fail(problem)
