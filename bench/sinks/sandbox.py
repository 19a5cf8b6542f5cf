"""Our own sandbox: slower than the others, but it knows every message that it received."""

from __future__ import annotations

import sys
from typing import Any

from bench.sinks.base import Sink
from notifier.demo.client import Client


class Sandbox(Sink):
    name = "sandbox"

    @classmethod
    def program(cls) -> str | None:
        return sys.executable

    @classmethod
    def version(cls) -> str:
        return "notifier.sandbox"

    def command(self) -> list[str]:
        # the sandbox makes the certificates that every sink uses
        return [
            sys.executable,
            "-m",
            "notifier.sandbox",
            "--port",
            str(self.address.port),
            "--dir",
            str(self.address.certificates),
        ]

    def messages(self) -> int | None:
        return int(self.report()["accepted"])

    def report(self, detail: int = 0) -> dict[str, Any]:
        """The sandbox's counts; with `detail`, also so many messages with their delivery and time."""
        query = f"?detail=1&limit={detail}" if detail else ""
        report: dict[str, Any] = self._client().get(f"/_report{query}")
        return report

    def arrived(self) -> dict[str, float]:
        """id of the delivery -> Unix time of its arrival."""
        report = self.report(detail=100_000)
        return {m["delivery"]: report["first_at"] + m["offset_ms"] / 1000 for m in report["messages"]}

    def reset(self) -> None:
        self._client().post("/_reset")

    def _client(self) -> Client:
        return Client(self.address.origin, ca=str(self.address.ca))
