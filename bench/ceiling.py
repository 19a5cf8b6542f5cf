"""h2load: how many requests a second the sink takes from a client in C that does nothing else. 4 connections of 100
streams, our own message."""

from __future__ import annotations

import json
import re
import subprocess
import uuid
from pathlib import Path
from typing import Any

from bench.sinks import Sink
from bench.sinks.base import SEND_PATH, TOKEN_GRANT, find_program
from notifier.channels.base import Envelope
from notifier.channels.push import PushMessage
from notifier.providers.fcm import Fcm, FcmConfig
from notifier.vocabulary.http import Request
from notifier.vocabulary.people import Address

DEVICE_TOKEN = "c" + "x" * 21 + ":APA91b" + "y" * 126
ACCESS_TOKEN = str(json.loads(TOKEN_GRANT)["access_token"])
TIMEOUT = 120


class NoCeiling(Exception):
    """h2load is not installed, or not all of its requests were answered."""


def fcm_request(origin: str, number: int = 0) -> Request:
    """The request of the `number`th message, as the product's own provider makes it."""
    delivery = uuid.UUID(int=(0x7 << 76) + (0x8 << 60) + number)
    envelope = Envelope(
        delivery, uuid.UUID(int=1), uuid.UUID(int=2), Address(DEVICE_TOKEN, "fcm"), str(delivery), category="promotions"
    )
    message = PushMessage(
        envelope,
        title=f"Hi Person {number}",
        body="Five seconds. One lesson. Keep your streak alive, the owl is watching you.",
    )
    return Fcm(FcmConfig.sandbox(origin), origin).request(message, ACCESS_TOKEN)


def fcm_message(origin: str) -> dict[str, Any]:
    """The message in that request."""
    body: dict[str, Any] = json.loads(fcm_request(origin).body)
    return body["message"]  # type: ignore[no-any-return]


def requests_per_s(sink: Sink, requests: int) -> float:
    """Raises NoCeiling."""
    program = find_program("h2load")
    if program is None:
        raise NoCeiling("no h2load on PATH (apt-get install nghttp2-client)")
    sample = fcm_request(sink.address.origin)
    body = sink.folder / "body.json"
    body.write_bytes(sample.body)
    return _parse_rate(_run(program, sample, body, sink.address.origin + SEND_PATH, requests), requests)


def _run(program: str, sample: Request, body: Path, url: str, requests: int) -> str:
    headers = [part for name, value in sample.headers for part in ("-H", f"{name}: {value}")]
    command = [program, "-n", str(requests), "-c", "4", "-m", "100", "-d", str(body), *headers, url]
    return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT).stdout


def _parse_rate(output: str, requests: int) -> float:
    rate = re.search(r"finished in .*?, ([\d.]+) req/s", output)
    done = re.search(r"(\d+) succeeded", output)
    if rate is None or done is None or int(done[1]) != requests:
        raise NoCeiling(f"h2load: {output[-500:]}")
    return float(rate[1])
