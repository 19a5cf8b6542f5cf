"""Many messages in one request: each gets the verdict of its own entry in the answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from notifier.channels.email import EmailMessage
from notifier.providers import Provider, provider_class
from notifier.providers.common.batches import BatchProvider
from notifier.transport.in_memory import InMemoryClient
from notifier.vocabulary.http import Request, Response, TransportError
from notifier.vocabulary.mail import Attachment
from notifier.vocabulary.verdicts import InDoubt, Misconfigured, Permanent, Sent, Temporary, Throttled, Verdict
from tests.providers.anymail.accounts import SERVICES, account
from tests.providers.emails import an_email

BATCHES = sorted(name for name in SERVICES if issubclass(provider_class(name), BatchProvider))


def ids_of(name: str, request: Request) -> list[str]:
    """The subjects of the messages of a request."""
    document = json.loads(request.body)
    if name == "mailjet":
        return [m.get("Subject") or document["Globals"]["Subject"] for m in document["Messages"]]
    messages = document if isinstance(document, list) else [document]
    return [message["Subject" if name == "postmark" else "subject"] for message in messages]


def answer_to(name: str, subjects: list[str], batch: bool) -> Response:
    """The service's answer: a message with the subject "bad" is refused."""
    if name == "postmark":
        entries = [
            {"ErrorCode": 300, "Message": "Invalid 'To' address"} if subject == "bad"
            else {"ErrorCode": 0, "Message": "OK", "To": "a@b.example", "MessageID": f"id of {subject}"}
            for subject in subjects
        ]  # fmt: skip
        return Response(200, {}, json.dumps(entries if batch else entries[0]).encode())
    if name == "resend":
        ids = [{"id": f"id of {subject}"} for subject in subjects if subject != "bad"]
        errors = [{"index": n, "message": "Invalid `to` field."} for n, text in enumerate(subjects) if text == "bad"]
        return Response(200, {}, json.dumps({"data": ids, "errors": errors} if batch else ids[0]).encode())
    fault = {"ErrorCode": "mj-0013", "StatusCode": 400, "ErrorMessage": "invalid", "ErrorRelatedTo": ["To[0].Email"]}
    messages = [
        {"Status": "error", "Errors": [fault]} if subject == "bad"
        else {"Status": "success", "To": [{"Email": "a@b.example", "MessageID": f"id of {subject}"}]}
        for subject in subjects
    ]  # fmt: skip
    return Response(400 if "bad" in subjects else 200, {}, json.dumps({"Messages": messages}).encode())


def send_all(service: Provider[Any], messages: list[EmailMessage], client: InMemoryClient) -> list[Verdict]:
    verdicts = dict(pair for pairs in service.send(messages, client) for pair in pairs)
    return [verdicts[n] for n in range(len(messages))]


def numbered(count: int, **changes: Any) -> list[EmailMessage]:
    return [an_email(f"r{n}@example.org", subject=f"news {n}", **changes) for n in range(count)]


@pytest.mark.parametrize("name", BATCHES)
def test_each_message_of_a_batch_gets_its_own_verdict(name: str) -> None:
    service = account(name)
    largest = service.largest_batch  # type: ignore[attr-defined]
    messages = numbered(2 * largest + 1)
    messages[3] = an_email("r3@example.org", subject="bad")
    sizes = []

    def answer(request: Request) -> Response:
        subjects = ids_of(name, request)
        sizes.append(len(subjects))
        return answer_to(name, subjects, batch=len(subjects) > 1)

    verdicts = send_all(service, messages, InMemoryClient(answer))
    assert sorted(sizes) == [1, largest, largest]
    assert isinstance(verdicts[3], Permanent)
    others = [verdict for n, verdict in enumerate(verdicts) if n != 3]
    assert others == [Sent(f"id of news {n}") for n in range(len(messages)) if n != 3]


@pytest.mark.parametrize("name", BATCHES)
def test_a_batch_that_is_refused_as_a_whole_is_sent_message_by_message(name: str) -> None:
    def answer(request: Request) -> Response:
        subjects = ids_of(name, request)
        if len(subjects) > 1:
            return Response(422, {}, b'{"message": "one of them", "ErrorCode": 1, "Message": "one of them"}')
        return answer_to(name, subjects, batch=False)

    client = InMemoryClient(answer)
    assert send_all(account(name), numbered(3), client) == [Sent(f"id of news {n}") for n in range(3)]
    assert len(client.requests) == 4


@pytest.mark.parametrize("name", BATCHES)
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Response(401, {}, b"{}"), Misconfigured),
        (Response(429, {"retry-after": "2"}, b"{}"), Throttled),
        (Response(503, {}, b""), Temporary),
        (TransportError(False, "no connection"), Temporary),
        (TransportError(True, "cut"), InDoubt),
    ],
)
def test_what_befalls_a_batch_befalls_each_of_its_messages(name: str, answer: Any, expected: type) -> None:
    client = InMemoryClient(lambda request: answer)
    assert all(isinstance(verdict, expected) for verdict in send_all(account(name), numbered(3), client))
    assert len(client.requests) == 1


@pytest.mark.parametrize("errors", [5, True, "x", [5], {"index": 0}])
def test_unreadable_errors_leave_the_accepted_messages_accepted(errors: Any) -> None:
    body = json.dumps({"data": [{"id": "1"}, {"id": "2"}], "errors": errors}).encode()
    client = InMemoryClient(lambda request: Response(200, {}, body))
    assert send_all(account("resend"), numbered(2), client) == [Sent("1"), Sent("2")]


def test_a_message_with_attachments_leaves_alone_where_a_batch_takes_none() -> None:
    file = Attachment("a.pdf", "application/pdf", 1, load=lambda: b"x")
    messages = [*numbered(2), an_email(subject="news 2", attachments=(file,))]
    client = InMemoryClient(lambda r: answer_to("resend", ids_of("resend", r), batch=r.url.endswith("/batch")))
    assert send_all(account("resend"), messages, client) == [Sent(f"id of news {n}") for n in range(3)]
    assert sorted(request.url for request in client.requests) == [
        "https://api.resend.com/emails", "https://api.resend.com/emails/batch",
    ]  # fmt: skip


def test_a_repeated_batch_has_the_same_key() -> None:
    client = InMemoryClient(lambda r: answer_to("resend", ids_of("resend", r), batch=True))
    messages = numbered(2)
    for emails in (messages, messages, numbered(2)):
        send_all(account("resend"), emails, client)
    first, repeat, other = (dict(request.headers)["idempotency-key"] for request in client.requests)
    assert first == repeat != other
