"""What of a shard is on the wire: volleys of moulded requests, and windows of the engine's pump for everything else."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from contextlib import suppress

from campaigns.sending.bodies import BodyBuilder
from campaigns.sending.claim import ClaimedShard
from campaigns.shard.outcomes import OutcomeNote
from notifier.channels import channel
from notifier.delivery.accounts import registry
from notifier.delivery.dispatch import (
    GATHER,
    Dispatcher,
    FallbackAccounts,
    envelope_of,
    expires_in,
    learn,
    outcome_of,
    slow_down,
)
from notifier.delivery.ledger.claims import Claimed
from notifier.delivery.ledger.settle import Outcome
from notifier.errors import NotifierError
from notifier.vocabulary.http import Answered, RequestBatch, Response, TokenRefused, TransportError
from notifier.vocabulary.verdicts import Throttled, Verdict

#: FCM also answers 429 when one device gets too much: one of more answers than this does not stop the account
ANSWERS_PER_429 = 50


class InFlight:
    """For one shard, used by one thread. Outcomes go into the shard's record; `handing` collects those that the ledger
    must take over."""

    def __init__(self, claimed: ClaimedShard) -> None:
        self._claimed = claimed
        self.requeuing: list[Outcome] = []
        #: something happened that is not written down yet
        self.dirty = False
        #: which messages a volley carries, and the shard's delay when it was launched
        self._batches: dict[RequestBatch, tuple[Sequence[int], int]] = {}
        self._dispatcher = Dispatcher(self.collect)
        self._places: dict[uuid.UUID, int] = {}
        self._verdicts: list[Verdict] = []  #: of what was no plain 200
        self._taken = self._refused = 0
        #: nothing was withdrawn yet
        self.going = True
        self._others = FallbackAccounts(claimed.account, claimed.mode)
        try:
            self._provider = registry.provider_for(claimed.account)
            self._client = registry.http_client_for(claimed.account)
        except (NotifierError, ValueError):
            self._builder = None  # the pump says what is wrong with the account's settings
            return
        self._completions = self._client.completion_queue()
        self._wanted = None if self._provider.builtin else self._provider.wanted_token()
        self._builder = BodyBuilder(self._provider, claimed.payload, envelope_of(claimed.row(0)))

    @property
    def window(self) -> int:
        """How many messages may be under way at once. No more than the transport has streams: what waits inside it
        can neither be stopped nor be told from what was sent."""
        kind = channel(self._claimed.channel)
        over_http = self._builder is not None and not self._provider.builtin
        return kind.in_flight(self._client.streams) if over_http else kind.window

    @property
    def on_wire(self) -> int:
        return self._dispatcher.rows + (self._completions.left if self._batches else 0)

    # -- out --

    def ready(self) -> None:
        """Have the access token at hand: to fetch one takes up to the provider's timeout, and nothing may stand between
        the looks at stop and consent and the wire."""
        if self._builder and self._wanted:
            with suppress(TokenRefused):  # the provider's own send says so of each message
                self._client.token(self._wanted)

    def launch(self, rows: Sequence[int]) -> None:
        """Write begun messages to the wire."""
        untemplatable = self._builder.untemplatable if self._builder else frozenset(rows)
        slow = [i for i in rows if i in untemplatable] if untemplatable else []
        fast = [i for i in rows if i not in untemplatable] if slow else rows
        if fast and not self._send_batch(fast):
            slow = list(rows)
        if slow:
            self._dispatcher.launch(self._claimed.account, [self._row(i) for i in slow])

    def _send_batch(self, rows: Sequence[int]) -> bool:
        """False when no volley can be made of them; the slow way says why."""
        assert self._builder is not None
        try:
            token = self._client.token(self._wanted) if self._wanted else ""
            head, bodies = self._builder.bodies(rows, token, expires_in(self._claimed.campaign.not_after))
        except (TokenRefused, ValueError, TypeError, KeyError):
            return False
        launched = self._claimed.delay()
        self._batches[self._completions.send_batch(head, bodies)] = rows, launched
        return True

    def withdraw(self) -> None:
        """What waits inside the transport does not begin any more; each comes back as not begun."""
        self.going = False
        for send_batch in self._batches:
            send_batch.withdraw()

    # -- back --

    def gather(self, patience: float) -> None:
        """Note what has been answered; waits up to `patience` seconds for the first of it, or for nothing."""
        if not self._dispatcher.batches and not self._batches:
            time.sleep(patience)
        if self._dispatcher.batches:
            self._dispatcher.settle(min(patience, GATHER) if self._batches else patience)
        if self._batches:
            for send_batch, answers in self._completions.take(
                min(patience, GATHER) if self._dispatcher.batches else patience
            ):
                self._told(send_batch, answers)

    def _told(self, send_batch: RequestBatch, answers: Sequence[Answered]) -> None:
        (rows, launched), record = self._batches[send_batch], self._claimed.record
        self.dirty = True
        taken = [rows[at] for at, answer in answers if type(answer) is int]
        record.took(taken, self._claimed.delay())
        self._taken += len(taken)
        if len(taken) != len(answers):
            self._odd([(rows[at], answer) for at, answer in answers if not isinstance(answer, int)], launched)
        if not send_batch.left:
            del self._batches[send_batch]

    def _odd(self, answers: Sequence[tuple[int, Response | TransportError]], launched: int) -> None:
        """Answers that are no plain 200."""
        verdicts: list[Verdict] = []
        for i, answer in answers:
            verdict = self._provider.verdict(answer)
            if not (skipped := self._says_nothing(answer)):
                verdicts.append(verdict)
            self.note(i, outcome_of(self._claimed.row(i, launched), verdict, self._others), skipped=skipped)
        self._verdicts += verdicts
        if self._wanted and any(isinstance(answer, Response) and answer.status == 401 for _, answer in answers):
            self._client.forget_token(self._wanted.cache_key)
        self._slow_down([verdict for verdict in verdicts if isinstance(verdict, Throttled)])

    def _says_nothing(self, answer: Response | TransportError) -> bool:
        """Neither of the message nor of the account: a token that ended, or what was withdrawn after a stop."""
        if isinstance(answer, TransportError):
            return not answer.begun and not self.going
        return answer.status == 401 and self._wanted is not None

    def _slow_down(self, refusals: Sequence[Throttled]) -> None:
        self._refused += len(refusals)
        if refusals and self._refused * ANSWERS_PER_429 > self._taken + len(self._verdicts):
            slow_down(self._claimed.account, refusals)

    def collect(self, outcomes: Sequence[Outcome]) -> None:
        """Outcomes of single messages; one that is to be tried again is the ledger's from now on."""
        for outcome in outcomes:
            self.dirty = True
            self.note(self._places.pop(outcome.row.id), outcome)

    def note(self, i: int, outcome: Outcome, *, skipped: bool = False) -> None:
        """One outcome into the record. `skipped`: it is nobody's failure; nor is what a cut connection took with it,
        before its last attempt."""
        self._claimed.record.disconnected += outcome.disconnected
        skipped = skipped or (outcome.disconnected and not outcome.final)
        dead_as_of = self._claimed.delay_at(outcome.dead.as_of) if outcome.address_is_dead else None
        note = OutcomeNote(str(outcome.reason), outcome.detail, outcome.provider_ref, dead_as_of, outcome.dead_letter)
        if not outcome.final:
            self.requeuing.append(outcome)
            note = OutcomeNote()
        self._claimed.record.ended(i, outcome.status, self._claimed.delay(), note, skipped=skipped)

    def _row(self, i: int) -> Claimed:
        row = self._claimed.row(i)
        self._places[row.id] = i
        return row

    def learn(self) -> None:
        """Move the account's health by what its volleys said; the pump does so for its own."""
        if self._builder is not None and not self._provider.builtin:
            learn(self._claimed.account, self._verdicts, self._taken)
