"""What of a shard is on the wire: volleys of moulded requests, and windows of the engine's pump for everything else."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from contextlib import suppress

from campaigns.claim import Held
from campaigns.press import Press
from campaigns.record import Note
from notifier.channels import channel
from notifier.delivery import accounts
from notifier.delivery.pump import GATHER, Others, Pump, envelope_of, expires_in, learn, outcome_of, slow_down
from notifier.delivery.settle import Outcome
from notifier.delivery.store import Claimed
from notifier.errors import NotifierError
from notifier.vocabulary import Answered, Broken, Response, Throttled, TokenRefused, Verdict, Volley

#: FCM also answers 429 when one device gets too much: one of more answers than this does not stop the account
FEW = 50


class Flights:
    """For one shard, used by one thread. Outcomes go into the shard's record; `handing` collects those that the ledger
    must take over."""

    def __init__(self, held: Held) -> None:
        self._held = held
        self.handing: list[Outcome] = []
        #: something happened that is not written down yet
        self.dirty = False
        #: which messages a volley carries, and the shard's delay when it was launched
        self._volleys: dict[Volley, tuple[Sequence[int], int]] = {}
        self._pump = Pump(self.collect)
        self._places: dict[uuid.UUID, int] = {}
        self._verdicts: list[Verdict] = []  #: of what was no plain 200
        self._taken = self._refused = 0
        #: nothing was withdrawn yet
        self.going = True
        self._others = Others(held.account, held.mode)
        try:
            self._provider, self._wire = accounts.provider_for(held.account), accounts.wire_for(held.account)
        except (NotifierError, ValueError):
            self._press = None  # the pump says what is wrong with the account's settings
            return
        self._mailbox = self._wire.mailbox()
        self._wanted = None if self._provider.builtin else self._provider.wanted_token()
        self._press = Press(self._provider, held.payload, envelope_of(held.row(0)))

    @property
    def window(self) -> int:
        """How many messages may be under way at once. No more than the transport has streams: what waits inside it
        can neither be stopped nor be told from what was sent."""
        return self._wire.streams if self._press and not self._provider.builtin else channel(self._held.channel).window

    @property
    def on_wire(self) -> int:
        return self._pump.rows + (self._mailbox.left if self._volleys else 0)

    # -- out --

    def ready(self) -> None:
        """Have the access token at hand: to fetch one takes up to the provider's timeout, and nothing may stand between
        the looks at stop and consent and the wire."""
        if self._press and self._wanted:
            with suppress(TokenRefused):  # the provider's own send says so of each message
                self._wire.token(self._wanted)

    def launch(self, rows: Sequence[int]) -> None:
        """Write begun messages to the wire."""
        odd = self._press.odd if self._press else frozenset(rows)
        slow = [i for i in rows if i in odd] if odd else []
        fast = [i for i in rows if i not in odd] if slow else rows
        if fast and not self._volley(fast):
            slow = list(rows)
        if slow:
            self._pump.launch(self._held.account, [self._row(i) for i in slow])

    def _volley(self, rows: Sequence[int]) -> bool:
        """False when no volley can be made of them; the slow way says why."""
        assert self._press is not None
        try:
            token = self._wire.token(self._wanted) if self._wanted else ""
            head, bodies = self._press.bodies(rows, token, expires_in(self._held.campaign.not_after))
        except (TokenRefused, ValueError, TypeError, KeyError):
            return False
        launched = self._held.delay()
        self._volleys[self._mailbox.volley(head, bodies)] = rows, launched
        return True

    def withdraw(self) -> None:
        """What waits inside the transport does not begin any more; each comes back as not begun."""
        self.going = False
        for volley in self._volleys:
            volley.withdraw()

    # -- back --

    def gather(self, patience: float) -> None:
        """Note what has been answered; waits up to `patience` seconds for the first of it, or for nothing."""
        if not self._pump.flights and not self._volleys:
            time.sleep(patience)
        if self._pump.flights:
            self._pump.settle(min(patience, GATHER) if self._volleys else patience)
        if self._volleys:
            for volley, answers in self._mailbox.take(min(patience, GATHER) if self._pump.flights else patience):
                self._told(volley, answers)

    def _told(self, volley: Volley, answers: Sequence[Answered]) -> None:
        (rows, launched), record = self._volleys[volley], self._held.record
        self.dirty = True
        taken = [rows[at] for at, answer in answers if type(answer) is int]
        record.took(taken, self._held.delay())
        self._taken += len(taken)
        if len(taken) != len(answers):
            self._odd([(rows[at], answer) for at, answer in answers if not isinstance(answer, int)], launched)
        if not volley.left:
            del self._volleys[volley]

    def _odd(self, answers: Sequence[tuple[int, Response | Broken]], launched: int) -> None:
        """Answers that are no plain 200."""
        verdicts: list[Verdict] = []
        for i, answer in answers:
            verdict = self._provider.verdict(answer)
            if not (excused := self._says_nothing(answer)):
                verdicts.append(verdict)
            self.note(i, outcome_of(self._held.row(i, launched), verdict, self._others), excused=excused)
        self._verdicts += verdicts
        if self._wanted and any(isinstance(answer, Response) and answer.status == 401 for _, answer in answers):
            self._wire.forget_token(self._wanted.cache_key)
        self._slow_down([verdict for verdict in verdicts if isinstance(verdict, Throttled)])

    def _says_nothing(self, answer: Response | Broken) -> bool:
        """Neither of the message nor of the account: a token that ended, or what was withdrawn after a stop."""
        if isinstance(answer, Broken):
            return not answer.begun and not self.going
        return answer.status == 401 and self._wanted is not None

    def _slow_down(self, refusals: Sequence[Throttled]) -> None:
        self._refused += len(refusals)
        if refusals and self._refused * FEW > self._taken + len(self._verdicts):
            slow_down(self._held.account, refusals)

    def collect(self, outcomes: Sequence[Outcome]) -> None:
        """Outcomes of single messages; one that is to be tried again is the ledger's from now on."""
        for outcome in outcomes:
            self.dirty = True
            self.note(self._places.pop(outcome.row.id), outcome)

    def note(self, i: int, outcome: Outcome, *, excused: bool = False) -> None:
        """One outcome into the record. `excused`: it is nobody's failure; nor is what a cut connection took with it,
        before its last attempt."""
        self._held.record.cut += outcome.cut
        excused = excused or (outcome.cut and not outcome.final)
        dead_as_of = self._held.delay_at(outcome.dead.as_of) if outcome.address_is_dead else None
        note = Note(str(outcome.reason), outcome.detail, outcome.provider_ref, dead_as_of, outcome.dead_letter)
        if not outcome.final:
            self.handing.append(outcome)
            note = Note()
        self._held.record.ended(i, outcome.status, self._held.delay(), note, excused=excused)

    def _row(self, i: int) -> Claimed:
        row = self._held.row(i)
        self._places[row.id] = i
        return row

    def learn(self) -> None:
        """Move the account's health by what its volleys said; the pump does so for its own."""
        if self._press is not None and not self._provider.builtin:
            learn(self._held.account, self._verdicts, self._taken)
