"""Other clients at the same sink with the same message, each in a process of its own that says how it fared.

A peer that cannot be run is reported with the reason; no figure is ever made up for it.
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

PATIENCE = 180
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Peer:
    """`http1`: it cannot speak HTTP/2; `share`: of the messages of a run, because it is quick or slow."""

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


def run(sink: Sink, messages: int, left_out: Collection[str] = ()) -> dict[str, dict[str, Any]]:
    """peer -> {"per_s": messages a second, or None; "reason": why there is none}."""
    sample = sink.folder / "message.json"
    sample.write_text(json.dumps(ceiling.message(sink.place.origin)))
    return {
        peer.name: _none("left out") if peer.name in left_out else _one(peer, sink, sample, int(messages * peer.share))
        for peer in PEERS
    }


def _one(peer: Peer, sink: Sink, sample: Path, messages: int) -> dict[str, Any]:
    if peer.http1 and not sink.http1:
        return _none(f"it speaks HTTP/1.1 only, {sink.name} HTTP/2 only")
    if peer.script == "node":
        command, reason = node.command()
        if reason:
            return _none(reason)
    else:
        command = [sys.executable, str(HERE / peer.script), *peer.arguments]
    return _ask([*command, sink.place.origin, str(sample), str(messages)], _env(peer, sink), messages)


def _ask(command: list[str], env: Mapping[str, str], messages: int) -> dict[str, Any]:
    try:
        done = subprocess.run(
            command, env=dict(env), capture_output=True, text=True, timeout=PATIENCE, cwd=HERE.parent.parent
        )
    except subprocess.TimeoutExpired:
        return _none(f"{messages} messages took more than {PATIENCE} s")
    if done.returncode:
        return _none((done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1][:300])
    said = json.loads(done.stdout.splitlines()[-1])
    if said["taken"] != messages:
        return _none(f"only {said['taken']} of {messages} were taken")
    return {"per_s": round(messages / said["seconds"], 1), "messages": messages, "version": said["version"]}


def _env(peer: Peer, sink: Sink) -> dict[str, str]:
    ca = str(sink.place.ca)
    # each client has its own way to be told whom to trust
    trust = {"REQUESTS_CA_BUNDLE": ca, "SSL_CERT_FILE": ca, "NODE_EXTRA_CA_CERTS": ca, "BENCH_CA": ca}
    return {**os.environ, "PYTHONPATH": str(HERE.parent.parent), **trust, **dict(peer.env)}


def _none(reason: str) -> dict[str, Any]:
    return {"per_s": None, "reason": reason}
