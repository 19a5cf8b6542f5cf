"""FCM: payloads against Google's discovery document, verdicts by table, the grant, and the service account."""

from __future__ import annotations

import datetime
import email.utils
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import googleapiclient
import jsonschema
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from notifier.errors import InvalidInput
from notifier.providers.fcm import Fcm
from notifier.providers.fcm.provider import GOOGLE_TOKENS
from notifier.transport import http_client
from notifier.vocabulary.http import Response, TokenRefused
from notifier.vocabulary.verdicts import Misconfigured, Permanent, Sent, Temporary, Throttled, Verdict
from tests.providers.people import a_push, sandboxed, token_of
from tests.sandbox.process import Sandbox

FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
URL = "https://127.0.0.1:1"
REAL_TOKEN = "cYd1:APA91b" + "x" * 140
FID = "dXk3-9_abcdefghijklmno"


def discovery_schema() -> dict[str, Any]:
    """The discovery document as a JSON Schema that refuses unknown names; proto's snake_case is added."""
    document = Path(googleapiclient.__file__).parent / "discovery_cache/documents/fcm.v1.json"
    schemas = json.loads(document.read_text())["schemas"]
    return {"$defs": {name: convert(s) for name, s in schemas.items()}, "$ref": "#/$defs/SendMessageRequest"}


def convert(schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        return {"$ref": f"#/$defs/{schema['$ref']}"}
    out: dict[str, Any] = {"type": schema["type"]} if schema.get("type") not in (None, "any") else {}
    if "enum" in schema:
        out["enum"] = schema["enum"]
    if schema.get("format") == "google-duration":
        out["pattern"] = r"^\d+(\.\d{1,9})?s$"
    if "items" in schema:
        out["items"] = convert(schema["items"])
    if isinstance(schema.get("additionalProperties"), dict):
        out["additionalProperties"] = convert(schema["additionalProperties"])
    if "properties" in schema:
        out["properties"] = {k: convert(v) for k, v in schema["properties"].items()}
        out["properties"] |= {snake(k): v for k, v in out["properties"].items()}
        out["additionalProperties"] = False
    return out


def snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)


SCHEMA = jsonschema.Draft202012Validator(discovery_schema())


def payload(**changes: Any) -> dict[str, Any]:
    body = json.loads(sandboxed(URL).request(a_push(**changes), "T").body)
    SCHEMA.validate(body)
    message: dict[str, Any] = body["message"]
    return message


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"address": FID},
        {"link": "https://shop.test/1", "image": "https://shop.test/1.png"},
        {"link": "app://deep"},
        {"data": {"a": "1", "b": 2, "c": True, "ü": "😀"}},
        {"expires_in": 0, "urgent": True},
        {"expires_in": 10**9},
        {"title": "Grüße 😀", "body": "“x”\n"},
        {"collapse_key": "k" * 200},
    ],
)
def test_every_payload_fits_the_discovery_document(changes: dict[str, Any]) -> None:
    payload(**changes)


def test_the_schema_notices_an_unknown_name_and_a_wrong_type() -> None:
    with pytest.raises(jsonschema.ValidationError):
        SCHEMA.validate({"message": {"token": "t", "data": {"n": 1}}})
    with pytest.raises(jsonschema.ValidationError):
        SCHEMA.validate({"message": {"tokens": "t"}})


@pytest.mark.parametrize(
    ("address", "field"),
    [
        (REAL_TOKEN, "token"),
        (FID, "fid"),
        (FID + "x", "token"),
        ("a" + FID[1:], "token"),
        ("unregistered-1", "token"),
        ("c:APA91bxxxxxxxxxxxxxx", "token"),
    ],
)
def test_a_registration_token_and_an_installation_id_have_their_own_fields(address: str, field: str) -> None:
    message = payload(address=address)
    assert message[field] == address
    assert len({"token", "fid"} & set(message)) == 1


def test_a_repeat_replaces_the_first_on_every_platform() -> None:
    push = a_push(address=REAL_TOKEN)
    first, again = (json.loads(sandboxed(URL).request(push, "T").body)["message"] for _ in range(2))
    assert first == again
    key = push.envelope.collapse_key
    assert first["android"]["notification"]["tag"] == key
    assert first["apns"]["headers"]["apns-collapse-id"] == key
    assert first["webpush"]["headers"]["Topic"] == key
    assert first["data"]["delivery_id"] == str(push.envelope.delivery_id)


@pytest.mark.parametrize("key", ["k" * 200, "a3c3dccc-178d-443e-985d-33540aa86d19", "ümlaut", "a b", ""])
def test_a_collapse_key_that_a_platform_would_refuse_is_shortened_the_same_way_each_time(key: str) -> None:
    first, again = payload(collapse_key=key), payload(collapse_key=key)
    for message in (first, again):
        topic = message["webpush"]["headers"]["Topic"]
        assert 0 < len(topic) <= 32
        assert topic.isascii()
        assert len(message["apns"]["headers"]["apns-collapse-id"].encode()) <= 64
    assert first["webpush"]["headers"]["Topic"] == again["webpush"]["headers"]["Topic"]


def test_expiry_and_urgency_reach_every_platform() -> None:
    urgent, calm = payload(expires_in=90, urgent=True), payload()
    assert (urgent["android"]["ttl"], urgent["android"]["priority"]) == ("90s", "HIGH")
    assert urgent["webpush"]["headers"]["TTL"] == "90"
    assert urgent["apns"]["headers"]["apns-priority"] == "10"
    assert "ttl" not in calm["android"]
    assert calm["android"]["priority"] == "NORMAL"


def error(status: int, code: str = "", *, message: str = "m", field: str = "", **headers: str) -> Response:
    details: list[dict[str, Any]] = [{"@type": FCM_ERROR, "errorCode": code}] if code else []
    if field:
        details.append({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [{"field": field}]})
    body = {"error": {"code": status, "message": message, "status": "S", "details": details}}
    return Response(status, {k.replace("_", "-"): v for k, v in headers.items()}, json.dumps(body).encode())


DEAD = "The registration token is not a valid FCM registration token"


@pytest.mark.parametrize(
    ("response", "kind", "field", "value"),
    [
        (Response(200, {}, b'{"name":"projects/p/messages/1"}'), Sent, "provider_ref", "projects/p/messages/1"),
        (Response(200, {}, b""), Sent, "provider_ref", ""),
        (error(404, "UNREGISTERED"), Permanent, "address_is_dead", True),
        (error(404), Misconfigured, None, None),
        (error(410), Misconfigured, None, None),
        (Response(404, {}, b"<html>"), Misconfigured, None, None),
        (Response(410, {}, b""), Misconfigured, None, None),
        (Response(400, {}, b"<html>"), Temporary, None, None),
        (error(400, "UNREGISTERED"), Permanent, "address_is_dead", True),
        (error(403, "SENDER_ID_MISMATCH"), Temporary, "one_address", True),
        (error(400, message=DEAD), Permanent, "address_is_dead", False),
        (error(400, "INVALID_ARGUMENT"), Permanent, "address_is_dead", False),
        (error(400, "INVALID_ARGUMENT", message=DEAD), Permanent, "address_is_dead", True),
        (error(400, "INVALID_ARGUMENT", field="message.token"), Permanent, "address_is_dead", True),
        (error(400, "INVALID_ARGUMENT", field="message.fid"), Permanent, "address_is_dead", True),
        (error(400, "INVALID_ARGUMENT", field="message.data[0].value"), Permanent, "address_is_dead", False),
        (error(400, message="Message is too big"), Permanent, "address_is_dead", False),
        (error(413), Permanent, "address_is_dead", False),
        (error(429, "QUOTA_EXCEEDED", retry_after="30"), Throttled, "after", 30.0),
        (error(429, "QUOTA_EXCEEDED"), Throttled, "after", None),
        (error(429, retry_after="0"), Throttled, "after", 1.0),
        (error(429, retry_after="1000000"), Throttled, "after", 3600.0),
        (error(429, retry_after="Mon, 01 Jan 2001 00:00:00 GMT"), Throttled, "after", 1.0),
        (error(429, retry_after="whenever"), Throttled, "after", None),
        (error(503, "UNAVAILABLE", retry_after="5"), Throttled, "after", 5.0),
        (error(503, "UNAVAILABLE"), Temporary, None, None),
        (error(500, "INTERNAL"), Temporary, None, None),
        (error(502), Temporary, None, None),
        (error(408), Temporary, None, None),
        (error(401, "THIRD_PARTY_AUTH_ERROR"), Misconfigured, "one_address", True),
        (error(401), Temporary, None, None),
        (error(403), Misconfigured, None, None),
        (error(418), Permanent, "address_is_dead", False),
        (Response(302, {}, b""), Temporary, None, None),
    ],
)
def test_verdicts(response: Response, kind: type[Verdict], field: str | None, value: Any) -> None:
    verdict = sandboxed(URL).verdict_of(response)
    assert type(verdict) is kind
    if field:
        assert getattr(verdict, field) == value


@pytest.mark.parametrize(
    ("response", "refused"),
    [
        (error(401), True),
        (Response(401, {}, b"<html>"), True),
        (error(401, "THIRD_PARTY_AUTH_ERROR"), False),
        (error(403), False),
    ],
)
def test_only_a_refusal_of_the_access_token_asks_for_a_new_one(response: Response, refused: bool) -> None:
    assert sandboxed(URL).refuses_token(response) is refused


def test_retry_after_may_be_a_date() -> None:
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=100)
    verdict = sandboxed(URL).verdict_of(error(429, retry_after=email.utils.format_datetime(soon, usegmt=True)))
    assert isinstance(verdict, Throttled)
    assert verdict.after is not None
    assert 60 < verdict.after <= 100


# ---- the account -------------------------------------------------------------------------------------------------


def an_account(**changes: Any) -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    document = {
        "type": "service_account",
        "project_id": "shop-1",
        "private_key_id": "kid-1",
        "private_key": pem(key),
        "client_email": "push@shop-1.iam.gserviceaccount.com",
        "token_uri": "https://169.254.169.254/steal",
    }
    return json.dumps({name: value for name, value in {**document, **changes}.items() if value is not None})


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption()).decode()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("s3cret", "JSON"),
        ("[]", "object"),
        ("{}", "project_id, client_email, private_key"),
        (an_account(client_email=None), "client_email"),
        (an_account(private_key="s3cret"), "PEM"),
        (an_account(private_key=pem(ec.generate_private_key(ec.SECP256R1()))), "RSA"),
        (an_account(project_id="../../x"), "project_id"),
    ],
)
def test_an_unusable_service_account_is_refused_with_its_fault_and_not_quoted(text: str, named: str) -> None:
    with pytest.raises(InvalidInput, match=named) as refused:
        Fcm.Config.parse({"service_account": text})
    assert refused.value.field == "service_account"
    assert "s3cret" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_the_assertion_is_for_google_even_if_the_account_has_another_token_uri() -> None:
    fcm = Fcm(Fcm.Config.parse({"service_account": an_account()}))
    request = fcm.token_request()
    assert request.url == GOOGLE_TOKENS
    form = parse_qs(request.body.decode())
    claims = jwt.decode(form["assertion"][0], options={"verify_signature": False})
    assert claims["aud"] == GOOGLE_TOKENS
    assert claims["exp"] - claims["iat"] == 3600
    assert jwt.get_unverified_header(form["assertion"][0]) == {"alg": "RS256", "typ": "JWT", "kid": "kid-1"}
    assert fcm.token_request() is request


def test_a_token_is_kept_for_one_account_one_credential_and_one_origin() -> None:
    text = an_account()
    config, forged = (Fcm.Config.parse({"service_account": account}) for account in (text, an_account()))
    assert json.loads(text)["private_key_id"] == json.loads(forged.service_account)["private_key_id"]
    victim, twin, forger, elsewhere = Fcm(config), Fcm(config), Fcm(forged), Fcm(config, URL)
    for fcm, account in ((victim, "a"), (twin, "b"), (forger, "a"), (elsewhere, "a")):
        fcm.account = account
    assert len({fcm.token_key for fcm in (victim, twin, forger, elsewhere)}) == 4


# ---- against the sandbox -----------------------------------------------------------------------------------------


def test_the_sandbox_accepts_the_signature_of_its_account_and_the_open_one(sandbox: Sandbox) -> None:
    text = (sandbox.folder / "service-account.json").read_text()
    for fcm in (Fcm(Fcm.Config.parse({"service_account": text}), sandbox.url), sandboxed(sandbox.url)):
        ((_, verdict),) = next(iter(fcm.send([a_push()], http_client(sandbox.ca))))
        assert isinstance(verdict, Sent)
    with pytest.raises(TokenRefused, match="400"):
        http_client(sandbox.ca).token(token_of(Fcm(Fcm.Config.parse({"service_account": an_account()}), sandbox.url)))


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("ok-1", Sent),
        ("unregistered-1", Permanent),
        ("badarg-1", Permanent),
        ("mismatch-1", Temporary),
        ("page-1", Misconfigured),
        ("empty-1", Misconfigured),
        ("throttled-1", Throttled),
        ("unavailable-1", Throttled),
        ("internal-1", Temporary),
        ("thirdparty-1", Misconfigured),
    ],
)
def test_each_answer_of_the_sandbox_gets_its_verdict(sandbox: Sandbox, address: str, kind: type[Verdict]) -> None:
    ((_, verdict),) = next(iter(sandboxed(sandbox.url).send([a_push(address)], http_client(sandbox.ca))))
    assert type(verdict) is kind
