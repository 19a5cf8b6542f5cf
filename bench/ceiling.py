"""h2load: what the sink can take from a client in C that does nothing else. 4 connections of 100 streams, our own
message."""

from __future__ import annotations

import json
import re
import subprocess
import uuid
from pathlib import Path
from typing import Any

from bench.sinks import Sink
from bench.sinks.base import GRANT, SEND, find
from notifier.channels.base import Envelope
from notifier.channels.push import PushMessage
from notifier.providers.fcm import Fcm, FcmConfig
from notifier.vocabulary.http import Request
from notifier.vocabulary.people import Address

TOKEN = "c" + "x" * 21 + ":APA91b" + "y" * 126
ACCESS = str(json.loads(GRANT)["access_token"])
PATIENCE = 120


class Ceiling(Exception):
    """h2load is not there, or not all of its requests were answered."""


def request(origin: str, number: int = 0) -> Request:
    """The request of the `number`th message, as the product's own provider makes it."""
    delivery = uuid.UUID(int=(0x7 << 76) + (0x8 << 60) + number)
    envelope = Envelope(
        delivery, uuid.UUID(int=1), uuid.UUID(int=2), Address(TOKEN, "fcm"), str(delivery), category="promotions"
    )
    message = PushMessage(
        envelope,
        title=f"Hi Person {number}",
        body="Five seconds. One lesson. Keep your streak alive, the owl is watching you.",
    )
    return Fcm(FcmConfig.sandbox(origin), origin).request(message, ACCESS)


def message(origin: str) -> dict[str, Any]:
    """What that request says."""
    found: dict[str, Any] = json.loads(request(origin).body)
    return found["message"]  # type: ignore[no-any-return]


def per_s(sink: Sink, requests: int) -> float:
    """Requests a second. Raises Ceiling."""
    program = find("h2load")
    if program is None:
        raise Ceiling("no h2load on PATH (apt-get install nghttp2-client)")
    sample = request(sink.place.origin)
    body = sink.folder / "body.json"
    body.write_bytes(sample.body)
    return _finished(_run(program, sample, body, sink.place.origin + SEND, requests), requests)


def _run(program: str, sample: Request, body: Path, url: str, requests: int) -> str:
    headers = [part for name, value in sample.headers for part in ("-H", f"{name}: {value}")]
    command = [program, "-n", str(requests), "-c", "4", "-m", "100", "-d", str(body), *headers, url]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE).stdout


def _finished(said: str, requests: int) -> float:
    rate = re.search(r"finished in .*?, ([\d.]+) req/s", said)
    done = re.search(r"(\d+) succeeded", said)
    if rate is None or done is None or int(done[1]) != requests:
        raise Ceiling(f"h2load: {said[-500:]}")
    return float(rate[1])
