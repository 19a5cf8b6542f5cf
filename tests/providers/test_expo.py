"""Expo: messages, verdicts of tickets and of whole requests, batches and how they are split, receipts."""

from __future__ import annotations

import dataclasses
import gzip
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from notifier.channels.base import Envelope
from notifier.channels.push import PushMessage
from notifier.errors import InvalidInput
from notifier.providers.expo import Expo, ExpoConfig
from notifier.sandbox.push_checks.expo_schema import violation
from notifier.transport.in_memory import InMemoryClient
from notifier.vocabulary.http import Request, Response
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.people import Address
from notifier.vocabulary.receipts import EventKind
from notifier.vocabulary.verdicts import InDoubt, Misconfigured, Permanent, Sent, Temporary, Throttled, Verdict

ORIGIN = "https://127.0.0.1:1"
TOKEN = "ExponentPushToken[xxxxxxxxxxxxxxxxxxxxxx]"


def a_push(token: str = TOKEN, *, expires_in: int | None = None, urgent: bool = True, **parts: Any) -> PushMessage:
    address = Address(token, "expo", new_id())
    envelope = Envelope(new_id(), new_id(), new_id(), address, "key-1", expires_in=expires_in, urgent=urgent)
    return PushMessage(envelope, **{"title": "Hi", "body": "You", **parts})


def expo(access_token: str = "") -> Expo:
    return Expo(ExpoConfig(access_token=access_token))


def body_of(request: Request) -> Any:
    compressed = dict(request.headers).get("content-encoding") == "gzip"
    return json.loads(gzip.decompress(request.body) if compressed else request.body)


def sent_fields(message: PushMessage) -> dict[str, Any]:
    """The message as it leaves, without what every message has."""
    fields: dict[str, Any] = body_of(expo().request(message, ""))
    assert violation([fields]) == ""
    assert fields.pop("data").pop("delivery_id") == str(message.envelope.delivery_id)
    assert fields.pop("to") == TOKEN
    common = {"priority": "high", "tag": "key-1", "collapseId": "key-1", "title": "Hi", "body": "You"}
    return {name: value for name, value in fields.items() if common.get(name) != value}


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({}, {}),
        ({"urgent": False}, {"priority": "normal"}),
        ({"priority": "normal"}, {"priority": "normal"}),
        ({"ttl": 30, "expires_in": 60}, {"ttl": 30}),
        ({"expires_in": 60}, {"ttl": 60}),
        ({"sound": "default"}, {"sound": "default"}),
        ({"badge": "0"}, {"badge": 0}),
        ({"badge": "many"}, {}),
        ({"image": "https://shop.test/1.png"}, {"richContent": {"image": "https://shop.test/1.png"}}),
        ({"android": {"channel_id": "news", "tag": "t"}}, {"channelId": "news", "tag": "t"}),
        (
            {"apns": {"subtitle": "s", "category": "c", "interruption_level": "time-sensitive", "thread_id": "t"}},
            {"subtitle": "s", "categoryId": "c", "interruptionLevel": "time-sensitive", "threadId": "t"},
        ),
        (
            {"apns": {"mutable_content": "true", "content_available": "false", "collapse_id": "i"}},
            {"mutableContent": True, "contentAvailable": False, "collapseId": "i"},
        ),
        ({"apns": {"relevance_score": "0.5", "sound": "bell.wav"}}, {"relevanceScore": 0.5, "sound": "bell.wav"}),
        (
            {"apns": {"critical": "true", "volume": "0.8"}},
            {"sound": {"critical": True, "name": "default", "volume": 0.8}},
        ),
    ],
)
def test_a_message_has_the_fields_of_expo(changes: dict[str, Any], fields: dict[str, Any]) -> None:
    assert sent_fields(a_push(**changes)) == fields


def test_the_link_travels_in_the_data() -> None:
    body = body_of(expo().request(a_push(link="app://order/7", data={"order": "7"}), ""))
    assert body["data"]["link"] == "app://order/7" and body["data"]["order"] == "7"


def test_a_message_without_texts_wakes_the_app_and_shows_nothing() -> None:
    body = body_of(expo().request(a_push(title="", body="", data={"sync": "1"}), ""))
    assert body["contentAvailable"] is True and not {"title", "body"} & body.keys()


def test_a_message_above_the_limit_makes_no_request() -> None:
    expo().request(a_push(body="é" * 1900), "")
    with pytest.raises(ValueError, match=r"has 4,\d+ bytes; Expo takes 4,096"):
        expo().request(a_push(body="é" * 2050), "")


def test_the_access_token_travels_only_where_there_is_one() -> None:
    assert "authorization" not in dict(expo().request(a_push(), "").headers)
    with_token = expo("secret-token").request(a_push(), "")
    assert dict(with_token.headers)["authorization"] == "Bearer secret-token"


@pytest.mark.parametrize("bad", ["short", "with space", "x" * 501])
def test_an_access_token_that_is_none_is_refused(bad: str) -> None:
    with pytest.raises(InvalidInput) as error:
        ExpoConfig.parse({"access_token": bad})
    assert error.value.field == "access_token" and bad not in str(error.value)


@pytest.mark.parametrize(
    ("token", "good"),
    [
        (TOKEN, True),
        ("ExpoPushToken[xxxxxxxxxxxxxxxxxxxxxx]", True),
        ("ExponentPushToken[]", False),
        ("ExponentPushToken[a b]", False),
        ("ExponentPushToken[abc", False),
        ("ExponentPushToken[a]]", False),
        ("cYd1:APA91bxxxxxxxx", False),
        ("", False),
    ],
)
def test_a_token_is_checked(token: str, good: bool) -> None:
    if good:
        assert Expo.check_token(token) == token
        return
    with pytest.raises(InvalidInput, match="getExpoPushTokenAsync") as error:
        Expo.check_token(token)
    assert error.value.field == "token"


# ---- verdicts ------------------------------------------------------------------------------------------------------


def failed(code: str) -> dict[str, Any]:
    """A ticket or a receipt of a message that failed."""
    details = {"details": {"error": code}} if code else {}
    return {"status": "error", "message": f'"{TOKEN}" is not a recipient', **details}


@pytest.mark.parametrize(
    ("code", "kind", "dead"),
    [
        ("DeviceNotRegistered", Permanent, True),
        ("MessageTooBig", Permanent, False),
        ("DeveloperError", Permanent, False),
        ("MessageRateExceeded", Temporary, False),
        ("ProviderError", Temporary, False),
        ("ExpoError", Temporary, False),
        ("MismatchSenderId", Temporary, False),
        ("InvalidCredentials", Temporary, False),
        ("AnErrorOfTomorrow", Permanent, False),
        ("", Permanent, False),
    ],
)
def test_the_error_of_a_ticket_decides(code: str, kind: type[Verdict], dead: bool) -> None:
    verdict = expo().verdict_of(Response(200, {}, json.dumps({"data": failed(code)}).encode()))
    assert isinstance(verdict, kind)
    assert isinstance(verdict, Permanent) is (kind is Permanent)
    assert getattr(verdict, "address_is_dead", False) is dead
    assert "xxxx" not in verdict.detail and code in verdict.detail  # type: ignore[union-attr]


@pytest.mark.parametrize("code", ["MismatchSenderId", "InvalidCredentials", "InvalidProviderToken"])
def test_the_credentials_of_a_tokens_project_are_not_the_accounts(code: str) -> None:
    verdict = expo().verdict_of(Response(200, {}, json.dumps({"data": failed(code)}).encode()))
    assert isinstance(verdict, Temporary) and verdict.one_address


def test_a_ticket_names_the_message_and_when_to_ask() -> None:
    answer = Response(200, {}, b'{"data":{"status":"ok","id":"ticket-1"}}')
    assert expo().verdict_of(answer) == Sent("ticket-1", receipt_after=900.0)
    assert Expo(ExpoConfig(), ORIGIN).verdict_of(answer) == Sent("ticket-1", receipt_after=2.0)


@pytest.mark.parametrize(
    ("status", "error", "headers", "verdict"),
    [
        (401, {"code": "UNAUTHORIZED"}, {}, Misconfigured("401 UNAUTHORIZED")),
        (400, {"code": "UNAUTHORIZED"}, {}, Misconfigured("400 UNAUTHORIZED")),
        (429, {"code": "TOO_MANY_REQUESTS"}, {"retry-after": "7"}, Throttled(7.0, "429 TOO_MANY_REQUESTS")),
        (400, {"code": "TOO_MANY_REQUESTS"}, {}, Throttled(None, "400 TOO_MANY_REQUESTS")),
        (400, {"code": "VALIDATION_ERROR", "message": "no"}, {}, Permanent("400 VALIDATION_ERROR no")),
        (400, {"code": "X", "isTransient": True}, {}, Temporary("400 X")),
        (200, {"code": "VALIDATION_ERROR"}, {}, Permanent("200 VALIDATION_ERROR")),
        (503, {"code": "X"}, {}, Temporary("503 X", unavailable=True)),
        (503, {"code": "X"}, {"retry-after": "9"}, Throttled(9.0, "503 X")),
        (500, {"code": "X"}, {}, Temporary("500 X")),
    ],
)
def test_the_error_of_a_request_decides(
    status: int, error: Mapping[str, Any], headers: dict[str, str], verdict: Verdict
) -> None:
    assert expo().verdict_of(Response(status, headers, json.dumps({"errors": [error]}).encode())) == verdict


# ---- batches -------------------------------------------------------------------------------------------------------


def send_all(messages: list[PushMessage], answer: Callable[[Request], Any]) -> tuple[list[Verdict], list[list[str]]]:
    """The verdict of each message, and the tokens of each request."""
    client = InMemoryClient(answer)
    verdicts = dict(pair for pairs in expo().send(messages, client) for pair in pairs)
    documents = [body_of(request) for request in client.requests]
    sent = [document if isinstance(document, list) else [document] for document in documents]
    return [verdicts[n] for n in range(len(messages))], [[m["to"] for m in messages] for messages in sent]


def tickets(request: Request) -> Response:
    """A ticket for each message, whose id is the message's token."""
    document = body_of(request)
    if isinstance(document, dict):
        return Response(200, {}, json.dumps({"data": {"status": "ok", "id": document["to"]}}).encode())
    data: list[dict[str, Any]] = [
        failed("DeviceNotRegistered") if "dead" in m["to"] else {"status": "ok", "id": m["to"]} for m in document
    ]
    return Response(200, {}, json.dumps({"data": data}).encode())


def refusal(code: str, **more: Any) -> Response:
    return Response(400, {}, json.dumps({"errors": [{"code": code, "message": "no", **more}]}).encode())


def numbered(count: int, word: str = "t") -> list[PushMessage]:
    return [a_push(f"ExponentPushToken[{word}-{n}]") for n in range(count)]


def test_a_hundred_messages_share_a_request_and_each_gets_its_own_verdict() -> None:
    messages = numbered(250)
    messages[7] = a_push("ExponentPushToken[dead-7]")
    verdicts, requests = send_all(messages, tickets)
    assert [len(tokens) for tokens in requests] == [100, 100, 50]
    assert isinstance(verdicts[7], Permanent) and verdicts[7].address_is_dead
    assert all(
        verdict == Sent(m.envelope.address.value, receipt_after=900.0)
        for n, (m, verdict) in enumerate(zip(messages, verdicts, strict=True))
        if n != 7
    )


def test_messages_of_several_projects_are_sent_again_by_project() -> None:
    messages = [*numbered(3, "one"), *numbered(2, "two")]
    projects = {
        "@a/one": [m.envelope.address.value for m in messages[:3]],
        "@a/two": [m.envelope.address.value for m in messages[3:]],
    }

    def answer(request: Request) -> Response:
        document = body_of(request)
        if len({m["to"][18:21] for m in document}) > 1:
            return refusal("PUSH_TOO_MANY_EXPERIENCE_IDS", details=projects)
        return tickets(request)

    verdicts, requests = send_all(messages, answer)
    assert [len(tokens) for tokens in requests] == [5, 3, 2]
    assert all(isinstance(verdict, Sent) for verdict in verdicts)


def test_too_many_messages_are_halved() -> None:
    _, requests = send_all(
        numbered(100), lambda r: tickets(r) if len(body_of(r)) <= 25 else refusal("PUSH_TOO_MANY_NOTIFICATIONS")
    )
    assert [len(tokens) for tokens in requests] == [100, 50, 50, 25, 25, 25, 25]


@pytest.mark.parametrize("details", [None, [], {"@a/one": "no list"}, {"@a/one": [1, None]}])
def test_a_refusal_that_names_no_projects_sends_each_message_alone(details: Any) -> None:
    def answer(request: Request) -> Response:
        document = body_of(request)
        if isinstance(document, dict):
            return tickets(request)
        return refusal("PUSH_TOO_MANY_EXPERIENCE_IDS", details=details)

    verdicts, requests = send_all(numbered(3), answer)
    assert [len(tokens) for tokens in requests] == [3, 1, 1, 1]
    assert all(isinstance(verdict, Sent) for verdict in verdicts)


def test_one_message_that_expo_refuses_fails_alone() -> None:
    def answer(request: Request) -> Response:
        document = body_of(request)
        messages = document if isinstance(document, list) else [document]
        return refusal("VALIDATION_ERROR") if any(m["body"] == "bad" for m in messages) else tickets(request)

    messages = numbered(4)
    messages[2] = a_push(body="bad")
    verdicts, _ = send_all(messages, answer)
    assert [type(verdict) for verdict in verdicts] == [Sent, Sent, Permanent, Sent]


def test_messages_without_a_ticket_are_in_doubt() -> None:
    short = Response(200, {}, b'{"data":[{"status":"ok","id":"1"}]}')
    verdicts, _ = send_all(numbered(3), lambda _: short)
    assert [type(verdict) for verdict in verdicts] == [Sent, InDoubt, InDoubt]


# ---- receipts ------------------------------------------------------------------------------------------------------


def test_receipts_become_events() -> None:
    request = expo("secret-token").receipts_request(["a", "b"])
    assert request.url == "https://exp.host/--/api/v2/push/getReceipts"
    assert body_of(request) == {"ids": ["a", "b"]} and ("authorization", "Bearer secret-token") in request.headers
    receipts = {"a": {"status": "ok"}, "b": failed("DeviceNotRegistered"), "c": failed("ProviderError"), "d": 7}
    events = expo().fetched_receipts(Response(200, {}, json.dumps({"data": receipts}).encode()))
    seen = {ref: (event.kind, event.permanent, event.provider_ref) for ref, event in events.items()}
    assert seen == {
        "a": (EventKind.DELIVERED, False, "a"),
        "b": (EventKind.FAILED, True, "b"),
        "c": (EventKind.FAILED, False, "c"),
    }
    assert not any("xxxx" in event.detail for event in events.values())


@pytest.mark.parametrize(
    "answer",
    [
        Response(200, {}, b"<html>"),
        Response(200, {}, b'{"data":[]}'),
        Response(401, {}, b'{"errors":[{"code":"UNAUTHORIZED"}]}'),
        Response(502, {}, b'{"data":{}}'),
    ],
)
def test_an_answer_without_receipts_cannot_be_read(answer: Response) -> None:
    with pytest.raises(ValueError, match=str(answer.status)):
        expo().fetched_receipts(answer)


# ---- test connection -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("access_token", "answer", "passed"),
    [
        ("secret-token", Response(200, {}, b'{"data":{}}'), True),
        ("", Response(200, {}, b'{"data":{}}'), None),
        ("secret-token", Response(401, {}, b'{"errors":[{"code":"UNAUTHORIZED"}]}'), False),
        ("secret-token", Response(503, {}, b""), None),
    ],
)
def test_a_test_asks_for_a_receipt(access_token: str, answer: Response, passed: bool | None) -> None:
    [check] = expo(access_token).test(InMemoryClient(lambda _: answer))
    assert check.passed is passed and "secret-token" not in check.text


def test_an_account_without_settings_is_complete() -> None:
    assert dataclasses.asdict(ExpoConfig.parse({})) == {"access_token": ""}
