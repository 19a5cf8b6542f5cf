"""The sandbox as Twilio, used by Twilio's own library."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import pytest
import requests
from twilio.base.exceptions import TwilioRestException
from twilio.http import HttpClient
from twilio.http.response import Response
from twilio.rest import Client

from notifier.channels.base import Envelope
from notifier.channels.sms import SmsMessage
from notifier.providers.twilio import SANDBOX_ACCOUNT, SANDBOX_KEY, SANDBOX_SECRET, Twilio
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.people import Address
from tests.sandbox.process import Sandbox

TWILIO = "https://api.twilio.com"
CALLBACK = "http://127.0.0.1:9/v1/receipts"


class ToSandbox(HttpClient):  # type: ignore[misc]  # twilio carries no types
    """Sends what the library would send to Twilio to the sandbox, and keeps the last form."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self.form: dict[str, str] = {}
        self.url = ""

    def request(self, method: str, url: str, **more: Any) -> Response:
        self.url, self.form = url, {name: str(value) for name, value in (more.get("data") or {}).items()}
        answer = requests.request(
            method,
            url.replace(TWILIO, self._sandbox.url),
            params=more.get("params"),
            data=more.get("data"),
            headers=more.get("headers"),
            auth=more.get("auth"),
            verify=self._sandbox.ca,
            timeout=60,
        )
        return Response(answer.status_code, answer.text)


@pytest.fixture
def http(sandbox: Sandbox) -> ToSandbox:
    return ToSandbox(sandbox)


@pytest.fixture
def client(http: ToSandbox) -> Any:
    return Client(SANDBOX_KEY, SANDBOX_SECRET, SANDBOX_ACCOUNT, http_client=http)


def test_twilio_s_library_sends_and_reads(client: Any, sandbox: Sandbox) -> None:
    message = client.messages.create(to="+491701234567", from_="+15005550006", body="Hi Ann")
    assert (message.status, message.sid[:2]) == ("queued", "SM")
    [arrived] = sandbox.report(detail=10)["messages"]
    assert (arrived["address"], arrived["title"], arrived["channel"]) == ("+491701234567", "Hi Ann", "sms")
    assert client.messages.list(limit=1) == []


@pytest.mark.parametrize(
    ("to", "code", "status"),
    [("+15005550001", 21211, 400), ("+15005551204", 21610, 400), ("+15005550020", 20429, 429), ("4711", 21211, 400)],
)
def test_a_magic_number_raises_twilio_s_own_error(client: Any, to: str, code: int, status: int) -> None:
    with pytest.raises(TwilioRestException) as refused:
        client.messages.create(to=to, from_="+15005550006", body="Hi")
    assert (refused.value.code, refused.value.status) == (code, status)


def test_a_wrong_key_is_refused(http: ToSandbox) -> None:
    with pytest.raises(TwilioRestException) as refused:
        Client(SANDBOX_KEY, "wrong", SANDBOX_ACCOUNT, http_client=http).messages.create(to="+49", from_="A", body="x")
    assert refused.value.status == 401


def test_our_request_is_that_of_twilio_s_library(client: Any, http: ToSandbox, sandbox: Sandbox) -> None:
    provider = Twilio(Twilio.Config.sandbox(sandbox.url))
    provider.receipts_url = CALLBACK
    envelope = Envelope(new_id(), new_id(), new_id(), Address("+491701234567"), "key", expires_in=600)
    ours = provider.request(SmsMessage(envelope, "Hi Ann, 2 € & more"), "")
    client.messages.create(
        to="+491701234567",
        from_="+15005550006",
        body="Hi Ann, 2 € & more",
        status_callback=f"{CALLBACK}?delivery={envelope.delivery_id}",
        validity_period=600,
    )
    assert (ours.url, dict(parse_qsl(ours.body.decode()))) == (http.url, http.form)
