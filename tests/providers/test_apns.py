"""APNs: payloads against Apple's documented keys, headers, Apple's table of reasons, the provider token, settings."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from notifier.channels.push import Push, PushMessage
from notifier.errors import InvalidInput
from notifier.providers.apns import provider_token
from notifier.providers.apns.config import ApnsConfig
from notifier.providers.apns.provider import Apns
from notifier.providers.apns.verdicts import REASONS, Means
from notifier.providers.base import Unbuildable
from notifier.sandbox.push_checks import apns_tokens
from notifier.transport import http_client
from notifier.vocabulary.content import TenantRules
from notifier.vocabulary.http import Response
from notifier.vocabulary.verdicts import Misconfigured, Permanent, Sent, Temporary, Throttled, Verdict
from tests.providers.people import a_push
from tests.sandbox.process import Sandbox

URL = "https://127.0.0.1:1"
TOKEN = "a1" * 32

#: Apple's keys of `aps`, and the type of each value
#: https://developer.apple.com/documentation/usernotifications/generating-a-remote-notification
APS_KEYS: dict[str, tuple[type, ...]] = {
    "alert": (dict, str), "badge": (int,), "sound": (str, dict), "thread-id": (str,), "category": (str,),
    "content-available": (int,), "mutable-content": (int,), "target-content-id": (str,), "interruption-level": (str,),
    "relevance-score": (int, float), "filter-criteria": (str,), "stale-date": (int,), "content-state": (dict,),
    "timestamp": (int,), "event": (str,), "dismissal-date": (int,), "attributes-type": (str,), "attributes": (dict,),
}  # fmt: skip
#: `sound` is a part of a Live Activity's alert
ALERT_KEYS = {
    "title", "subtitle", "body", "launch-image", "title-loc-key", "title-loc-args", "subtitle-loc-key",
    "subtitle-loc-args", "loc-key", "loc-args", "sound",
}  # fmt: skip
SOUND_KEYS = {"critical": int, "name": str, "volume": float}


def provider(origin: str | None = URL, **changes: Any) -> Apns:
    return Apns(ApnsConfig.parse({**dataclasses.asdict(ApnsConfig.sandbox(URL)), **changes}), origin, timeout=60.0)


def push(address: str = TOKEN, **changes: Any) -> PushMessage:
    return a_push(address, **changes)


def document(**changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(provider().request(push(**changes), "").body)
    for key, value in body["aps"].items():
        assert isinstance(value, APS_KEYS[key]) and not isinstance(value, bool), key
    assert set(body["aps"].get("alert", {})) <= ALERT_KEYS
    if isinstance(sound := body["aps"].get("sound"), dict):
        assert {name: type(value) for name, value in sound.items()} == SOUND_KEYS
    return body


def aps(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = document(**changes)["aps"]
    return found


def headers(**changes: Any) -> dict[str, str]:
    return dict(provider().request(push(**changes), "").headers)


HELLO = {"title": "Hello", "body": "It is there."}
ACTIVITY = {"event": "update", "content_state": '{"minutes": 4}'}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"alert": HELLO}),
        ({"title": ""}, {"alert": {"body": "It is there."}}),
        ({"sound": "default", "badge": "7"}, {"sound": "default", "badge": 7}),
        ({"badge": "0"}, {"badge": 0}),
        ({"sound": "a.caf", "apns": {"sound": "b.caf"}}, {"sound": "b.caf"}),
        ({"apns": {"critical": "true", "volume": "0.5"}}, {"sound": {"critical": 1, "name": "default", "volume": 0.5}}),
        ({"apns": {"subtitle": "x"}}, {"alert": {"title": "Hello", "subtitle": "x", "body": "It is there."}}),
        (
            {"apns": {"thread_id": "t", "category": "c", "interruption_level": "time-sensitive"}},
            {"thread-id": "t", "category": "c", "interruption-level": "time-sensitive"},
        ),
        (
            {"apns": {"relevance_score": "0.5", "target_content_id": "w", "filter_criteria": "f"}},
            {"relevance-score": 0.5, "target-content-id": "w", "filter-criteria": "f"},
        ),
        ({"apns": {"mutable_content": "true"}}, {"mutable-content": 1}),
        ({"image": "https://shop.test/1.png"}, {"mutable-content": 1}),
        ({"apns": {"content_available": "true"}}, {"content-available": 1, "alert": HELLO}),
        ({"apns": ACTIVITY | {"timestamp": "5"}}, {"event": "update", "content-state": {"minutes": 4}, "timestamp": 5}),
        (
            {"apns": {**ACTIVITY, "event": "end", "stale_date": "6", "dismissal_date": "7"}, "sound": "a.caf"},
            {"stale-date": 6, "dismissal-date": 7, "alert": {**HELLO, "sound": "a.caf"}},
        ),
        (
            {"apns": {**ACTIVITY, "event": "start", "attributes_type": "Order", "attributes": '{"id": 1}'}},
            {"attributes-type": "Order", "attributes": {"id": 1}},
        ),
    ],
)  # fmt: skip
def test_every_part_has_apple_s_key(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    values = aps(**changes)
    assert {key: values[key] for key in expected} == expected


def test_a_push_without_text_wakes_the_app_in_the_background() -> None:
    silent = {"title": "", "body": "", "data": {"sync": "1"}, "urgent": True, "sound": "default", "badge": "3"}
    assert document(**silent).keys() == {"aps", "sync", "delivery_id"}
    assert aps(**silent) == {"content-available": 1}
    assert (headers(**silent)["apns-push-type"], headers(**silent)["apns-priority"]) == ("background", "5")


def test_the_app_gets_the_data_beside_aps() -> None:
    message = push(data={"order": "7", "n": 2}, link="app://orders/7", apns={"payload": '{"deep": {"er": 1}}'})
    body = json.loads(provider().request(message, "").body)
    assert body | {"aps": 0} == {
        "aps": 0, "order": "7", "n": "2", "deep": {"er": 1}, "link": "app://orders/7",
        "delivery_id": str(message.envelope.delivery_id),
    }  # fmt: skip


# ---- the headers -------------------------------------------------------------------------------------------------


def test_the_headers_name_the_delivery_and_what_it_replaces() -> None:
    message = push(expires_in=0)
    first, again = (dict(provider().request(message, "").headers) for _ in range(2))
    assert first == again
    assert first["apns-id"] == str(message.envelope.delivery_id)
    assert first["apns-collapse-id"] == message.envelope.collapse_key
    assert first["apns-topic"] == "com.example.notifier"
    assert (first["apns-push-type"], first["apns-priority"], first["apns-expiration"]) == ("alert", "5", "0")


def test_expiry_and_urgency_are_apple_s() -> None:
    urgent = headers(urgent=True, expires_in=90)
    assert urgent["apns-priority"] == "10"
    assert 60 < int(urgent["apns-expiration"]) - datetime.now(UTC).timestamp() <= 91
    assert "apns-expiration" not in headers()


@pytest.mark.parametrize("key", ["k" * 64, "k" * 65, "ü" * 40, "a\nb"])
def test_a_collapse_id_has_64_bytes_at_most_and_is_the_same_each_time(key: str) -> None:
    first, again = headers(collapse_key=key), headers(collapse_key=key)
    assert first["apns-collapse-id"] == again["apns-collapse-id"]
    assert 0 < len(first["apns-collapse-id"].encode()) <= 64 and first["apns-collapse-id"].isprintable()


@pytest.mark.parametrize(
    ("block", "kind", "topic"),
    [
        (ACTIVITY, "liveactivity", "com.example.notifier.push-type.liveactivity"),
        ({"push_type": "voip"}, "voip", "com.example.notifier.voip"),
        ({"push_type": "widgets"}, "widgets", "com.example.notifier.push-type.widgets"),
        ({"push_type": "location"}, "location", "com.example.notifier.location-query"),
    ],
)
def test_the_topic_follows_the_push_type(block: dict[str, str], kind: str, topic: str) -> None:
    sent = headers(apns=block)
    assert (sent["apns-push-type"], sent["apns-topic"]) == (kind, topic)


def test_a_push_that_needs_another_credential_is_refused() -> None:
    with pytest.raises(Unbuildable, match="mdm"):
        headers(apns={"push_type": "mdm"})


# ---- the size ----------------------------------------------------------------------------------------------------


def test_the_whole_payload_counts_when_it_is_published_and_when_it_leaves() -> None:
    parts: dict[str, Any] = {"title": "Hello", "body": "It is there.", "data": {"a": "1"}, "badge": "1"}
    message = push(data={"a": "1"}, badge="1")
    assert Apns.size(parts) == len(provider().request(message, "").body)
    room = 4097 - Apns.size({**parts, "body": "x"})
    Apns.check_content({**parts, "body": "x" * room})
    with pytest.raises(InvalidInput, match="4,096") as refused:
        Apns.check_content({**parts, "body": "x" * (room + 1)})
    assert refused.value.field == "body"
    provider().request(push(body="x" * room, data={"a": "1"}, badge="1"), "")
    with pytest.raises(Unbuildable, match="4,097"):
        provider().request(push(body="x" * (room + 1), data={"a": "1"}, badge="1"), "")


def test_a_call_may_be_larger() -> None:
    parts: dict[str, Any] = {"body": "x" * 4800}
    with pytest.raises(InvalidInput, match="4,096"):
        Apns.check_content(parts)
    call = {"apns": {"push_type": "voip"}}
    Apns.check_content({**parts, **call})
    with pytest.raises(InvalidInput, match="5,120"):
        Apns.check_content({"body": "x" * 5100, **call})


def test_the_unread_count_has_room_for_its_digits() -> None:
    assert Apns.size({"title": "x", "badge": "unread"}) == Apns.size({"title": "x", "badge": "999999"})


@pytest.mark.parametrize("name", ["aps", "delivery_id", "link", "image"])
def test_data_may_not_replace_a_part_of_the_payload(name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Apns.check_content({"data": {name: "1"}})
    assert refused.value.field == f"data.{name}"


def test_the_largest_pushes_that_the_channel_allows_are_counted_with_their_blocks() -> None:
    parts = {"title": "x", "apns": {"category": "c" * 900}}
    Push().check_content(parts, TenantRules())
    assert Apns.size(parts) > 900


# ---- device tokens -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["A1" * 32, "ff" * 80, "0" * 200])
def test_a_token_is_kept_in_lower_case(token: str) -> None:
    assert Apns.check_token(token) == token.lower()


@pytest.mark.parametrize(
    ("token", "remedy"),
    [
        ("<a1b2c3d4 e5f60718>", "brackets"),
        ("a1b2c3d4 " * 8, "blanks"),
        ("cX1:APA91b" + "x" * 140, "fcm"),
        ("obLD1OX2" * 8, "base64"),
        ("a1" * 31, "64 to 200"),
        ("a1" * 101, "64 to 200"),
    ],
)
def test_another_text_is_refused_with_the_remedy(token: str, remedy: str) -> None:
    with pytest.raises(InvalidInput, match=remedy) as refused:
        Apns.check_token(token)
    assert refused.value.field == "token"


def test_a_token_that_was_stored_before_it_was_checked_cannot_leave_its_path() -> None:
    assert provider().request(push("../../4/x?y#z%00"), "").url == f"{URL}/3/device/..%2F..%2F4%2Fx%3Fy%23z%2500"
    assert provider().encode("address", ["a/b", TOKEN]) == [b"a%2Fb", TOKEN.encode()]


# ---- Apple's table -----------------------------------------------------------------------------------------------

DEAD, MISMATCH, ACCOUNT, MESSAGE, LATER, TOO_FAST = (
    Means.DEAD, Means.OTHER_DEVICE, Means.ACCOUNT, Means.MESSAGE, Means.LATER, Means.TOO_FAST,
)  # fmt: skip
#: https://developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns
APPLE: dict[tuple[int, str], Means] = {
    (400, "BadCollapseId"): MESSAGE, (400, "BadDeviceToken"): MISMATCH, (400, "BadExpirationDate"): MESSAGE,
    (400, "BadMessageId"): MESSAGE, (400, "BadPriority"): MESSAGE, (400, "BadTopic"): ACCOUNT,
    (400, "DeviceTokenNotForTopic"): MISMATCH, (400, "DuplicateHeaders"): MESSAGE, (400, "IdleTimeout"): LATER,
    (400, "InvalidPushType"): MESSAGE, (400, "MissingDeviceToken"): MESSAGE, (400, "MissingTopic"): ACCOUNT,
    (400, "PayloadEmpty"): MESSAGE, (400, "TopicDisallowed"): ACCOUNT, (403, "BadCertificate"): ACCOUNT,
    (403, "BadCertificateEnvironment"): ACCOUNT, (403, "ExpiredProviderToken"): LATER, (403, "Forbidden"): ACCOUNT,
    (403, "InvalidProviderToken"): ACCOUNT, (403, "MissingProviderToken"): ACCOUNT,
    (403, "UnrelatedKeyIdInToken"): ACCOUNT, (403, "BadEnvironmentKeyIdInToken"): ACCOUNT, (404, "BadPath"): MESSAGE,
    (405, "MethodNotAllowed"): MESSAGE, (410, "ExpiredToken"): DEAD, (410, "Unregistered"): DEAD,
    (413, "PayloadTooLarge"): MESSAGE, (429, "TooManyProviderTokenUpdates"): TOO_FAST,
    (429, "TooManyRequests"): LATER, (500, "InternalServerError"): LATER, (503, "ServiceUnavailable"): LATER,
    (503, "Shutdown"): LATER,
}  # fmt: skip
VERDICTS: dict[Means, type[Verdict]] = {
    DEAD: Permanent, MISMATCH: Misconfigured, ACCOUNT: Misconfigured, MESSAGE: Permanent, LATER: Temporary,
    TOO_FAST: Throttled,
}  # fmt: skip


def refusal(status: int, reason: str, **more: Any) -> Response:
    found = {name.replace("_", "-"): more.pop(name) for name in list(more) if name == "retry_after"}
    return Response(status, found, json.dumps({"reason": reason, **more}).encode())


def test_every_documented_reason_is_in_the_table() -> None:
    assert {reason for _, reason in APPLE} == set(REASONS)
    assert {(status, reason) for status, reasons in apns_tokens.REASONS.items() for reason in reasons} == set(APPLE)


@pytest.mark.parametrize(("status", "reason"), sorted(APPLE))
def test_a_reason_gets_its_verdict(status: int, reason: str) -> None:
    means = APPLE[status, reason]
    verdict = provider().verdict_of(refusal(status, reason))
    assert type(verdict) is VERDICTS[means]
    assert getattr(verdict, "address_is_dead", False) == (means is DEAD)
    assert reason in getattr(verdict, "detail", "")


@pytest.mark.parametrize(
    ("timestamp", "as_of"),
    [
        (1_700_000_000_000, datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        (None, None),
        ("soon", None),
        (True, None),
        (10**30, None),
    ],
)
def test_a_dead_token_is_dead_as_of_apple_s_time(timestamp: Any, as_of: datetime | None) -> None:
    verdict = provider().verdict_of(refusal(410, "Unregistered", timestamp=timestamp))
    assert verdict == Permanent("410 Unregistered", address_is_dead=True, dead_as_of=as_of)


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (Response(200, {"apns-id": "1"}, b""), Sent("1")),
        (refusal(503, "Shutdown", retry_after="7"), Throttled(7.0, "503 Shutdown")),
        (refusal(500, "InternalServerError", retry_after="7"), Throttled(7.0, "500 InternalServerError")),
        (refusal(429, "TooManyProviderTokenUpdates"), Throttled(None, "429 TooManyProviderTokenUpdates")),
        (refusal(400, "SomethingNew"), Permanent("400 SomethingNew")),
        (refusal(403, "SomethingNew"), Misconfigured("403 SomethingNew")),
        (refusal(410, "SomethingNew"), Misconfigured("410 SomethingNew")),
        (refusal(429, "SomethingNew"), Temporary("429 SomethingNew")),
        (refusal(500, "SomethingNew"), Temporary("500 SomethingNew")),
    ],
)
def test_other_answers(response: Response, expected: Verdict) -> None:
    assert provider().verdict_of(response) == expected


@pytest.mark.parametrize("reason", ["BadDeviceToken", "DeviceTokenNotForTopic", "InvalidProviderToken"])
def test_a_fault_of_the_account_names_its_remedy(reason: str) -> None:
    verdict = provider().verdict_of(refusal(400, reason))
    assert isinstance(verdict, Misconfigured)
    assert "account" in verdict.detail


# ---- the provider token ------------------------------------------------------------------------------------------


def bearer(apns: Apns) -> str:
    return dict(apns.request(push(), "").headers)["authorization"].removeprefix("bearer ")


def test_accounts_of_one_team_and_key_make_the_same_token_without_talking() -> None:
    one, two = provider(), provider(bundle_id="com.example.other", environment="sandbox")
    token = bearer(one)
    assert token == bearer(two)
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims.keys() == {"iss", "iat"} and claims["iat"] % provider_token.PERIOD == 0
    assert jwt.get_unverified_header(token) == {"alg": "ES256", "kid": "OPENKEY000", "typ": "JWT"}


def test_a_token_is_verified_by_a_library_that_is_not_ours() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    token = bearer(provider(private_key=pem(key), team_id="TEAM000001", key_id="KEY0000001"))
    assert jwt.decode(token, key.public_key(), algorithms=["ES256"])["iss"] == "TEAM000001"


@pytest.mark.parametrize(("now", "issued_at"), [(3600, 1800), (3659, 1800), (3660, 3600), (5459, 3600), (5460, 5400)])
def test_a_token_is_one_to_31_minutes_old(now: float, issued_at: int) -> None:
    assert provider_token.issue_time(now) == issued_at


def test_connections_are_shared_by_accounts_of_one_team_and_key_only() -> None:
    other_key = pem(ec.generate_private_key(ec.SECP256R1()))
    pool = provider().pool
    assert pool == provider(bundle_id="com.example.other").pool
    assert pool != provider(team_id="TEAM000001").pool
    assert pool != provider(private_key=other_key).pool


# ---- the settings ------------------------------------------------------------------------------------------------


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption()).decode()


@pytest.mark.parametrize(
    ("changes", "field", "named"),
    [
        ({"team_id": "short"}, "team_id", "10 characters"),
        ({"key_id": "abcdefghij"}, "key_id", "10 characters"),
        ({"bundle_id": "shop"}, "bundle_id", "com.example"),
        ({"bundle_id": "com.example\r\nx: y"}, "bundle_id", "com.example"),
        ({"environment": "staging"}, "environment", "production, sandbox"),
        ({"private_key": "s3cret"}, "private_key", "BEGIN PRIVATE KEY"),
        ({"private_key": "-----BEGIN PRIVATE KEY-----\ns3cret\n-----END PRIVATE KEY-----"}, "private_key", "BEGIN"),
        ({"private_key": pem(ec.generate_private_key(ec.SECP384R1()))}, "private_key", "P-256"),
        ({"private_key": pem(rsa.generate_private_key(65537, 2048))}, "private_key", "P-256"),
    ],
    ids=range(9),
)
def test_an_unusable_setting_is_refused_with_its_name_and_not_quoted(
    changes: dict[str, str], field: str, named: str
) -> None:
    with pytest.raises(InvalidInput, match=named) as refused:
        provider(**changes)
    assert refused.value.field == field
    assert "s3cret" not in str(refused.value) and refused.value.__cause__ is None


def test_a_key_may_have_lost_its_line_breaks() -> None:
    text = pem(ec.generate_private_key(ec.SECP256R1()))
    for lost in (text.replace("\n", "\\n"), text.replace("\n", " "), f"\ufeff{text}\r\n"):
        assert bearer(provider(private_key=lost)) == bearer(provider(private_key=text))


def test_each_environment_has_its_own_server() -> None:
    assert provider(None).base == "https://api.push.apple.com"
    assert provider(None, environment="sandbox").base == "https://api.sandbox.push.apple.com"


def test_an_account_is_replaced_by_one_that_reaches_the_same_tokens_only() -> None:
    new_key = pem(ec.generate_private_key(ec.SECP256R1()))
    account = provider(None)
    assert account.can_replace(provider(None, key_id="KEY0000001", private_key=new_key))
    for other in ({"environment": "sandbox"}, {"bundle_id": "com.example.other"}, {"team_id": "TEAM000001"}):
        assert not account.can_replace(provider(None, **other))


# ---- against the sandbox -----------------------------------------------------------------------------------------


def send(sandbox: Sandbox, *tokens: str, apns: Apns | None = None) -> dict[str, Verdict]:
    messages = [push(token, urgent=True, link="app://x", data={"a": "1"}) for token in tokens]
    apns = apns or provider(sandbox.url)
    return {tokens[i]: verdict for answers in apns.send(messages, http_client(sandbox.ca)) for i, verdict in answers}


def test_every_reason_of_the_sandbox_gets_its_verdict(sandbox: Sandbox) -> None:
    tokens = {prefix + "0" * 56: reason for prefix, reason in apns_tokens.REFUSALS.items()}
    verdicts = send(sandbox, TOKEN, *tokens)
    assert isinstance(verdicts.pop(TOKEN), Sent)
    for token, verdict in verdicts.items():
        status, reason = tokens[token]
        expected = Throttled if status == 503 else VERDICTS[APPLE[status, reason]]
        assert type(verdict) is expected, reason
    assert sandbox.report()["accepted"] == 1


def test_the_sandbox_takes_a_push_of_every_kind(sandbox: Sandbox) -> None:
    kinds: list[dict[str, Any]] = [
        {}, {"title": "", "body": "", "data": {"a": "1"}}, {"apns": ACTIVITY}, {"image": "https://shop.test/1.png"},
        {"apns": {"push_type": "voip"}, "urgent": True}, {"expires_in": 0}, {"badge": "3", "sound": "default"},
        {"collapse_key": "k" * 200},
    ]  # fmt: skip
    messages = [push(**kind) for kind in kinds]
    answers = [pair for pairs in provider(sandbox.url).send(messages, http_client(sandbox.ca)) for pair in pairs]
    assert {i: type(verdict) for i, verdict in answers} == dict.fromkeys(range(len(kinds)), Sent)
    sent = {verdict.provider_ref for _, verdict in answers if isinstance(verdict, Sent)}
    assert sent == {str(message.envelope.delivery_id) for message in messages}
    assert sandbox.report()["counters"]["apns production"] == len(kinds)


def checks(sandbox: Sandbox, apns: Apns) -> list[tuple[str, bool | None]]:
    return [(check.name, check.passed) for check in apns.test(http_client(sandbox.ca))]


def test_the_connection_test_reaches_no_device_and_tells_a_wrong_key(sandbox: Sandbox) -> None:
    assert checks(sandbox, provider(sandbox.url)) == [("credentials", True), ("bundle ID", None)]
    wrong = provider(sandbox.url, private_key=pem(ec.generate_private_key(ec.SECP256R1())))
    (check,) = wrong.test(http_client(sandbox.ca))
    assert check.passed is False and "team ID, key ID and key" in check.text
    assert checks(sandbox, provider("https://127.0.0.1:1")) == [("connection", False)]
    assert sandbox.report()["accepted"] == 0
