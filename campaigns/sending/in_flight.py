"""A shard's messages in flight: request batches of templated messages, and the engine's dispatcher for all others."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from campaigns.sending.accepted_log import AcceptedLog
from campaigns.sending.bodies import Batch, BodyBuilder
from campaigns.sending.claimed_shard import ClaimedShard
from campaigns.sending.columns import mean_characters, message_columns
from campaigns.shard.outcomes import OutcomeNote
from notifier.channels import channel
from notifier.channels.queues import queue_of
from notifier.delivery.accounts import recent_answers, registry
from notifier.delivery.accounts.judging import update_health
from notifier.delivery.dispatch import (
    GATHER,
    Dispatcher,
    FallbackAccounts,
    blames_account,
    outcome_of,
    slow_down,
)
from notifier.delivery.infra.db_retry import TIMEOUT_SECONDS
from notifier.delivery.ledger.claims import Claimed
from notifier.delivery.ledger.settle import Outcome
from notifier.delivery.messages import envelope_of, expires_in, is_tracked, message_of, unread_of
from notifier.errors import NotifierError
from notifier.metrics.recording import measures
from notifier.tracing import derived, switch
from notifier.vocabulary.http import Answered, RequestBatch, Response, TokenRefused, TransportError
from notifier.vocabulary.status import Lane, Status
from notifier.vocabulary.verdicts import Sent, Temporary, Throttled, Verdict, Withdrawn

#: bytes of messages that one shard has in memory at once
IN_FLIGHT_BYTES = 64 << 20
#: characters of a chunk that a provider takes as columns: 2,000 messages of 4,000 characters
COLUMN_CHARACTERS = 8 << 20
#: messages of a chunk: half of a window, at most this
MAX_CHUNK = 500
_SENT = frozenset({Status.SENT, Status.DELIVERED})
#: so many messages in a row that another account takes over show that the account is down
MOVED_IN_A_ROW = 20


class InFlight:
    """The messages of one shard in flight; used by one thread. Writes outcomes into the claimed shard; `requeued`
    collects the outcomes that are not final, for the ledger."""

    def __init__(self, claimed: ClaimedShard) -> None:
        self._claimed = claimed
        self._queue = queue_of(claimed.channel, Lane.BULK)
        #: messages by their final status that the metrics do not have yet
        self._ended: Counter[str] = Counter()
        self.requeued: list[Outcome] = []
        #: some outcomes are not written to the database yet
        self.unwritten = False
        #: nothing new begins any more
        self.withdrawn = False
        #: the messages that a batch carries, and the shard's delay when the transport got the batch
        self._batches: dict[RequestBatch, tuple[Sequence[int], int]] = {}
        #: when batches left, while the shard's turn is traced
        self._began: dict[RequestBatch, int] = {}
        self._dispatcher = Dispatcher(self.record_outcomes, self._record_withdrawn)
        #: what providers said about failed messages with a living address, and how often
        self.failures: Counter[str] = Counter()
        #: begun messages that a provider which takes columns has not stored, and that are to be sent again
        self._not_stored: set[int] = set()
        #: messages that an earlier attempt may have stored
        self._may_be_stored = set(claimed.in_doubt)
        #: such a provider has stored nothing since then (time.monotonic()); None: it stores messages
        self._stores_nothing_since: float | None = None
        self._message_of: dict[uuid.UUID, int] = {}
        self._verdicts: list[Verdict] = []  #: for all answers but a plain 200
        self._sent = self._throttled = 0
        self._moved = 0  #: messages since the last one that was sent that another account takes over
        self._fallbacks = FallbackAccounts(claimed.account, claimed.mode)
        try:
            self._provider = registry.provider_for(claimed.account)
            self._client = registry.http_client_for(claimed.account)
        except (NotifierError, ValueError):
            self._builder = None  # the dispatcher records what is wrong with the account's settings
            return
        self._completions = self._client.completion_queue()
        self._token_request = None if self._provider.builtin else self._provider.required_token()
        #: a report may name a message by the server's reference, so that the shard keeps it
        self._needs_references = (
            self._provider.reports or self._provider.polls_receipts or self._provider.protocol != "http"
        )
        row = claimed.ledger_row(0)
        self._builder = BodyBuilder(self._provider, claimed.payload, envelope_of(row), tracks=is_tracked(row))
        #: only the SMTP client reports what a server has accepted, because nothing hides the repeat of an email
        self._accepted_log = AcceptedLog(claimed.id) if self._provider.protocol == "smtp" else None
        if self._accepted_log:
            self._accepted_log.start()

    @property
    def window(self) -> int:
        """How many messages may be in flight at once. No more than the transport has streams: a message that waits
        inside the transport cannot be stopped, and after a crash it looks like a message that was sent."""
        kind = channel(self._claimed.channel)
        if self._builder is None or self._provider.builtin:
            return kind.window
        window = kind.in_flight(self._client.streams)
        return max(2, min(window, IN_FLIGHT_BYTES // self._body_size())) if self._provider.own_paths else window

    @property
    def chunk(self) -> int:
        """How many messages begin with one statement. All that the provider takes at once, if it takes columns: the
        statements of a chunk cost the same for 200 messages as for 2,000. Fewer large ones: a stop waits for a chunk,
        and PostgreSQL compresses a body of a megabyte in 10 ms."""
        if self._builder is not None and self._provider.column_batch:
            size = max(1, mean_characters(self._claimed.payload))
            return max(1, min(self._provider.column_batch, COLUMN_CHARACTERS // size))
        return min(self.window // 2, MAX_CHUNK) or 1

    def _body_size(self) -> int:
        """Bytes of one message of the shard, about: attachments may have 10 MB."""
        assert self._builder is not None
        with suppress(NotifierError, ValueError, TypeError, KeyError):
            if 0 not in self._builder.untemplatable:
                batches = self._builder.build(range(1), "", expires_in(self._claimed.campaign.not_after))
            else:
                batches, _ = self._builder.build_singly({0: message_of(self._claimed.ledger_row(0), {})}, "")
            return max(len(body) for batch in batches for body in batch.requests.bodies)
        return 1

    @property
    def count(self) -> int:
        """How many messages are in flight."""
        return self._dispatcher.rows + (self._completions.left if self._batches else 0)

    @property
    def account_is_down(self) -> bool:
        """Whether the account takes nothing, and another account takes over what it refused: the rest of the shard
        should leave through that account."""
        return self._moved >= MOVED_IN_A_ROW

    # -- sending --

    def fetch_token(self) -> None:
        """Fetch the access token: it takes up to the provider's timeout, and nothing may stand between the checks for
        stop and consent and the request."""
        if self._builder and self._token_request:
            with suppress(TokenRefused):  # the provider's own send says so of each message
                self._client.token(self._token_request)

    def send(self, rows: Sequence[int], until: float) -> Sequence[int]:
        """Give begun messages to the transport. Returns those that must be checked and sent again: a provider that
        takes columns did not store them until `until` (`time.monotonic()`)."""
        if self._builder and self._provider.column_batch:
            return self._send_columns(rows, until)
        untemplatable = self._builder.untemplatable if self._builder else frozenset(rows)
        single = [i for i in rows if i in untemplatable] if untemplatable else []
        templated = [i for i in rows if i not in untemplatable] if single else rows
        if templated and not self._send_templated(templated):
            single = list(rows)
        if single and self._builder and self._provider.own_paths:
            single = self._send_built_singly(single)
        if single:
            self._dispatcher.start(self._claimed.account, [self._ledger_row(i) for i in single])
        return ()

    def _send_columns(self, rows: Sequence[int], until: float) -> list[int]:
        """Give messages to a provider that takes columns, and record its verdicts. Returns the messages that must be
        checked and sent again."""
        campaign = self._claimed.campaign
        again: list[int] = []
        if self._not_stored:
            self._not_stored.difference_update(rows)
        for batch, columns in message_columns(self._claimed.payload, rows, campaign.tenant_id, campaign.category):
            began = switch.clock() if self._claimed.trace is not None else 0
            verdicts = self._provider.send_columns(columns, until)
            if began:
                self._trace_call(len(batch), began)
            self.unwritten = True
            delivered = [i for at, i in enumerate(batch) if at not in verdicts] if verdicts else batch
            self._record_sent(delivered, Status.DELIVERED)
            if delivered:
                self._stores_nothing_since = None
            repeats = {batch[at]: v for at, v in verdicts.items() if isinstance(v, Withdrawn | Temporary)}
            if repeats and self._may_send_again():
                self._may_be_stored.update(i for i, verdict in repeats.items() if isinstance(verdict, Temporary))
                self._not_stored.update(repeats.keys() - self._may_be_stored)
                again += repeats
                verdicts = {at: verdict for at, verdict in verdicts.items() if batch[at] not in repeats}
            for at, verdict in verdicts.items():
                outcome = outcome_of(self._claimed.ledger_row(batch[at]), verdict, self._fallbacks)
                self.record_outcome(batch[at], outcome, skipped=isinstance(verdict, Withdrawn))
            self._verdicts += [verdict for verdict in verdicts.values() if not isinstance(verdict, Withdrawn)]
        return sorted(again)

    def _may_send_again(self) -> bool:
        """Whether this process tries messages again that the provider did not store; else their verdicts count. False
        when the provider has stored nothing for TIMEOUT_SECONDS, for which every other write waits for the database."""
        now = time.monotonic()
        if self._stores_nothing_since is None:
            self._stores_nothing_since = now
        if now - self._stores_nothing_since < TIMEOUT_SECONDS:
            return True
        self._stores_nothing_since = None
        return False

    def _send_templated(self, rows: Sequence[int]) -> bool:
        """False when no batch can be built of them."""
        assert self._builder is not None
        try:
            batches = self._builder.build(rows, self._token(), expires_in(self._claimed.campaign.not_after))
        except (TokenRefused, ValueError, TypeError, KeyError):
            return False
        self._send_batches(batches)
        return True

    def _send_built_singly(self, rows: Sequence[int]) -> list[int]:
        """Send these messages, each with a request that was built by itself; returns those that make no request. The
        dispatcher then records why."""
        assert self._builder is not None
        try:
            ledger_rows = [self._claimed.ledger_row(i) for i in rows]
            unread = unread_of(ledger_rows)
            messages = {i: message_of(row, unread) for i, row in zip(rows, ledger_rows, strict=True)}
            batches, failed = self._builder.build_singly(messages, self._token())
        except (TokenRefused, NotifierError, TypeError, KeyError):
            return list(rows)
        self._send_batches(batches)
        return failed

    def _token(self) -> str:
        return self._client.token(self._token_request) if self._token_request else ""

    def _send_batches(self, batches: Sequence[Batch]) -> None:
        asked_delay = self._claimed.delay()
        for batch in batches:
            head = batch.head
            if self._accepted_log:
                head = replace(head, accepted=self._accepted_log.noting(batch.rows))
            sent = self._completions.send_batch(head, batch.requests)
            self._batches[sent] = batch.rows, asked_delay
            if self._claimed.trace is not None:
                self._began[sent] = time.time_ns()

    def withdraw(self) -> None:
        """Take back what waits inside the transport; each such message is answered as not begun."""
        self.withdrawn = True
        for i in sorted(self._not_stored):
            self.unwritten = True
            self.record_outcome(i, outcome_of(self._claimed.ledger_row(i), Withdrawn(), self._fallbacks), skipped=True)
        for batch in self._batches:
            batch.withdraw()
        self._dispatcher.withdraw()

    # -- answers --

    def collect(self, timeout: float) -> None:
        """Record the answers that are there; wait up to `timeout` seconds for the first. Sleeps when nothing is in
        flight."""
        if not self._dispatcher.batches and not self._batches:
            time.sleep(timeout)
        if self._dispatcher.batches:
            self._dispatcher.settle(min(timeout, GATHER) if self._batches else timeout)
        if self._batches:
            for batch, answers in self._completions.take(min(timeout, GATHER) if self._dispatcher.batches else timeout):
                self._record_answers(batch, answers)

    def _record_answers(self, batch: RequestBatch, answers: Sequence[Answered]) -> None:
        rows, asked_delay = self._batches[batch]
        self.unwritten = True
        sent = [rows[at] for at, answer in answers if type(answer) is int]
        self._record_sent(sent)
        if len(sent) != len(answers):
            others = [(rows[at], answer) for at, answer in answers if not isinstance(answer, int)]
            self._record_others(others, asked_delay)
        if not batch.left:
            del self._batches[batch]
            if self._claimed.trace is not None and batch in self._began:
                self._trace_call(len(rows), self._began.pop(batch))

    def _trace_call(self, messages: int, began: int) -> None:
        """One span for a whole chunk: a campaign has none for single messages."""
        assert self._claimed.trace is not None
        derived.record_within(self._claimed.trace, "provider call", began, {"messages": messages}, "CLIENT")

    def _record_sent(self, rows: Sequence[int], status: Status = Status.SENT) -> None:
        """Record messages that the provider took, and of which nothing else is known or needed."""
        self._claimed.outcomes.mark_sent(rows, self._claimed.delay(), status)
        self._sent += len(rows)
        measures.record_sent(self._claimed.account.provider, len(rows))
        self._ended[status.label] += len(rows)
        recent_answers.recent.add(self._claimed.account.id, len(rows), len(rows))
        self._moved = 0 if rows else self._moved

    def _record_others(self, answers: Sequence[tuple[int, Response | TransportError]], asked_delay: int) -> None:
        """Record all answers but a plain 200."""
        verdicts: list[Verdict] = []
        sent: list[int] = []
        for i, answer in answers:
            verdict = self._provider.verdict(answer)
            if type(verdict) is Sent and not verdict.final and not self._needs_references:
                sent.append(i)  # as a plain 200: an outcome with a note costs 40 µs more
                continue
            if not (skipped := self._blames_nothing(answer)):
                verdicts.append(verdict)
            outcome = outcome_of(self._claimed.ledger_row(i, asked_delay), verdict, self._fallbacks)
            self.record_outcome(i, outcome, skipped=skipped)
        self._record_sent(sent)
        measures.record_answers(self._claimed.account.provider, verdicts)
        self._verdicts += verdicts
        recent_answers.add_verdicts(self._claimed.account.id, verdicts)
        if self._token_request and any(self._refuses_token(answer) for _, answer in answers):
            self._client.forget_token(self._token_request.cache_key)
        self._slow_down([verdict for verdict in verdicts if isinstance(verdict, Throttled)])

    def _blames_nothing(self, answer: Response | TransportError) -> bool:
        """Whether the answer says nothing about the message and the account: an expired token, or a withdrawn
        message."""
        if isinstance(answer, TransportError):
            return not answer.begun and self.withdrawn
        return self._token_request is not None and self._refuses_token(answer)

    def _refuses_token(self, answer: Response | TransportError) -> bool:
        return isinstance(answer, Response) and self._provider.refuses_token(answer)

    def _slow_down(self, throttled: Sequence[Throttled]) -> None:
        self._throttled += len(throttled)
        if throttled and blames_account(self._throttled, self._sent + len(self._verdicts)):
            slow_down(self._claimed.account, throttled)

    def record_outcomes(self, outcomes: Sequence[Outcome]) -> None:
        """Record outcomes of single messages, from the dispatcher."""
        for outcome in outcomes:
            self.unwritten = True
            self.record_outcome(self._message_of.pop(outcome.row.id), outcome)

    def _record_withdrawn(self, rows: Sequence[Claimed]) -> None:
        """Record single messages that were taken back before they began."""
        for row in rows:
            self.unwritten = True
            outcome = outcome_of(row, Withdrawn(), self._fallbacks)
            self.record_outcome(self._message_of.pop(row.id), outcome, skipped=True)

    def record_outcome(self, i: int, outcome: Outcome, *, skipped: bool = False) -> None:
        """Record the outcome of message i. An outcome that is not final goes to the ledger. `skipped`: the outcome is
        no failure; nor is a lost connection before the last attempt, nor a message that another account takes over."""
        self._not_stored.discard(i)
        outcomes = self._claimed.outcomes
        outcomes.disconnected += outcome.disconnected
        moved = outcome.account_id is not None
        self._moved = self._moved + 1 if moved else 0 if outcome.status == Status.SENT else self._moved
        skipped = skipped or moved or (outcome.disconnected and not outcome.final)
        dead_as_of = self._claimed.delay_at(outcome.dead.as_of) if outcome.address_is_dead else None
        note = OutcomeNote(
            str(outcome.reason),
            outcome.detail,
            outcome.provider_ref,
            dead_as_of,
            outcome.dead_letter,
            outcome.receipt_after,
        )
        if not skipped and outcome.status not in _SENT and not outcome.address_is_dead:
            self.failures[outcome.detail] += 1
        if not outcome.final:
            self.requeued.append(outcome)
            note = OutcomeNote()
        else:
            self._ended[outcome.status.label] += 1
        outcomes.mark_ended(i, outcome.status, self._claimed.delay(), note, skipped=skipped)

    def _ledger_row(self, i: int) -> Claimed:
        row = self._claimed.ledger_row(i)
        self._message_of[row.id] = i
        return row

    def record_measures(self) -> None:
        """Once for each write of outcomes, so that a message costs a tally of 0.1 µs."""
        measures.record_ended(self._queue, self._ended)
        self._ended.clear()

    def update_health(self) -> None:
        """Adjust the account's health by the answers to its batches; the dispatcher does so for its own messages."""
        if self._builder is not None and (self._provider.column_batch or not self._provider.builtin):
            update_health(self._claimed.account, self._verdicts, self._sent)
