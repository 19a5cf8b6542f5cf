"""Other clients that send the same message to the same sink, each in its own process, which reports its figures
(protocol.py). A peer that cannot run is reported with the reason; no figure is made up for it. mail.py runs the peers
of email: smtp-source, Django (django_mail.py) and listmonk (listmonk.py).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import ceiling
from bench.peers import node
from bench.sinks import Sink

TIMEOUT = 180
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Peer:
    """`http1`: the client cannot speak HTTP/2. `share`: factor on the number of messages, by the client's speed."""

    name: str
    script: str
    arguments: tuple[str, ...] = ()
    http1: bool = False
    share: float = 1.0
    env: tuple[tuple[str, str], ...] = ()


PEERS = (
    Peer("pyfcm", "pyfcm_notify.py", ("sync",), http1=True),
    Peer("pyfcm_async", "pyfcm_notify.py", ("async",), http1=True),
    Peer("firebase_admin", "firebase.py", ("sync",), http1=True),
    Peer("firebase_admin_async", "firebase.py", ("async",)),
    Peer("notifier_curl", "ours.py", share=10, env=(("NOTIFIER_TRANSPORT", "curl"),)),
    Peer("notifier_h2", "ours.py", share=30, env=(("NOTIFIER_TRANSPORT", "h2"),)),
    Peer("node_firebase_admin", "node", share=5),
)


def run(sink: Sink, messages: int, chosen: Collection[str], skipped: Collection[str]) -> dict[str, dict[str, Any]]:
    """peer -> {"per_s": messages a second, or None; "reason": why there is none}. The `skipped` peers do not run."""
    sample = sink.folder / "message.json"
    sample.write_text(json.dumps(ceiling.fcm_message(sink.address.origin)))
    return {
        peer.name: _no_figure("left out")
        if peer.name in skipped
        else _run_peer(peer, sink, sample, int(messages * peer.share))
        for peer in PEERS
        if peer.name in chosen
    }


def _run_peer(peer: Peer, sink: Sink, sample: Path, messages: int) -> dict[str, Any]:
    if peer.http1 and not sink.http1:
        return _no_figure(f"it speaks HTTP/1.1 only, {sink.name} HTTP/2 only")
    if peer.script == "node":
        command, reason = node.command()
        if reason:
            return _no_figure(reason)
    else:
        command = [sys.executable, str(HERE / peer.script), *peer.arguments]
    return _measure([*command, sink.address.origin, str(sample), str(messages)], _env(peer, sink), messages)


def _measure(command: list[str], env: Mapping[str, str], messages: int) -> dict[str, Any]:
    try:
        done = subprocess.run(
            command, env=dict(env), capture_output=True, text=True, timeout=TIMEOUT, cwd=HERE.parent.parent
        )
    except subprocess.TimeoutExpired:
        return _no_figure(f"{messages} messages took more than {TIMEOUT} s")
    if done.returncode:
        return _no_figure((done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1][:300])
    answer = json.loads(done.stdout.splitlines()[-1])
    if answer["accepted"] != messages:
        return _no_figure(f"only {answer['accepted']} of {messages} were accepted")
    return {"per_s": round(messages / answer["seconds"], 1), "messages": messages, "version": answer["version"]}


def _env(peer: Peer, sink: Sink) -> dict[str, str]:
    ca = str(sink.address.ca)
    # each client has its own variable for the trusted CA file
    trust = {"REQUESTS_CA_BUNDLE": ca, "SSL_CERT_FILE": ca, "NODE_EXTRA_CA_CERTS": ca, "BENCH_CA": ca}
    return {**os.environ, "PYTHONPATH": str(HERE.parent.parent), **trust, **dict(peer.env)}


def _no_figure(reason: str) -> dict[str, Any]:
    return {"per_s": None, "reason": reason}
