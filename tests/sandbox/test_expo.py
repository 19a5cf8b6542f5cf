"""The sandbox as Expo, used by Expo's own client (npm expo-server-sdk); and Expo's checks of a message."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from notifier.sandbox.push_checks.expo_schema import FIELDS, violation
from tests.sandbox.process import Sandbox

JUDGES = Path(__file__).parents[1] / "judges"
TOKEN = "ExponentPushToken[ann-1]"
NODE = shutil.which("node")
needs_node = pytest.mark.skipif(
    NODE is None or not (JUDGES / "node_modules" / "expo-server-sdk").is_dir(),
    reason="Node or the npm package expo-server-sdk is missing (npm ci --prefix tests/judges)",
)


def by_expo_s_client(sandbox: Sandbox, messages: list[dict[str, Any]], access_token: str = "") -> Any:
    """Tickets and receipts as Expo's own client returns them; else the error that it throws."""
    assert NODE is not None
    environment = {**os.environ, "EXPO_BASE_URL": sandbox.url, "NODE_EXTRA_CA_CERTS": sandbox.ca}
    arguments = json.dumps({"messages": messages, "accessToken": access_token})
    command = [NODE, "--no-warnings", str(JUDGES / "expo.mjs"), arguments]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=True)
    return json.loads(done.stdout)


def to(word: str, **fields: Any) -> dict[str, Any]:
    return {"to": f"ExponentPushToken[{word}-1]", "title": "Hi", "body": "You", **fields}


@needs_node
def test_expo_s_own_client_sends_and_fetches_receipts(sandbox: Sandbox) -> None:
    words = ["ann", "unregistered", "gone", "noreceipt", *(f"r{n}" for n in range(120))]
    result = by_expo_s_client(sandbox, [to(word, data={"delivery_id": word}, sound="default") for word in words])
    tickets = dict(zip(words, result["tickets"], strict=True))
    assert tickets["unregistered"]["details"]["error"] == "DeviceNotRegistered"
    receipts = {word: result["receipts"].get(ticket.get("id")) for word, ticket in tickets.items()}
    assert receipts["ann"] == {"status": "ok"}
    assert receipts["gone"]["details"]["error"] == "DeviceNotRegistered"
    assert receipts["noreceipt"] is None
    assert sandbox.report()["unique"] == 123
    assert sandbox.report()["services"]["expo"] == {"200": 2}, "the client compresses and batches as we do"


@needs_node
def test_expo_s_own_client_understands_our_refusals(sandbox: Sandbox) -> None:
    mixed = by_expo_s_client(sandbox, [to("ann"), to("other")])
    assert (mixed["code"], mixed["status"]) == ("PUSH_TOO_MANY_EXPERIENCE_IDS", 400)
    assert sorted(map(len, mixed["details"].values())) == [1, 1]
    assert by_expo_s_client(sandbox, [to("ann")], "a-wrong-token")["code"] == "UNAUTHORIZED"
    assert by_expo_s_client(sandbox, [to("protected")])["code"] == "UNAUTHORIZED"
    assert "tickets" in by_expo_s_client(sandbox, [to("protected")], "notifier-sandbox")
    assert by_expo_s_client(sandbox, [to("throttled")])["status"] == 429


@needs_node
def test_the_fields_are_those_of_the_types_of_expo_s_client() -> None:
    types = (JUDGES / "node_modules/expo-server-sdk/build/ExpoClient.d.ts").read_text()
    message = re.search(r"export type ExpoPushMessage = \{\n(.*?)\n\};", types, re.DOTALL)
    assert message is not None
    names = re.findall(r"^    (\w+)\??:", message[1], re.MULTILINE)
    assert sorted(names) == sorted(FIELDS)


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        ({"to": TOKEN}, ""),
        ({"to": [TOKEN, TOKEN], "sound": None}, ""),
        ({"to": TOKEN, "sound": {"critical": True, "name": "default", "volume": 0.5}}, ""),
        ({}, '"[0].to" is required'),
        ({"to": "cYd1:APA91b"}, "to"),
        ({"to": TOKEN, "badge": "1"}, "badge"),
        ({"to": TOKEN, "ttl": -1}, "ttl"),
        ({"to": TOKEN, "priority": "urgent"}, "priority"),
        ({"to": TOKEN, "channel_id": "news"}, "not allowed"),
        ("no object", "object"),
    ],
)
def test_a_message_is_checked(message: Any, fault: str) -> None:
    found = violation([message])
    assert fault in found and bool(fault) == bool(found)
