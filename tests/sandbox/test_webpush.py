"""The sandbox as a browser's push service. `http-ece` encrypts and PyJWT signs, so the judge of the sandbox is no code
of ours."""

from __future__ import annotations

import base64
import http.client
import json
import os
import ssl
import time
import urllib.error
import urllib.request
import uuid
from typing import Any
from urllib.parse import quote, urlsplit

import http_ece
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from notifier.sandbox.web_push.browsers import EAGER
from tests.sandbox.process import Sandbox

SERVER_KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())
CONTENT = {"title": "Order 17", "body": "It has left.", "link": "https://acme.example/17", "delivery_id": "d1"}


def encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def public(key: ec.EllipticCurvePrivateKey) -> str:
    return encoded(key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))


def encrypted(subscription: dict[str, Any], content: object = CONTENT) -> bytes:
    keys = subscription["keys"]
    body: bytes = http_ece.encrypt(
        json.dumps(content).encode(),
        salt=os.urandom(16),
        private_key=ec.generate_private_key(ec.SECP256R1()),
        dh=decoded(keys["p256dh"]),
        auth_secret=decoded(keys["auth"]),
        version="aes128gcm",
    )
    return body


def vapid(endpoint: str, key: ec.EllipticCurvePrivateKey = SERVER_KEY, signer: Any = None, **claims: Any) -> str:
    parts = urlsplit(endpoint)
    usual = {
        "aud": f"{parts.scheme}://{parts.netloc}",
        "exp": int(time.time()) + 3600,
        "sub": "mailto:ops@acme.example",
    }
    token = jwt.encode({k: v for k, v in (usual | claims).items() if v is not None}, signer or key, algorithm="ES256")
    return f"vapid t={token}, k={public(key)}"


def push(sandbox: Sandbox, endpoint: str, body: bytes, url: str = "", **headers: Any) -> tuple[int, Any]:
    """Status and headers of the answer to a message; a header of None is left out."""
    usual: dict[str, Any] = {
        "TTL": "60",
        "Content-Encoding": "aes128gcm",
        "Content-Type": "application/octet-stream",
        "Authorization": vapid(endpoint),
    }
    chosen = usual | {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(
        url or endpoint, data=body, headers={name: value for name, value in chosen.items() if value is not None}
    )
    try:
        with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=sandbox.ca)) as answer:
            return answer.status, answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.headers


def subscribe(sandbox: Sandbox, **options: Any) -> dict[str, Any]:
    subscription: dict[str, Any] = sandbox.post("/_webpush/subscriptions", options)
    return subscription


def messages(sandbox: Sandbox, endpoint: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sandbox.get(f"/_webpush/messages?endpoint={quote(endpoint, safe='')}")
    return found


def test_a_message_is_decrypted_counted_and_shown(sandbox: Sandbox) -> None:
    subscription = subscribe(sandbox)
    endpoint = subscription["endpoint"]
    assert endpoint.startswith(f"{sandbox.url}/webpush/")
    status, headers = push(sandbox, endpoint, encrypted(subscription), Urgency="high")
    assert status == 201
    assert headers["location"].startswith(sandbox.url)
    assert json.loads(messages(sandbox, endpoint)[0]["content"]) == CONTENT
    report = sandbox.report(detail=1)
    assert (report["accepted"], report["webpush"]["decrypted"], report["services"]) == (1, 1, {"webpush": {"201": 1}})
    arrival = report["messages"][0]
    assert (arrival["address"], arrival["delivery"], arrival["title"]) == (endpoint, "d1", "Order 17")
    assert sandbox.get("/_webpush/subscriptions") == {endpoint: 1}
    shown = sandbox.get("/_outbox/messages?channel=push")["messages"][0]
    assert (shown["service"], shown["title"], shown["text"], shown["link"]) == (
        "webpush", "Order 17", "It has left.", "https://acme.example/17",
    )  # fmt: skip


def test_a_message_for_a_browsers_own_service_is_taken_at_its_mapped_address(sandbox: Sandbox) -> None:
    known = subscribe(sandbox, host="updates.push.services.mozilla.com")
    for endpoint, body in (
        (known["endpoint"], encrypted(known)),
        ("https://fcm.googleapis.com/fcm/send/cX1:APA91b", os.urandom(200)),
    ):
        mapped = f"{sandbox.url}/webpush/{endpoint.removeprefix('https://')}"
        assert push(sandbox, endpoint, body, url=mapped)[0] == 201
        assert push(sandbox, endpoint, body, url=mapped, Authorization=vapid(sandbox.url))[0] == 403
    assert messages(sandbox, known["endpoint"])[0]["failure"] == ""
    report = sandbox.report()["webpush"]
    assert (report["subscriptions"], report["decrypted"], report["foreign"]) == (2, 1, 1)


def test_an_own_subscription_is_reached_at_its_mapped_address_too(sandbox: Sandbox) -> None:
    subscription = subscribe(sandbox)
    mapped = f"{sandbox.url}/webpush/{subscription['endpoint'].removeprefix('https://')}"
    assert push(sandbox, subscription["endpoint"], encrypted(subscription), url=mapped)[0] == 201
    assert len(messages(sandbox, subscription["endpoint"])) == 1


def test_messages_that_arrive_faster_than_they_are_decrypted_are_read_later(sandbox: Sandbox) -> None:
    subscription, topic = subscribe(sandbox), uuid.UUID(int=17).hex
    body, authorization = encrypted(subscription), vapid(subscription["endpoint"])
    parts = urlsplit(subscription["endpoint"])
    context = ssl.create_default_context(cafile=sandbox.ca)
    connection = http.client.HTTPSConnection(parts.netloc, context=context)
    headers = {"TTL": "60", "Topic": topic, "Content-Encoding": "aes128gcm", "Authorization": authorization}
    for _ in range(EAGER + 1):
        connection.request("POST", parts.path, body, headers)
        with connection.getresponse() as answer:
            assert answer.status == 201
    report = sandbox.report()
    assert (report["accepted"], report["unique"]) == (EAGER + 1, 1)
    shown = sandbox.get("/_outbox/messages?channel=push&search=order&limit=500")["messages"]
    assert {(m["title"], m["delivery"]) for m in shown} == {("Order 17", "d1")}
    assert len(shown) == 500


HOUR = 3600


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"TTL": None}, 400),
        ({"TTL": "soon"}, 400),
        ({"Topic": "x" * 33}, 400),
        ({"Topic": "not base64url"}, 400),
        ({"Urgency": "urgent"}, 400),
        ({"Content_Encoding": "aesgcm"}, 400),
        ({"Content_Encoding": None}, 400),
        ({"Authorization": None}, 401),
        ({"Authorization": "Bearer x"}, 401),
        ({"Authorization": "vapid t=x"}, 401),
        ({"Authorization": "vapid t=x.y.z, k=AAAA"}, 403),
        ({"Topic": "x" * 32, "Urgency": "very-low", "TTL": "0"}, 201),
    ],
)
def test_a_request_that_breaks_the_standards_is_refused(sandbox: Sandbox, headers: dict[str, Any], status: int) -> None:
    subscription = subscribe(sandbox)
    assert push(sandbox, subscription["endpoint"], encrypted(subscription), **headers)[0] == status
    assert sandbox.report()["accepted"] == (status == 201)


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"aud": "https://fcm.googleapis.com"}, 403),
        ({"aud": None}, 403),
        ({"exp": -1}, 403),
        ({"exp": 25 * HOUR}, 403),
        ({"exp": None}, 403),
        ({"sub": None}, 403),
        ({"exp": 23 * HOUR}, 201),
    ],
)
def test_a_token_for_another_origin_or_time_is_refused(sandbox: Sandbox, claims: dict[str, Any], status: int) -> None:
    subscription = subscribe(sandbox)
    if isinstance(claims.get("exp"), int):
        claims = claims | {"exp": int(time.time()) + claims["exp"]}
    authorization = vapid(subscription["endpoint"], **claims)
    assert push(sandbox, subscription["endpoint"], b"", Authorization=authorization)[0] == status


def test_only_the_key_of_the_subscription_may_send(sandbox: Sandbox) -> None:
    subscription = subscribe(sandbox, application_server_key=public(SERVER_KEY))
    endpoint = subscription["endpoint"]
    assert push(sandbox, endpoint, encrypted(subscription))[0] == 201
    assert push(sandbox, endpoint, b"", Authorization=vapid(endpoint, OTHER_KEY))[0] == 403
    forged = vapid(endpoint, SERVER_KEY, signer=OTHER_KEY)
    assert push(sandbox, endpoint, b"", Authorization=forged)[0] == 403


def test_a_body_beyond_4096_bytes_is_413(sandbox: Sandbox) -> None:
    endpoint = subscribe(sandbox)["endpoint"]
    assert push(sandbox, endpoint, b"x" * 4096)[0] == 201
    assert push(sandbox, endpoint, b"x" * 4097)[0] == 413


def test_what_a_browser_cannot_decrypt_is_taken_and_named(sandbox: Sandbox) -> None:
    subscription, other = subscribe(sandbox), subscribe(sandbox)
    assert push(sandbox, subscription["endpoint"], encrypted(other))[0] == 201
    (message,) = messages(sandbox, subscription["endpoint"])
    assert message["content"] is None
    assert "auth secret is not this subscription's" in message["failure"]
    assert sandbox.report()["webpush"]["undecryptable"] == 1


def test_a_message_takes_the_place_of_the_one_with_its_topic(sandbox: Sandbox) -> None:
    subscription = subscribe(sandbox)
    for title, topic in (("old", "a"), ("new", "a"), ("of another topic", "b")):
        push(sandbox, subscription["endpoint"], encrypted(subscription, {"title": title}), Topic=topic)
    waiting = [json.loads(m["content"])["title"] for m in messages(sandbox, subscription["endpoint"])]
    assert waiting == ["new", "of another topic"]
    assert sandbox.report()["webpush"]["replaced"] == 1


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("unregistered", 410), ("expired", 410), ("missing", 404), ("toolarge", 413), ("throttled", 429),
        ("mismatch", 403), ("unavailable", 503), ("internal", 500),
    ],
)  # fmt: skip
def test_a_subscription_chooses_its_fate(sandbox: Sandbox, word: str, status: int) -> None:
    subscription = subscribe(sandbox, word=word)
    answered, headers = push(sandbox, subscription["endpoint"], encrypted(subscription))
    assert answered == status
    assert headers["retry-after"] == ("1" if status in (429, 503) else None)
    assert sandbox.report()["accepted"] == 0


def test_an_expired_subscription_is_410(sandbox: Sandbox) -> None:
    first, second = subscribe(sandbox), subscribe(sandbox)
    sandbox.post("/_webpush/expire", {"endpoint": first["endpoint"]})
    request = urllib.request.Request(second["endpoint"], method="DELETE")
    with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=sandbox.ca)) as answer:
        assert answer.status == 204
    for subscription in (first, second):
        assert push(sandbox, subscription["endpoint"], encrypted(subscription))[0] == 410


@pytest.mark.parametrize(
    "options", [[], {"count": 0}, {"count": True}, {"host": "a/b"}, {"word": "A-b"}, {"application_server_key": "AAAA"}]
)
def test_unfit_options_of_a_subscription_are_named(sandbox: Sandbox, options: Any) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        sandbox.post("/_webpush/subscriptions", options)
    assert refused.value.code == 400
    assert (json.load(refused.value)["error"]).startswith((*options, "the body"))
