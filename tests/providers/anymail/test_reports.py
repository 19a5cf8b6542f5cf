"""What the email services report becomes our events; forged reports and nonsense do not."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable
from hashlib import md5
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.errors import Forged
from notifier.providers import provider_class
from notifier.transport.in_memory import InMemoryClient
from notifier.vocabulary.receipts import EventKind, ReceiptRequest
from tests.providers.anymail.accounts import SERVICES, account, optional_secrets
from tests.providers.anymail.nonsense import ALL_JSON, paths, replaced
from tests.providers.anymail.reports import DELIVERY, SAMPLES, A, Sample

URL = "https://site/v1/receipts/x/1/secret"
NOT_ASKED = InMemoryClient(lambda request: 500)


def call(sample: Sample, **headers: str) -> ReceiptRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return ReceiptRequest("POST", URL, {"content-type": sample.content_type, **sample.headers, **named}, sample.body)


def test_every_service_that_reports_has_samples() -> None:
    assert {sample.service for sample in SAMPLES} == {name for name in SERVICES if provider_class(name).reports}


@pytest.mark.parametrize("number", range(len(SAMPLES)), ids=lambda n: f"{SAMPLES[n].service}-{n}")
def test_a_report_is_read(number: int) -> None:
    sample = SAMPLES[number]
    events = account(sample.service).receipts(call(sample), NOT_ASKED)
    if sample.kind is None:
        assert events == []
        return
    [event] = events
    assert (event.kind, event.permanent, event.machine) == (sample.kind, sample.permanent, sample.machine)
    assert (event.delivery_id, event.address) == (DELIVERY, A)
    assert event.at is None or event.at.tzinfo is not None
    if sample.kind is EventKind.CLICKED and sample.service not in ("mandrill", "unisender_go"):
        assert event.url == "https://example.com/"


# ---- signatures ----------------------------------------------------------------------------------------------------

EC_KEY, RSA_KEY = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)
Signed = tuple[dict[str, str], bytes, dict[str, str]]  #: the account's keys, the body, the headers


def public(key: Any) -> str:
    """The public key in the form of the services' pages: PEM without its first and last line."""
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return "".join(pem.decode().splitlines()[1:-1])


def sendgrid(body: bytes) -> Signed:
    signature = EC_KEY.sign(b"1600112492" + body, ec.ECDSA(hashes.SHA256()))
    prefix = "x-twilio-email-event-webhook-"
    headers = {f"{prefix}signature": base64.b64encode(signature).decode(), f"{prefix}timestamp": "1600112492"}
    return {"webhook_verification_key": public(EC_KEY)}, body, headers


def mailgun(body: bytes) -> Signed:
    document = json.loads(body)
    given = document["signature"]
    given["signature"] = hmac.new(b"key", (given["timestamp"] + given["token"]).encode(), "sha256").hexdigest()
    return {"webhook_signing_key": "key"}, json.dumps(document).encode(), {}


def mailtrap(body: bytes) -> Signed:
    return {"webhook_secret": "key"}, body, {"mailtrap-signature": hmac.new(b"key", body, "sha256").hexdigest()}


def mailersend(body: bytes) -> Signed:
    return {"signing_secret": "key"}, body, {"signature": hmac.new(b"key", body, "sha256").hexdigest()}


def mandrill(body: bytes) -> Signed:
    events = json.dumps([{"event": "open", "ts": 1, "_id": "1", "msg": {"email": A}}])
    signature = hmac.new(b"key", f"{URL}mandrill_events{events}".encode(), "sha1").digest()
    form = urlencode({"mandrill_events": events}).encode()
    return {"webhook_key": "key"}, form, {"x-mandrill-signature": base64.b64encode(signature).decode()}


def postal(body: bytes) -> Signed:
    signature = RSA_KEY.sign(body, padding.PKCS1v15(), hashes.SHA1())
    return {"webhook_key": public(RSA_KEY)}, body, {"x-postal-signature": base64.b64encode(signature).decode()}


def resend(body: bytes) -> Signed:
    stamp = str(int(time.time()))
    signature = hmac.new(b"secret of svix", f"msg_1.{stamp}.".encode() + body, "sha256").digest()
    headers = {"svix-id": "msg_1", "svix-timestamp": stamp}
    headers["svix-signature"] = f"v1,AAAA v1,{base64.b64encode(signature).decode()}"
    return {"signing_secret": f"whsec_{base64.b64encode(b'secret of svix').decode()}"}, body, headers


def unisender_go(body: bytes) -> Signed:
    text = body.decode()
    auth = md5(text.replace("x" * 32, "notifier-sandbox").encode()).hexdigest()
    return {}, text.replace("x" * 32, auth).encode(), {}


SIGNERS: dict[str, Callable[[bytes], Signed]] = {
    function.__name__: function
    for function in (sendgrid, mailgun, mailtrap, mailersend, mandrill, postal, resend, unisender_go)
}


def test_every_service_that_signs_is_tested() -> None:
    """Those whose form has a field for a key, and Unisender Go, which signs with the API key."""
    keys = {name for name in SERVICES if optional_secrets(name)}
    assert keys | {"unisender_go"} == set(SIGNERS)


@pytest.mark.parametrize("name", SIGNERS)
def test_a_signed_report_passes_and_a_forged_one_does_not(name: str) -> None:
    sample = next(sample for sample in SAMPLES if sample.service == name and sample.kind)
    keys, body, headers = SIGNERS[name](sample.body)
    provider = account(name, **keys)
    headers = {"content-type": sample.content_type, **headers}

    def verify(headers: dict[str, str], body: bytes) -> None:
        provider.verify(ReceiptRequest("POST", URL, headers, body))

    verify(headers, body)
    changed = (
        body.replace(b"17", b"18").replace(b"example", b"forged1")
        if name != "mailgun"
        else body.replace(b"a8ce", b"b9ce")
    )
    assert changed != body
    for bad_headers, bad_body in [
        (headers, changed),
        ({"content-type": sample.content_type}, changed),
        (headers, b""),
        (headers, b"[]"),
        (headers, b"\xff"),
        ({name: "x" if name != "content-type" else value for name, value in headers.items()}, changed),
    ]:
        with pytest.raises(Forged):
            verify(bad_headers, bad_body)


def test_an_old_report_of_resend_is_refused() -> None:
    keys, body, headers = resend(b"{}")
    with pytest.raises(Forged):
        account("resend", **keys).verify(ReceiptRequest("POST", URL, headers | {"svix-timestamp": "1600000000"}, body))


@pytest.mark.parametrize("stamp", ["²", "", "-1", "1e9", "9" * 13, "१"])
def test_a_time_of_resend_that_is_no_number_is_refused(stamp: str) -> None:
    keys, body, headers = resend(b"{}")
    with pytest.raises(Forged):
        account("resend", **keys).verify(ReceiptRequest("POST", URL, headers | {"svix-timestamp": stamp}, body))


# ---- nonsense ------------------------------------------------------------------------------------------------------


#: a form in an encoding that Django refuses
IDNA = "application/x-www-form-urlencoded; charset=idna"


@settings(max_examples=400)
@given(sample=st.sampled_from(SAMPLES), choice=st.integers(0, 1000), junk=ALL_JSON)
def test_a_report_with_nonsense_in_it_is_read_or_refused(sample: Sample, choice: int, junk: Any) -> None:
    every = paths(sample.document)
    broken = Sample(sample.service, replaced(sample.document, every[choice % len(every)], junk), None, form=sample.form)
    try:
        events = account(sample.service).receipts(call(broken), NOT_ASKED)
    except ValueError:
        return
    for event in events:
        assert isinstance(event.kind, EventKind)
        assert isinstance(event.address, str) and isinstance(event.detail, str) and isinstance(event.url, str)
        assert isinstance(event.event_id, str) and isinstance(event.provider_ref, str)


@pytest.mark.parametrize("name", [name for name in SERVICES if provider_class(name).reports])
@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"null", b"7", b"\xff", b"<html>", b"[" * 20_000, b"a=b&c"])
def test_a_body_that_is_none_of_the_service_gives_no_event(name: str, body: bytes) -> None:
    for kind in ("application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", IDNA):
        try:
            events = account(name).receipts(ReceiptRequest("POST", URL, {"content-type": kind}, body), NOT_ASKED)
            assert events == []
        except ValueError:
            pass


def test_a_bounce_of_mailgun_whose_status_is_no_object_is_refused() -> None:
    data = {"event": "failed", "severity": "permanent", "reason": "bounce", "delivery-status": True, "timestamp": 1}
    body = json.dumps({"signature": {}, "event-data": data}).encode()
    with pytest.raises(ValueError, match="cannot be read"):
        account("mailgun").receipts(ReceiptRequest("POST", URL, {"content-type": "application/json"}, body), NOT_ASKED)


def test_a_service_without_reports_takes_none() -> None:
    with pytest.raises(Forged):
        account("scaleway").verify(ReceiptRequest("POST", URL, {}, b"{}"))
