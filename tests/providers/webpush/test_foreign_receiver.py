"""npm's web-push-testing, a push service that we did not write, takes and decrypts our requests."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from notifier.channels.base import Envelope
from notifier.channels.push import PushMessage
from notifier.local.processes.programs import PROJECT
from notifier.local.servers.ports import free_port
from notifier.providers.webpush import vapid
from notifier.providers.webpush.config import WebPushConfig
from notifier.providers.webpush.provider import WebPush
from notifier.providers.webpush.subscription import check_token
from notifier.vocabulary.http import Request, Response
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.people import Address
from notifier.vocabulary.verdicts import Permanent, Sent

PACKAGE = PROJECT / "tests" / "judges" / "node_modules" / "web-push-testing"
NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(
    NODE is None or not PACKAGE.exists(),
    reason="needs Node and: npm ci --prefix tests/judges --ignore-scripts",
)
START = """
const {PushApiModel} = require(process.argv[1] + "/src/PushApiModel");
const WebPushTestingServer = require(process.argv[1] + "/src/server");
new WebPushTestingServer(new PushApiModel(), Number(process.argv[2])).startServer();
"""


@pytest.fixture(scope="module")
def receiver() -> Iterator[str]:
    port = free_port()
    assert NODE is not None
    process = subprocess.Popen([NODE, "-e", START, str(PACKAGE), str(port)], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None and b"running" in process.stdout.readline()
        yield f"http://localhost:{port}"
    finally:
        process.kill()
        process.communicate()


def call(url: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Response:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers or {}, method="POST")) as answer:
            return Response(answer.status, dict(answer.headers), answer.read())
    except urllib.error.HTTPError as error:
        return Response(error.code, dict(error.headers), error.read())


def subscribe(receiver: str, key: vapid.VapidKey) -> dict[str, Any]:
    form = urlencode({"userVisibleOnly": "true", "applicationServerKey": key.public_key}).encode()
    subscription: dict[str, Any] = json.loads(call(f"{receiver}/subscribe", form).body)["data"]
    return subscription


def a_request(subscription: dict[str, Any], key: vapid.VapidKey) -> Request:
    # the receiver speaks plain HTTP, which no token may name: the path stays, and the host is that of a real service
    endpoint = f"https://web.push.apple.com/notify/{subscription['clientHash']}"
    token = check_token(json.dumps({**subscription, "endpoint": endpoint}))
    envelope = Envelope(new_id(), new_id(), new_id(), Address(token, "webpush"), "0" * 32)
    config = WebPushConfig(subject="mailto:push@example.com", private_key=key.text)
    return WebPush(config).request(PushMessage(envelope, title="Hello", body="Grüße"), "")


def test_it_reads_our_message_and_refuses_another_key_and_an_ended_subscription(receiver: str) -> None:
    key = vapid.new_key()
    subscription = subscribe(receiver, key)
    request = a_request(subscription, key)
    url = request.url.replace("https://web.push.apple.com", receiver)
    provider = WebPush(WebPushConfig(subject="mailto:push@example.com"))
    assert provider.verdict_of(call(url, request.body, dict(request.headers))) == Sent()
    client = json.dumps({"clientHash": subscription["clientHash"]}).encode()
    shown = json.loads(call(f"{receiver}/get-notifications", client, {"content-type": "application/json"}).body)
    [message] = [json.loads(text) for text in shown["data"]["messages"]]
    assert (message["title"], message["body"], message["options"]["tag"]) == ("Hello", "Grüße", "0" * 32)

    foreign = a_request(subscription, vapid.new_key())
    assert call(url, foreign.body, dict(foreign.headers)).status == 400
    call(f"{receiver}/expire-subscription/{subscription['clientHash']}")
    ended = provider.verdict_of(call(url, request.body, dict(request.headers)))
    assert isinstance(ended, Permanent) and ended.address_is_dead
