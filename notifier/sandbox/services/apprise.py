"""A service of Apprise: POST /apprise/{channel}/{recipient}, with Apprise's own JSON.

A recipient `throttled-…`, `refused-…` or `unavailable-…` gets 429, 400 or 503.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

import orjson

from notifier.sandbox.fake_service import Answer, Incoming, MessageService, json_answer
from notifier.sandbox.outbox import OutboxItem

PATH = re.compile(r"/apprise/(sms|chat)/([^/]+)/?")
REFUSALS = {"throttled": 429, "refused": 400, "unauthorized": 401, "unavailable": 503}


class Apprise(MessageService):
    channel = "chat"

    def serves(self, path: str) -> bool:
        return PATH.fullmatch(path) is not None

    def answer_message(self, incoming: Incoming) -> Answer:
        found = PATH.fullmatch(incoming.path)
        assert found is not None
        channel, recipient = found[1], unquote(found[2])
        if status := REFUSALS.get(recipient.partition("-")[0]):
            return json_answer(status, {})
        text = orjson.loads(incoming.body)["message"]
        delivery = incoming.headers.get("x-delivery", "")
        self.state.arrivals.take(recipient, delivery, text, channel)
        self.state.outbox.add(OutboxItem(channel, recipient, delivery, text=text, service="apprise"))
        return json_answer(200, {})
