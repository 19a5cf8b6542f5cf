"""The provider vonage: its requests, what answers mean, and calls that carry a JWT of their body."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from typing import Any

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from notifier.channels.base import Envelope
from notifier.channels.sms import SmsMessage
from notifier.errors import Forged, InvalidInput
from notifier.providers.vonage import Vonage, VonageConfig
from notifier.transport import http_client
from notifier.transport.in_memory import InMemoryClient
from notifier.vocabulary.http import Response
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.people import Address
from notifier.vocabulary.receipts import EventKind, ReceiptRequest
from notifier.vocabulary.verdicts import InDoubt, Misconfigured, Permanent, Sent, Temporary, Throttled
from tests.sandbox.process import Sandbox

APPLICATION, SECRET = "3f0c5a5e-0000-4000-8000-000000000001", "a-signature-secret-of-the-account"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
GOOD: dict[str, Any] = {
    "application_id": APPLICATION, "private_key": PEM, "signature_secret": SECRET, "sender": "Acme",
}  # fmt: skip
URL = "https://notify.example.com/v1/receipts/vonage/1/s3cret"


def vonage(**settings: Any) -> Vonage:
    provider = Vonage(VonageConfig.parse(GOOD | settings))
    provider.receipts_url = URL
    return provider


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"application_id": "mine"}, "application_id"),
        ({"private_key": "mine"}, "private_key"),
        ({"sender": ""}, "sender"),
        ({"senders": "XX=Acme"}, "senders"),
        ({"api_key": "1234"}, "api_secret"),
        ({"price_per_segment": "much"}, "price_per_segment"),
    ],
)
def test_a_wrong_setting_is_named(change: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        VonageConfig.parse(GOOD | change)
    assert refused.value.field == field


def test_a_request_carries_the_text_our_delivery_id_and_a_jwt_of_the_application() -> None:
    provider = vonage(senders="US=+12025550100")
    envelope = Envelope(new_id(), new_id(), new_id(), Address("+12025550123"), "key")
    request = provider.request(SmsMessage(envelope, "Hi Ann"), "")
    assert orjson.loads(request.body) == {
        "channel": "sms",
        "message_type": "text",
        "to": "12025550123",
        "from": "12025550100",
        "text": "Hi Ann",
        "client_ref": str(envelope.delivery_id),
        "webhook_url": f"{URL}?delivery={envelope.delivery_id}",
        "webhook_version": "v1",
    }
    token = dict(request.headers)["authorization"].removeprefix("Bearer ")
    claims = jwt.decode(token, KEY.public_key(), ["RS256"], options={"require": ["iat", "exp", "jti"]})
    assert claims["application_id"] == APPLICATION


def an_answer(status: int, title: str, kind: str = "https://developer.vonage.com/api-errors/messages#1") -> Response:
    body = {"type": kind, "title": title, "detail": "why", "instance": "1"}
    return Response(status, {"retry-after": "7"}, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("status", "title", "verdict"),
    [
        (422, "Invalid or Missing Msisdn Param", Permanent("422 Invalid or Missing Msisdn Param why", True)),
        (422, "Invalid params", Permanent("422 Invalid params why")),
        (422, "Illegal Sender Address", Misconfigured("422 Illegal Sender Address why")),
        (402, "Low balance", Misconfigured("402 Low balance why")),
        (401, "Unauthorized", Misconfigured("401 Unauthorized why")),
        (429, "Throttled", Throttled(7.0, "429 Throttled why")),
        (503, "Internal error", Temporary("503 Internal error why", unavailable=True)),
        (500, "Internal error", InDoubt("500 Internal error why")),
    ],
)
def test_vonage_s_own_words_decide(status: int, title: str, verdict: object) -> None:
    assert vonage().verdict_of(an_answer(status, title)) == verdict


def test_an_accepted_message_keeps_vonage_s_id() -> None:
    assert vonage().verdict_of(Response(202, {}, b'{"message_uuid": "u-1"}')) == Sent("u-1")
    assert isinstance(vonage().verdict_of(Response(502, {}, b"<html>")), InDoubt)


# ---- what Vonage reports -------------------------------------------------------------------------------------------


def a_call(document: dict[str, Any], url: str = URL, key: str = SECRET, **claims: Any) -> ReceiptRequest:
    body = json.dumps(document).encode()
    payload = {"iss": "Vonage", "iat": int(time.time()), "jti": "1", "payload_hash": hashlib.sha256(body).hexdigest()}
    token = jwt.encode(payload | {"application_id": APPLICATION} | claims, key, "HS256")
    return ReceiptRequest("POST", url, {"authorization": f"Bearer {token}"}, body)


STATUS = {"message_uuid": "u-1", "status": "delivered", "timestamp": "2026-11-28T10:00:00.000Z"}


def test_a_call_with_a_jwt_of_its_body_is_verified() -> None:
    vonage().verify(a_call(STATUS))


@pytest.mark.parametrize(
    "forged",
    [
        a_call(STATUS, key="another-secret-of-another-account"),
        a_call(STATUS, iat=int(time.time()) - 3600),
        a_call(STATUS, iat=int(time.time()) + 3600),
        a_call(STATUS, payload_hash="0" * 64),
        a_call(STATUS, payload_hash="é"),
        a_call(STATUS, application_id="another"),
        ReceiptRequest("POST", URL, a_call(STATUS).headers, b'{"status": "rejected"}'),
        ReceiptRequest("POST", URL, {}, b"{}"),
        ReceiptRequest("POST", URL, {"authorization": "Bearer é.é.é"}, b"{}"),
        ReceiptRequest(
            "POST", URL, {"authorization": "Bearer " + jwt.encode({"iat": 1, "payload_hash": ""}, "", "none")}, b""
        ),
    ],
    ids=["key", "old", "future", "hash", "odd hash", "application", "body", "no token", "no jwt", "no algorithm"],
)
def test_every_other_call_is_forged(forged: ReceiptRequest) -> None:
    with pytest.raises(Forged):
        vonage().verify(forged)


@pytest.mark.parametrize(
    ("status", "detail", "kind", "permanent"),
    [
        ("submitted", "", EventKind.SENT, False),
        ("delivered", "", EventKind.DELIVERED, False),
        ("undeliverable", "Absent Subscriber - Temporary", EventKind.FAILED, False),
        ("undeliverable", "Absent Subscriber - Permanent", EventKind.FAILED, True),
        ("rejected", "Illegal Number", EventKind.FAILED, True),
    ],
)
def test_a_status_becomes_an_event_of_our_delivery(status: str, detail: str, kind: EventKind, permanent: bool) -> None:
    delivery = new_id()
    document = STATUS | {"status": status, "client_ref": str(delivery), "error": {"title": 1, "detail": detail}}
    for call in (a_call(document), a_call({**document, "client_ref": None}, f"{URL}?delivery={delivery}")):
        [event] = vonage().receipts(call, InMemoryClient())
        assert (event.kind, event.delivery_id, event.provider_ref, event.permanent) == (
            *(kind, delivery, "u-1", permanent),
        )
        assert event.at is not None and event.at.year == 2026


def test_a_person_s_answer_opts_out() -> None:
    answer = {"message_uuid": "u-2", "channel": "sms", "from": "491701234567", "to": "4930", "text": "Stopp"}
    [event] = vonage().receipts(a_call(answer), InMemoryClient())
    assert (event.kind, event.address) == (EventKind.STOP, "+491701234567")
    assert vonage().receipts(a_call(answer | {"text": "Thank you"}), InMemoryClient()) == []


def test_a_body_that_cannot_be_read_is_a_value_error() -> None:
    for body in (b"[]", b"\xff"):
        with pytest.raises(ValueError):
            vonage().receipts(ReceiptRequest("POST", URL, {}, body), InMemoryClient())


def test_the_connection_test_reads_the_balance(sandbox: Sandbox) -> None:
    client, good = http_client(sandbox.ca, 1), Vonage.Config.sandbox(sandbox.url)
    assert [check.passed for check in Vonage(good, sandbox.url).test(client)] == [True, True]
    wrong = dataclasses.replace(good, api_secret="wrong")
    assert [check.passed for check in Vonage(wrong, sandbox.url).test(client)] == [False]
    assert [check.passed for check in vonage().test(client)] == [None], "nothing can be tried without an API key"
