"""The push service of a browser: POST to a subscription's endpoint, as RFC 8030 and RFC 8292 say.

A subscription that the sandbox made (`POST /_webpush/subscriptions`) has the endpoint `https://<sandbox>/webpush/<id>`,
or one of a browser's service: `https://fcm.googleapis.com/wp/<id>`. Sandbox accounts send every message to
`<sandbox>/webpush/<host>/<path of the endpoint>`. The sandbox knows the keys of its own subscriptions and decrypts what
they receive; it counts what other endpoints receive.

A subscription chooses its answer by the first or last word between hyphens of its last path segment, as in
`unregistered-s1f…` (`REFUSALS`, `flaky`, `slow`, `hang`, `refused`, `reset`, `hangup`).
"""

from __future__ import annotations

import re
import secrets
import uuid
from functools import partial
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson

from notifier.sandbox.fake_service import INTERNAL_ERROR, REFUSED_STREAM, Answer, Incoming, MessageService, json_answer
from notifier.sandbox.outbox import OutboxItem
from notifier.sandbox.state import SandboxState
from notifier.sandbox.web_push.browsers import Pushed
from notifier.sandbox.web_push.subscriptions import Subscription, endpoint_of, subscription_in
from notifier.sandbox.web_push.vapid import Vapid, VapidRefused

LARGEST = 4096  #: bytes of a body that every push service takes (RFC 8030 §7.2)
FLAKY_KEPT = 100_000
HANG_SECONDS = 3600.0
URGENCIES = ("very-low", "low", "normal", "high")
TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}")
TTL = re.compile(r"[0-9]{1,10}")
#: a topic made of a delivery's id, or of its digest, is another one for each delivery; a tenant's own topic is not
DIGITS = re.compile(r"[0-9a-f]{32}")
#: what the outbox shows of a request
SHOWN_HEADERS = ("ttl", "topic", "urgency", "content-encoding")

#: word of the subscription -> (HTTP status, message)
REFUSALS = {
    "unregistered": (410, "The subscription has expired."),
    "expired": (410, "The subscription has expired."),
    "missing": (404, "No such subscription."),
    "toolarge": (413, "The message is too large."),
    "throttled": (429, "Too many messages for this subscription."),
    "mismatch": (403, "The subscription was made with another VAPID key."),
    "unavailable": (503, "The service is currently unavailable."),
    "internal": (500, "Internal error."),
}
#: word of the subscription -> what happens after the message was accepted
BROKEN = {"reset": Answer(0, reset=INTERNAL_ERROR), "hangup": Answer(0, hangup=True)}


class Destination(NamedTuple):
    """Where a message goes: the endpoint as the browser knows it, and the subscription if the sandbox made it."""

    origin: str
    endpoint: str
    words: tuple[str, str]
    subscription: Subscription | None


class WebPush(MessageService):
    channel = "push"

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self._arrivals, self._faults, self._outbox = state.arrivals, state.faults, state.outbox
        self._browsers = state.browsers
        self._vapid = Vapid()
        self._failed_once: set[str] = set()

    def serves(self, path: str) -> bool:
        return path.startswith("/webpush/")

    def answer_message(self, incoming: Incoming) -> Answer:
        host = incoming.headers.get(":authority") or incoming.headers.get("host", "")
        destination = _destination(incoming.path, host)
        if incoming.method == "DELETE" and destination.subscription is not None:
            self._browsers.expire(destination.subscription.name)
            return Answer(204)
        if incoming.method != "POST":
            return _error(405, "Only POST sends a message.")
        if refusal := self._violation(incoming, destination) or self._refusal(destination):
            return refusal
        self._take(incoming, destination)
        words = destination.words
        if broken := BROKEN.get(words[0]) or BROKEN.get(words[1]):
            return broken
        delay = HANG_SECONDS if "hang" in words else self._faults.slow_ms / 1000 if "slow" in words else 0.0
        location = f"{destination.origin}/webpush/messages/{secrets.token_hex(12)}"
        ttl = incoming.headers.get("ttl", "0")
        return Answer(201, headers=(("location", location), ("ttl", ttl)), delay=delay)

    # -- checks --

    def _violation(self, incoming: Incoming, destination: Destination) -> Answer | None:
        """The answer to a request that breaks a rule of RFC 8030, 8291 or 8292; None for one that keeps them."""
        headers = incoming.headers
        if not TTL.fullmatch(headers.get("ttl", "")):
            return _error(400, "The header TTL is required: a number of seconds.")
        topic, urgency = headers.get("topic"), headers.get("urgency", "normal")
        if topic is not None and not TOPIC.fullmatch(topic):
            return _error(400, "The header Topic has 1 to 32 characters of base64url.")
        if urgency not in URGENCIES:
            return _error(400, f"The header Urgency is one of {', '.join(URGENCIES)}.")
        if len(incoming.body) > LARGEST:
            return _error(413, f"The message is too large: at most {LARGEST} bytes.")
        if incoming.body and headers.get("content-encoding") != "aes128gcm":
            return _error(400, "The header Content-Encoding must be aes128gcm.")
        if self._faults.reject_auth:
            return _error(403, "The service refuses every login now.")
        try:
            key = self._vapid.verify(headers.get("authorization", ""), destination.origin)
        except VapidRefused as refused:
            return _error(refused.status, str(refused))
        if destination.subscription is not None and not destination.subscription.made_with(key):
            return self._refuse(*REFUSALS["mismatch"])
        return None

    def _refusal(self, destination: Destination) -> Answer | None:
        if destination.subscription is not None and self._browsers.is_expired(destination.subscription.name):
            return self._refuse(*REFUSALS["expired"])
        words = destination.words
        for word in words:
            if refusal := REFUSALS.get(word):
                return self._refuse(*refusal)
        if "refused" in words:
            return Answer(0, reset=REFUSED_STREAM)
        flaky = "flaky" in words and destination.endpoint not in self._failed_once
        if flaky and len(self._failed_once) < FLAKY_KEPT:
            self._failed_once.add(destination.endpoint)
        return self.unavailable() if flaky else None

    def unavailable(self) -> Answer:
        return self._refuse(*REFUSALS["unavailable"])

    def _refuse(self, status: int, message: str) -> Answer:
        answer = _error(status, message)
        if status in (429, 503) and (wait := self._faults.retry_after_text) is not None:
            return answer._replace(headers=(("retry-after", wait),))
        return answer

    # -- an accepted message --

    def _take(self, incoming: Incoming, destination: Destination) -> None:
        topic, subscription = incoming.headers.get("topic", ""), destination.subscription
        pushed = self._browsers.receive(destination.endpoint, topic, incoming.body, subscription)
        headers = tuple((name, incoming.headers[name]) for name in SHOWN_HEADERS if name in incoming.headers)
        names_a_delivery = DIGITS.fullmatch(topic) is not None
        if subscription is None or (names_a_delivery and not self._browsers.has_time()):
            item = OutboxItem("push", destination.endpoint, headers=headers, source=incoming.body)
            item = item._replace(service="webpush", open=partial(_opened, pushed, headers))
        else:
            item = _opened(pushed, headers)
        # what tells two messages to one browser apart must not depend on whether there was time to decrypt
        identity = topic if names_a_delivery else item.delivery or topic or blake2b(incoming.body).hexdigest()
        self._arrivals.take(item.address, item.delivery or _delivery_in(topic), item.title, identity=identity)
        self._outbox.add(item)


def _opened(pushed: Pushed, headers: tuple[tuple[str, str], ...]) -> OutboxItem:
    """The message as the outbox shows it."""
    content = pushed.content
    shown = _shown(content) if content is not None else {"body": pushed.failure}
    return OutboxItem(
        "push",
        pushed.endpoint,
        _text(shown, "delivery_id"),
        _text(shown, "title"),
        _text(shown, "body"),
        headers=headers,
        source=pushed.body if content is None else content,
        service="webpush",
        image=_text(shown, "image"),
        link=_text(shown, "link"),
    )


def _delivery_in(topic: str) -> str:
    """The delivery's id that a topic is made of, for a message that is not decrypted; empty for another topic. A
    delivery's id is a UUID of version 7; one of 64 other digests looks like one."""
    if not DIGITS.fullmatch(topic):
        return ""
    named = uuid.UUID(topic)
    return str(named) if named.version == 7 else ""


def _destination(path: str, host: str) -> Destination:
    origin, endpoint = endpoint_of(path, host)
    name = endpoint.rpartition("/")[2]
    words = name.partition("-")[0], name.rpartition("-")[2]
    return Destination(origin, endpoint, words, subscription_in(name))


def _shown(content: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {"body": content.decode("utf-8", "replace")}
    return document if isinstance(document, dict) else {}


def _text(shown: dict[str, Any], name: str) -> str:
    value = shown.get(name, "")
    return value if isinstance(value, str) else ""


def _error(status: int, message: str) -> Answer:
    return json_answer(status, {"code": status, "message": message})
