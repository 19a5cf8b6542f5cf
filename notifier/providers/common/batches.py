"""Providers whose server takes many messages, each with a content of its own, in one request. Each message gets the
verdict of its own entry in the answer."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar, TypeVar

from notifier.channels.base import Message
from notifier.providers import base
from notifier.vocabulary.http import HttpClient, Request, Response, TransportError
from notifier.vocabulary.verdicts import InDoubt, Verdict

M = TypeVar("M", bound=Message)
#: bytes of one request; Postmark takes 50 MB, and a request must be sent and read within the provider's timeout
MOST_BYTES = 5_000_000
#: statuses by which a server refuses a whole batch for a reason that is not the account's
_REFUSED = (400, 413, 422)
Answer = Response | TransportError


class BatchProvider(base.Provider[M]):
    #: messages of one request that the server takes
    largest_batch: ClassVar[int]

    @abstractmethod
    def combine(self, requests: Sequence[Request]) -> Request:
        """One request for the messages of these requests."""

    @abstractmethod
    def entries(self, response: Response) -> Sequence[Response]:
        """The answer's entries in the order of the messages, each as if it had answered its message alone; empty when
        the answer concerns the request as a whole."""

    def fits_batch(self, message: M) -> bool:
        return True

    def split(self, requests: Sequence[Request], refusal: Response) -> Sequence[Sequence[int]]:
        """The parts in which a refused batch is sent again, as positions in `requests`: here each message alone."""
        return [[position] for position in range(len(requests))]

    def send(self, messages: Sequence[M], client: HttpClient) -> Iterator[base.Answers]:
        """Send all messages, many in one request. A batch that the server refuses as a whole, for a reason that is not
        the account's, is sent again in parts: one message must not fail the messages around it."""
        requests, indexes, unbuildable = self._requests(messages, "")
        if unbuildable:
            yield unbuildable
        groups = self._groups(requests, [self.fits_batch(messages[i]) for i in indexes])
        while groups:
            sent, groups = groups, []
            for answers in client.exchange([self._combined([requests[n] for n in group]) for group in sent]):
                verdicts: list[tuple[int, Verdict]] = []
                for at, answer in answers:
                    group = sent[at]
                    if isinstance(answer, Response) and self._is_refused_batch(group, answer):
                        groups += self._parts(group, [requests[n] for n in group], answer)
                    else:
                        of_group = self._verdicts(len(group), answer)
                        verdicts += [(indexes[n], verdict) for n, verdict in zip(group, of_group, strict=True)]
                yield verdicts

    def _groups(self, requests: Sequence[Request], fits: Sequence[bool]) -> list[list[int]]:
        """The numbers of the requests of each batch."""
        groups: list[list[int]] = []
        batch: list[int] = []
        size = 0
        for n, request in enumerate(requests):
            if not fits[n]:
                groups.append([n])
                continue
            if batch and (len(batch) == self.largest_batch or size + len(request.body) > MOST_BYTES):
                groups.append(batch)
                batch, size = [], 0
            batch.append(n)
            size += len(request.body)
        return [*groups, batch] if batch else groups

    def _combined(self, requests: Sequence[Request]) -> Request:
        return self.combine(requests) if len(requests) > 1 else requests[0]

    def _is_refused_batch(self, group: Sequence[int], answer: Response) -> bool:
        """Whether the server refused a whole batch because of some message in it."""
        return len(group) > 1 and answer.status in _REFUSED and not self.entries(answer)

    def _parts(self, group: Sequence[int], requests: Sequence[Request], refusal: Response) -> list[list[int]]:
        """The group in smaller groups. A split that is none, or that loses a message, would send for ever or never:
        then each message is sent alone."""
        parts = [list(part) for part in self.split(requests, refusal) if part]
        if len(parts) < 2 or sorted(at for part in parts for at in part) != list(range(len(group))):
            return [[n] for n in group]
        return [[group[at] for at in part] for part in parts]

    def _verdicts(self, size: int, answer: Answer) -> Sequence[Verdict]:
        if size == 1 or not isinstance(answer, Response):
            return [self.verdict(answer)] * size
        if entries := self.entries(answer):
            verdicts = [self.verdict_of(entry) for entry in entries[:size]]
            return verdicts + [InDoubt("the answer lacks this message")] * (size - len(verdicts))
        return [self.verdict_of(answer)] * size
