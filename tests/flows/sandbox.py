"""What arrived at the fake FCM. Tests trust the receiver instead of the sender."""

from __future__ import annotations

import email
import email.policy
import json
from collections import Counter
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any

from tests.flows.http import Caller, query


@dataclass(frozen=True)
class Arrived:
    """One message that the sandbox accepted. `at`: Unix time."""

    address: str
    delivery: str
    title: str
    at: float


class Sandbox:
    def __init__(self, url: str, ca: str) -> None:
        self.caller = Caller(url, ca=ca)

    def reset(self) -> None:
        """Forget all arrivals and end all injected faults."""
        self.caller.request_json("POST", "/_reset", {})

    def faults(self, **settings: object) -> None:
        self.caller.request_json("POST", "/_faults", settings)

    def count(self) -> int:
        """Messages accepted since the reset, including repeats."""
        return int(self._report()["accepted"])

    def requests(self) -> int:
        """Requests answered since the reset, whatever the answer."""
        return int(self._report()["received"])

    def counters(self) -> dict[str, int]:
        """What fake services count beside their messages."""
        counters: dict[str, int] = self._report()["counters"]
        return counters

    def arrivals(self, tag: str) -> list[Arrived]:
        """The arrivals whose address begins with the tag, oldest first."""
        report = self._report(detail=1, limit=200_000)
        first = report["first_at"] or 0.0
        return [
            Arrived(m["address"], m["delivery"], m["title"], first + m["offset_ms"] / 1000)
            for m in report["messages"]
            if m["address"].startswith(tag)
        ]

    def addresses(self, tag: str) -> Counter[str]:
        """The number of arrivals at each address."""
        return Counter(arrived.address for arrived in self.arrivals(tag))

    def mail(self, address: str) -> EmailMessage:
        """The newest email to this mailbox, as the standard library reads it."""
        raw = self.caller.request_json("GET", query("/_mail", address=address))[-1]["raw"]
        message = email.message_from_string(raw, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        return message

    def pushes(self, address: str) -> list[dict[str, Any]]:
        """The bodies of the pushes to this device, as they came, oldest first."""
        kept = self.caller.request_json("GET", query("/_outbox/messages", channel="push", address=address))["messages"]
        details = [self.caller.request_json("GET", f"/_outbox/messages/{each['number']}") for each in kept]
        return [json.loads(each["source"]) for each in sorted(details, key=lambda each: each["number"])]

    def answer_sms(self, number: str, text: str) -> None:
        """The owner of this number answers the newest SMS."""
        self.caller.request_json("POST", "/_sms/inbound", {"from": number, "text": text})

    def subscription(self, server_key: str) -> dict[str, Any]:
        """A browser's subscription to which only the sender with this VAPID key may send."""
        options = {"application_server_key": server_key}
        subscription: dict[str, Any] = self.caller.request_json("POST", "/_webpush/subscriptions", options)
        return subscription

    def pushed(self, endpoint: str) -> list[str]:
        """The decrypted messages that wait for this browser, oldest first."""
        pushed = self.caller.request_json("GET", query("/_webpush/messages", endpoint=endpoint))
        return [message["content"] for message in pushed]

    def _report(self, **values: object) -> dict[str, Any]:
        report: dict[str, Any] = self.caller.request_json("GET", query("/_report", **values))
        return report
