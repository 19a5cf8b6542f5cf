"""The provider twilio: its requests, what answers mean, and calls that Twilio signed."""

from __future__ import annotations

import dataclasses
import json
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from twilio.request_validator import RequestValidator

from notifier.channels.base import Envelope
from notifier.channels.sms import SmsMessage
from notifier.errors import Forged, InvalidInput
from notifier.providers.twilio import Twilio, TwilioConfig
from notifier.transport import http_client
from notifier.transport.in_memory import InMemoryClient
from notifier.vocabulary.http import Response
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.people import Address
from notifier.vocabulary.receipts import EventKind, ReceiptRequest
from notifier.vocabulary.verdicts import InDoubt, Misconfigured, Permanent, Sent, Temporary, Throttled
from tests.sandbox.process import Sandbox

SID, TOKEN = "AC" + "0" * 32, "a-token"
GOOD: dict[str, Any] = {"account_sid": SID, "auth_token": TOKEN, "sender": "+12025550100"}
URL = "https://notify.example.com/v1/receipts/twilio/1/s3cret"


def twilio(**settings: Any) -> Twilio:
    provider = Twilio(TwilioConfig.parse(GOOD | settings))
    provider.receipts_url = URL
    return provider


def an_sms(number: str = "+491701234567", text: str = "Hi Ann, 2 € & more", **values: Any) -> SmsMessage:
    return SmsMessage(Envelope(new_id(), new_id(), new_id(), Address(number), "key", **values), text)


def form_of(provider: Twilio, message: SmsMessage) -> dict[str, str]:
    return dict(parse_qsl(provider.request(message, "").body.decode()))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"account_sid": "AC1"}, "account_sid"),
        ({"sender": "+49 170"}, "sender"),
        ({"sender": "a-name-that-is-too-long"}, "sender"),
        ({"senders": "Germany=Acme"}, "senders"),
        ({"senders": "DE=+"}, "senders"),
        ({"api_key": "SK" + "1" * 32}, "api_key_secret"),
        ({"api_key": "key", "api_key_secret": "x"}, "api_key"),
        ({"price_per_segment": -1}, "price_per_segment"),
    ],
)
def test_a_wrong_setting_is_named(change: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        TwilioConfig.parse(GOOD | change)
    assert refused.value.field == field


def test_a_request_carries_the_text_the_sender_and_our_delivery_id() -> None:
    message = an_sms(expires_in=600)
    assert form_of(twilio(), message) == {
        "To": "+491701234567",
        "From": "+12025550100",
        "Body": "Hi Ann, 2 € & more",
        "StatusCallback": f"{URL}?delivery={message.envelope.delivery_id}",
        "ValidityPeriod": "600",
    }
    assert twilio().request(message, "").url == f"https://api.twilio.com/2010-04-01/Accounts/{SID}/Messages.json"


@pytest.mark.parametrize(
    ("number", "name", "sender"),
    [
        ("+491701234567", "From", "Acme"),
        ("+12025550123", "MessagingServiceSid", "MG" + "1" * 32),
        ("+14165550123", "From", "+12025550100"),  # Canada shares +1 with the United States
        ("+99", "From", "+12025550100"),
    ],
)
def test_the_country_of_the_number_chooses_the_sender(number: str, name: str, sender: str) -> None:
    provider = twilio(senders=f"DE=Acme, US={'MG' + '1' * 32}")
    assert form_of(provider, an_sms(number))[name] == sender


def an_answer(status: int, code: int, message: str = "why") -> Response:
    more = f"https://www.twilio.com/docs/errors/{code}"
    body = {"code": code, "message": message, "more_info": more, "status": status}
    return Response(status, {"retry-after": "7"}, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("status", "code", "verdict"),
    [
        (400, 21211, Permanent("400 21211 why", address_is_dead=True)),
        (400, 21614, Permanent("400 21614 why", address_is_dead=True)),
        (400, 21610, Permanent("400 21610 why", address_is_dead=True)),
        (400, 21617, Permanent("400 21617 why")),
        (400, 21408, Permanent("400 21408 why")),
        (400, 21606, Misconfigured("400 21606 why")),
        (401, 20003, Misconfigured("401 20003 why")),
        (404, 20404, Misconfigured("404 20404 why")),
        (429, 20429, Throttled(7.0, "429 20429 why")),
        (400, 21611, Throttled(7.0, "400 21611 why")),
        (503, 20503, Temporary("503 20503 why", unavailable=True)),
        (500, 20500, InDoubt("500 20500 why")),
    ],
)
def test_twilio_s_own_code_decides(status: int, code: int, verdict: object) -> None:
    assert twilio().verdict_of(an_answer(status, code)) == verdict


def test_an_accepted_message_keeps_twilio_s_id() -> None:
    assert twilio().verdict_of(Response(201, {}, b'{"sid": "SM1", "status": "queued"}')) == Sent("SM1")


@pytest.mark.parametrize(
    ("status", "kind"),
    [(502, InDoubt), (504, InDoubt), (520, InDoubt), (524, InDoubt), (503, Temporary), (429, Throttled)],
)
def test_a_gateway_s_answer_leaves_a_message_in_doubt_unless_it_refuses_it(status: int, kind: type) -> None:
    assert isinstance(twilio().verdict_of(Response(status, {}, b"<html>")), kind)


# ---- what Twilio reports -------------------------------------------------------------------------------------------


def a_call(form: dict[str, str], url: str = URL, signed_url: str = "") -> ReceiptRequest:
    """A call signed by Twilio's own library."""
    signature = RequestValidator(TOKEN).compute_signature(signed_url or url, form)
    headers = {"x-twilio-signature": signature, "content-type": "application/x-www-form-urlencoded"}
    return ReceiptRequest("POST", url, headers, urlencode(form).encode())


FORM = {
    "MessageSid": "SM1",
    "MessageStatus": "delivered",
    "To": "+491701234567",
    "From": "Acme",
    "Empty": "",
    "Body": "é & =\n",
}


@pytest.mark.parametrize(
    "signed_url", ["", URL.replace(".com/", ".com:443/"), f"{URL}?delivery=1"], ids=["plain", "with port", "query"]
)
def test_a_call_that_twilio_s_library_signed_is_verified(signed_url: str) -> None:
    url = signed_url if "?" in signed_url else URL
    twilio().verify(a_call(FORM, url, signed_url))


def test_a_changed_call_or_another_token_is_forged() -> None:
    call = a_call(FORM)
    changed = ReceiptRequest("POST", URL, call.headers, call.body.replace(b"delivered", b"failed"))
    elsewhere = ReceiptRequest("POST", f"{URL}?delivery=2", call.headers, call.body)
    unsigned = ReceiptRequest("POST", URL, {}, call.body)
    odd = ReceiptRequest("POST", URL, {"x-twilio-signature": "\u20ac"}, b"\xff\xfe=%ff")
    for forged in (changed, elsewhere, unsigned, odd):
        with pytest.raises(Forged):
            twilio().verify(forged)
    with pytest.raises(Forged):
        twilio(auth_token="another").verify(call)


@pytest.mark.parametrize(
    ("status", "code", "kind", "permanent"),
    [
        ("sent", "", EventKind.SENT, False),
        ("delivered", "", EventKind.DELIVERED, False),
        ("undelivered", "30003", EventKind.FAILED, False),
        ("undelivered", "30005", EventKind.FAILED, True),
        ("failed", "30006", EventKind.FAILED, True),
        ("failed", "no number", EventKind.FAILED, False),
    ],
)
def test_a_status_callback_becomes_an_event_of_our_delivery(
    status: str, code: str, kind: EventKind, permanent: bool
) -> None:
    delivery = new_id()
    call = a_call({"MessageSid": "SM1", "MessageStatus": status, "ErrorCode": code}, f"{URL}?delivery={delivery}")
    [event] = twilio().receipts(call, InMemoryClient())
    assert (event.kind, event.delivery_id, event.provider_ref, event.permanent) == (kind, delivery, "SM1", permanent)


def test_what_we_know_already_is_no_event_and_an_opt_out_at_the_carrier_is_a_stop() -> None:
    client = InMemoryClient()
    assert twilio().receipts(a_call({"MessageSid": "SM1", "MessageStatus": "queued"}), client) == []
    opted_out = {"MessageSid": "SM1", "MessageStatus": "failed", "ErrorCode": "21610", "To": "+491701234567"}
    failed, stop = twilio().receipts(a_call(opted_out), client)
    assert (failed.kind, stop.kind, stop.address) == (EventKind.FAILED, EventKind.STOP, "+491701234567")


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        ({"Body": " Stop. "}, EventKind.STOP),
        ({"Body": "ARRÊT"}, EventKind.STOP),
        ({"Body": "stopp"}, EventKind.STOP),
        ({"Body": "BAJA"}, EventKind.STOP),
        ({"Body": "please stop that"}, None),
        ({"Body": "START"}, EventKind.START),
        ({"Body": "Hilfe!"}, EventKind.HELP),
        ({"Body": "my own word", "OptOutType": "STOP"}, EventKind.STOP),
        ({"Body": "Thank you"}, None),
    ],
)
def test_a_person_s_answer_opts_out_opts_in_or_asks_for_help(form: dict[str, str], kind: EventKind | None) -> None:
    call = a_call({"MessageSid": "SM2", "From": "+491701234567", "SmsStatus": "received", **form})
    events = twilio().receipts(call, InMemoryClient())
    assert [(event.kind, event.address) for event in events] == ([(kind, "+491701234567")] if kind else [])


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"Body": "help"}, "<Message>Call &lt;us&gt;</Message>"),
        ({"Body": "help", "OptOutType": "HELP"}, "<Response></Response>"),  # Twilio answered
        ({"Body": "stop"}, "<Response></Response>"),
        ({"MessageStatus": "sent", "MessageSid": "SM1"}, "<Response></Response>"),
    ],
)
def test_help_is_answered_with_the_account_s_text(form: dict[str, str], says: str) -> None:
    kind, body = twilio(help_text="Call <us>").receipt_answer(a_call(form))
    assert kind == "text/xml"
    assert says in body.decode()


@pytest.mark.parametrize(
    ("sender", "rate"),
    [
        ("+12025550100", 1),
        ("+18335550100", 3),
        ("+4930123456", 10),
        ("Acme", 10),
        ("72345", 100),
        ("MG" + "1" * 32, None),
    ],
)
def test_the_kind_of_sender_decides_the_rate(sender: str, rate: float | None) -> None:
    assert twilio(sender=sender).default_rate == rate


def test_the_connection_test_tries_the_auth_token_and_the_api_key(sandbox: Sandbox) -> None:
    client = http_client(sandbox.ca, 1)
    good = Twilio.Config.sandbox(sandbox.url)
    checks = list(Twilio(good, sandbox.url).test(client))
    assert [(check.name, check.passed) for check in checks] == [("credentials", True), ("API key", True)]
    changes: list[tuple[dict[str, Any], str]] = [
        ({"auth_token": "wrong"}, "credentials"),
        ({"api_key_secret": "wrong"}, "API key"),
    ]
    for change, name in changes:
        last = list(Twilio(dataclasses.replace(good, **change), sandbox.url).test(client))[-1]
        assert (last.name, last.passed) == (name, False)
        assert "wrong" not in last.text


@pytest.mark.parametrize("sender", ["72345", "whatsapp:+491701234567", "+" + "4" * 2_000, "", "+٤٩١٧٠١٢٣٤٥٦٧"])
def test_an_answer_from_anything_but_a_number_of_a_recipient_is_no_event(sender: str) -> None:
    call = a_call({"MessageSid": "SM2", "From": sender, "Body": "STOP"})
    assert twilio().receipts(call, InMemoryClient()) == []


def test_a_body_that_is_no_text_makes_no_event_and_no_error() -> None:
    odd = ReceiptRequest("POST", URL, {}, b"\xff\xfe=%ff&Body=%00&MessageSid=" + b"9" * 5_000)
    assert twilio().receipts(odd, InMemoryClient()) == []
    assert b"<Response></Response>" in twilio().receipt_answer(odd)[1]
