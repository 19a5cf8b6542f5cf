"""Services that take many messages, each with a content of its own, in one request. Each message gets the verdict of
its own entry in the answer."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar

from notifier.channels.email import EmailMessage
from notifier.providers.anymail.provider import EmailService
from notifier.providers.base import Answers
from notifier.vocabulary.http import HttpClient, Request, Response, TransportError
from notifier.vocabulary.verdicts import InDoubt, Verdict

#: bytes of one request; Postmark takes 50 MB, and a request must be sent and read within the provider's timeout
MOST_BYTES = 5_000_000
Answer = Response | TransportError


class BatchService(EmailService):
    #: messages of one request that the service takes
    largest_batch: ClassVar[int]

    @abstractmethod
    def combine(self, requests: Sequence[Request]) -> Request:
        """One request for the messages of these requests."""

    @abstractmethod
    def entries(self, response: Response) -> Sequence[Response]:
        """The answer's entries in the order of the messages, each as if it had answered its message alone; empty when
        the answer concerns the request as a whole."""

    def fits_batch(self, message: EmailMessage) -> bool:
        return True

    def send(self, messages: Sequence[EmailMessage], client: HttpClient) -> Iterator[Answers]:
        """Send all messages, many in one request. A batch that the service refuses as a whole, for a reason that is not
        the account's, is sent message by message: one message must not fail the messages around it."""
        requests, indexes, unbuildable = self._requests(messages, "")
        if unbuildable:
            yield unbuildable
        groups = self._groups(requests, [self.fits_batch(messages[i]) for i in indexes])
        combined = [
            self.combine([requests[n] for n in group]) if len(group) > 1 else requests[group[0]] for group in groups
        ]
        refused: list[int] = []  # the numbers of requests whose batch was refused
        for answers in client.exchange(combined):
            verdicts: list[tuple[int, Verdict]] = []
            for at, answer in answers:
                group = groups[at]
                if self._concerns_one_message(group, answer):
                    refused += group
                else:
                    of_group = self._verdicts(len(group), answer)
                    verdicts += [(indexes[n], verdict) for n, verdict in zip(group, of_group, strict=True)]
            yield verdicts
        for answers in client.exchange([requests[n] for n in refused]) if refused else ():
            yield [(indexes[refused[at]], self.verdict(answer)) for at, answer in answers]

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

    def _concerns_one_message(self, group: Sequence[int], answer: Answer) -> bool:
        """Whether the service refused a whole batch because of some message in it."""
        if len(group) < 2 or not isinstance(answer, Response) or answer.status not in (400, 413, 422):
            return False
        return not self.entries(answer)

    def _verdicts(self, size: int, answer: Answer) -> Sequence[Verdict]:
        if size == 1 or not isinstance(answer, Response):
            return [self.verdict(answer)] * size
        if entries := self.entries(answer):
            verdicts = [self.verdict_of(entry) for entry in entries[:size]]
            return verdicts + [InDoubt("the answer lacks this message")] * (size - len(verdicts))
        return [self.verdict_of(answer)] * size
