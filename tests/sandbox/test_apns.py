"""The sandbox as APNs, used by clients that are not ours: aioapns and @parse/node-apn, a library of Node."""

from __future__ import annotations

import asyncio
import json
import shutil
import ssl
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest
from aioapns import APNs, NotificationRequest, PushType
from aioapns.connection import (
    APNsDevelopmentClientProtocol,
    APNsProductionClientProtocol,
    JWTAuthorizationHeaderProvider,
)
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.sandbox.process import Sandbox

TEAM, KEY_ID, TOPIC = "NOTIFIER00", "OPENKEY000", "com.example.shop"
TOKEN = "a1" * 32
DEVELOPMENT_DEVICE = "fffd0000" + "1" * 56
NODE_MODULES = Path(__file__).parents[1] / "judges/node_modules"
PAYLOAD: dict[str, Any] = {"aps": {"alert": {"title": "Hello", "body": "It is there."}, "badge": 2}, "order": "7"}
Answer = tuple[str, str | None]


def key(sandbox: Sandbox) -> str:
    return (sandbox.folder / f"AuthKey_{KEY_ID}.p8").read_text()


# ---- aioapns -----------------------------------------------------------------------------------------------------


def ask(sandbox: Sandbox, *requests: NotificationRequest, development: bool = False, **account: Any) -> list[Answer]:
    """Status and reason of each push that aioapns sends. The library keeps Apple's name as `host`, and connects to the
    sandbox instead."""
    return asyncio.run(_ask(sandbox, requests, development=development, account=account))


async def _ask(
    sandbox: Sandbox, requests: Sequence[NotificationRequest], *, development: bool, account: Mapping[str, str]
) -> list[Answer]:
    values: dict[str, Any] = {"key": key(sandbox), "key_id": KEY_ID, "team_id": TEAM, "topic": TOPIC, **account}
    apns: Any = APNs(**values, use_sandbox=development, max_connections=1, max_connection_attempts=2)
    address, pool = urlsplit(sandbox.url), apns.pool
    host, port = str(address.hostname), address.port or 443
    kind = APNsDevelopmentClientProtocol if development else APNsProductionClientProtocol

    async def connect() -> Any:
        loop = asyncio.get_running_loop()
        _, protocol = await loop.create_connection(
            lambda: kind(pool.apns_topic, loop, pool.discard_connection, _authorization(values)),
            host,
            port,
            ssl=ssl.create_default_context(cafile=sandbox.ca),
        )
        return protocol

    pool.create_connection = connect
    answers = [await apns.send_notification(request) for request in requests]
    pool.close()
    return [(answer.status, answer.description) for answer in answers]


def _authorization(values: Mapping[str, str]) -> Any:
    return JWTAuthorizationHeaderProvider(key=values["key"], key_id=values["key_id"], team_id=values["team_id"])


def a_request(token: str = TOKEN, **more: Any) -> NotificationRequest:
    return NotificationRequest(**{"device_token": token, "message": PAYLOAD, "push_type": PushType.ALERT, **more})


def test_aioapns_delivers_and_its_id_is_counted_once(sandbox: Sandbox) -> None:
    one = a_request(priority=5, time_to_live=60, collapse_key="order-7")
    assert ask(sandbox, one, one, a_request()) == [("200", None)] * 3
    report = sandbox.report(detail=10)
    assert (report["accepted"], report["unique"], report["duplicates"]) == (3, 2, 1)
    assert (report["messages"][0]["address"], report["messages"][0]["title"]) == (TOKEN, "Hello")
    assert report["messages"][0]["delivery"] == one.notification_id


@pytest.mark.parametrize(
    ("first", "status", "reason"),
    [
        ("fff40000", "400", "BadDeviceToken"),
        ("fff40001", "400", "DeviceTokenNotForTopic"),
        ("fff41000", "410", "Unregistered"),
        ("fff41001", "410", "ExpiredToken"),
        ("fff42900", "429", "TooManyRequests"),
        ("fff50000", "500", "InternalServerError"),
        ("fff50300", "503", "ServiceUnavailable"),
    ],
)
def test_aioapns_reads_the_reason_that_a_token_asks_for(sandbox: Sandbox, first: str, status: str, reason: str) -> None:
    assert ask(sandbox, a_request(first + "0" * 56)) == [(status, reason)]
    assert sandbox.report()["accepted"] == 0


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"token": "xyz"}, "BadDeviceToken"),
        ({"priority": 10, "push_type": PushType.BACKGROUND}, "BadPriority"),
        ({"priority": 7}, "BadPriority"),
        ({"collapse_key": "k" * 65}, "BadCollapseId"),
        ({"notification_id": "7"}, "BadMessageId"),
        ({"apns_topic": "shop"}, "BadTopic"),
        ({"push_type": PushType.LIVEACTIVITY}, "BadTopic"),
        ({"message": {}}, "PayloadEmpty"),
        ({"message": {"aps": {"alert": "x" * 4096}}}, "PayloadTooLarge"),
    ],
)
def test_what_apple_refuses_is_refused_and_not_counted(sandbox: Sandbox, more: dict[str, Any], reason: str) -> None:
    status = "413" if reason == "PayloadTooLarge" else "400"
    assert ask(sandbox, a_request(**more)) == [(status, reason)]
    assert sandbox.report()["accepted"] == 0


@pytest.mark.parametrize("account", [{"team_id": "TEAM000001"}, {"key_id": "KEY0000001"}, {"key": ""}])
def test_another_team_or_key_is_refused(sandbox: Sandbox, account: dict[str, Any]) -> None:
    if "key" in account:
        other = ec.generate_private_key(ec.SECP256R1())
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        account = {"key": other.private_bytes(encoding, form, serialization.NoEncryption()).decode()}
    assert ask(sandbox, a_request(), **account) == [("403", "InvalidProviderToken")]


def test_each_environment_knows_its_own_devices_only(sandbox: Sandbox) -> None:
    both = a_request(), a_request(DEVELOPMENT_DEVICE)
    bad = ("400", "BadDeviceToken")
    assert ask(sandbox, *both) == [("200", None), bad]
    assert ask(sandbox, *both, development=True) == [bad, ("200", None)]
    counters = sandbox.report()["counters"]
    assert (counters["apns production"], counters["apns development"]) == (1, 1)


def test_a_new_connection_has_one_stream_until_its_first_good_push(sandbox: Sandbox) -> None:
    sandbox.faults(first_streams=1)
    assert ask(sandbox, *(a_request() for _ in range(5))) == [("200", None)] * 5


@pytest.mark.parametrize(("minutes", "reason"), [(61, "ExpiredProviderToken"), (-5, "InvalidProviderToken")])
def test_a_token_of_the_wrong_time_is_refused(sandbox: Sandbox, minutes: int, reason: str) -> None:
    claims = {"iss": TEAM, "iat": int(time.time()) - 60 * minutes}
    token = jwt.encode(claims, key(sandbox), "ES256", {"kid": KEY_ID})
    assert curl(sandbox, "-H", f"authorization: bearer {token}") == (403, {"reason": reason})
    assert curl(sandbox) == (403, {"reason": "MissingProviderToken"})
    assert curl(sandbox, "-X", "PUT") == (405, {"reason": "MethodNotAllowed"})


def curl(sandbox: Sandbox, *options: str) -> tuple[int, Any]:
    if shutil.which("curl") is None:
        pytest.skip("no curl")
    command = ["curl", "-sS", "--http2", "--cacert", sandbox.ca, "-w", "\n%{http_code}", "-d", json.dumps(PAYLOAD)]
    command += ["-H", f"apns-topic: {TOPIC}", *options, f"{sandbox.url}/3/device/{TOKEN}"]
    body, _, status = subprocess.run(command, check=True, capture_output=True, text=True).stdout.rpartition("\n")
    return int(status), json.loads(body)


# ---- @parse/node-apn ---------------------------------------------------------------------------------------------

SCRIPT = """
const apn = require('@parse/node-apn');
const { address, port, ca, key, tokens } = JSON.parse(process.argv[1]);
const provider = new apn.Provider({
  token: { key, keyId: 'OPENKEY000', teamId: 'NOTIFIER00' }, address, port, ca: [ca], production: false,
});
const note = new apn.Notification({ alert: { title: 'Hello', body: 'It is there.' }, badge: 3 });
note.topic = 'com.example.shop';
note.pushType = 'alert';
note.collapseId = 'order-7';
provider.send(note, tokens).then((result) => {
  const failed = result.failed.map((f) => [f.device, String(f.status), f.response ? f.response.reason : `${f.error}`]);
  console.log(JSON.stringify({ sent: result.sent.map((s) => s.device), failed }));
  provider.shutdown();
});
"""


@pytest.mark.skipif(
    shutil.which("node") is None or not (NODE_MODULES / "@parse/node-apn").exists(),
    reason="no node, or its modules are not installed: npm ci --prefix tests/judges --ignore-scripts",
)
def test_node_apn_delivers_and_reads_the_reasons(sandbox: Sandbox) -> None:
    address = urlsplit(sandbox.url)
    tokens = [TOKEN, "b2" * 32, "fff41000" + "0" * 56, "fff40000" + "0" * 56, DEVELOPMENT_DEVICE]
    account = {"address": address.hostname, "port": address.port, "ca": Path(sandbox.ca).read_text()}
    values = json.dumps({**account, "key": key(sandbox), "tokens": tokens})
    command = ["node", "-e", SCRIPT, values]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120, cwd=NODE_MODULES.parent)
    result = json.loads(done.stdout)
    assert result["sent"] == tokens[:2]
    assert {device: (status, reason) for device, status, reason in result["failed"]} == {
        tokens[2]: ("410", "Unregistered"),
        tokens[3]: ("400", "BadDeviceToken"),
        tokens[4]: ("400", "BadDeviceToken"),
    }
    assert sandbox.report()["accepted"] == 2
