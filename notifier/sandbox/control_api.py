"""The sandbox's own pages: GET /_report, GET /_mail, POST /_reset, POST /_faults, POST /_sms/inbound, /_webpush/…. They
belong to no fake service."""

from __future__ import annotations

from urllib.parse import parse_qs

import orjson

from notifier.sandbox.fake_service import Answer, FakeService, Incoming, json_answer
from notifier.sandbox.state import SandboxState
from notifier.sandbox.web_push import subscriptions


class ControlApi(FakeService):
    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self._pages = {
            ("GET", "/_report"): self._report,
            ("POST", "/_reset"): self._reset,
            ("POST", "/_faults"): self._set_faults,
            ("GET", "/_faults"): self._get_faults,
            ("GET", "/_mail"): self._mail,
            ("POST", "/_sms/inbound"): self._answer_sms,
            ("POST", "/_webpush/subscriptions"): self._subscribe_browser,
            ("GET", "/_webpush/subscriptions"): self._subscriptions,
            ("GET", "/_webpush/messages"): self._pushed,
            ("POST", "/_webpush/expire"): self._expire_subscription,
        }

    def serves(self, path: str) -> bool:
        return path.startswith("/_")

    def answer(self, incoming: Incoming) -> Answer:
        page = self._pages.get((incoming.method, incoming.path))
        if page is None:
            known = ", ".join(f"{method} {path}" for method, path in self._pages)
            return json_answer(404, {"error": f"no such page; there are: {known}"})
        try:
            return page(incoming)
        except ValueError as error:
            return json_answer(400, {"error": str(error)})

    def _report(self, incoming: Incoming) -> Answer:
        """`since=<Unix time>` moves the percentiles' zero; `detail=1&limit=&address=&channel=` lists
        messages."""
        query = {name: values[-1] for name, values in parse_qs(incoming.query).items()}
        since = float(query["since"]) if "since" in query else None
        state = self.state
        report = state.arrivals.report(since) | {
            "connections": state.connections,
            "grants": dict(state.tokens.grants),
            "counters": dict(state.counters),
            "callbacks": state.callbacks.report(),
            "webpush": state.browsers.report(),
            "outbox": state.outbox_url,
        }
        if query.get("detail") == "1":
            report["messages"] = state.arrivals.detail(
                int(query.get("limit", 1000)), query.get("address", ""), query.get("channel", "")
            )
        return json_answer(200, report)

    def _mail(self, incoming: Incoming) -> Answer:
        """The newest emails as they arrived, oldest first; `address=` selects those to one address."""
        address = parse_qs(incoming.query).get("address", [""])[-1]
        items = [kept.item for kept in self.state.outbox.messages("email", address)]
        return json_answer(
            200,
            [
                {"address": item.address, "raw": item.source.decode(errors="replace")}
                for item in reversed(items)
                if not address or item.address == address
            ],
        )

    def _answer_sms(self, incoming: Incoming) -> Answer:
        """`{"from": "+14155550100", "text": "STOP"}`: the owner of this number answers the newest SMS."""
        answer = orjson.loads(incoming.body)
        if not isinstance(answer, dict) or not all(isinstance(answer.get(name), str) for name in ("from", "text")):
            raise ValueError("the body must be {from: number, text: text}")
        if not self.state.phones.answer(answer["from"], answer["text"]):
            return json_answer(404, {"error": "this number got no SMS whose service reports to an address"})
        return json_answer(200, {})

    def _subscribe_browser(self, incoming: Incoming) -> Answer:
        """A new subscription as `JSON.stringify(subscription)` writes it. The body may be empty or choose options."""
        host = incoming.headers.get(":authority") or incoming.headers.get("host", "")
        options = orjson.loads(incoming.body) if incoming.body else None
        return json_answer(201, subscriptions.create(options, host))

    def _subscriptions(self, incoming: Incoming) -> Answer:
        """How many messages each subscription accepted; `limit=`."""
        limit = int(parse_qs(incoming.query).get("limit", ["1000"])[-1])
        return json_answer(200, self.state.browsers.counts(limit))

    def _pushed(self, incoming: Incoming) -> Answer:
        """The newest messages, decrypted, oldest first; `endpoint=` selects those that wait for one browser."""
        endpoint = parse_qs(incoming.query).get("endpoint", [""])[-1]
        return json_answer(200, self.state.browsers.messages(endpoint))

    def _expire_subscription(self, incoming: Incoming) -> Answer:
        """`{"endpoint": …}`: the person took the permission back; messages are answered 410 from now on."""
        request = orjson.loads(incoming.body)
        endpoint = request.get("endpoint") if isinstance(request, dict) else None
        subscription = subscriptions.subscription_in(str(endpoint).rpartition("/")[2])
        if subscription is None:
            return json_answer(404, {"error": "the sandbox made no subscription with this endpoint"})
        self.state.browsers.expire(subscription.name)
        return json_answer(200, {})

    def _reset(self, _incoming: Incoming) -> Answer:
        self.state.reset()
        return json_answer(200, {})

    def _set_faults(self, incoming: Incoming) -> Answer:
        self.state.faults.change(orjson.loads(incoming.body))
        self.state.callbacks.repeats = self.state.faults.callback_repeats
        return self._get_faults(incoming)

    def _get_faults(self, _incoming: Incoming) -> Answer:
        return json_answer(200, self.state.faults.values())
