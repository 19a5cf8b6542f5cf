"""The requests of the outbox page. They belong to no fake service."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import ssl
from collections.abc import Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import cast
from urllib.parse import parse_qs, quote

import orjson

from notifier.sandbox.fake_service import Answer, FakeServer, FakeService, Incoming, json_answer
from notifier.sandbox.http.http1 import Http1
from notifier.sandbox.outbox import Kept
from notifier.sandbox.outbox_page import reading
from notifier.sandbox.state import SandboxState

ROOT = "/_outbox"
REPLY = f"{ROOT}/reply"
LONGEST_REPLY = 1_600  #: characters
LISTED = 50  #: messages of one answer, unless `limit` asks for fewer or more
MOST_LISTED = 500
_FILES = {
    "": ("outbox.html", "text/html; charset=utf-8"),
    "/outbox.css": ("outbox.css", "text/css; charset=utf-8"),
    "/outbox.js": ("outbox.js", "text/javascript; charset=utf-8"),
}
_MESSAGE = re.compile(rf"{ROOT}/messages/(\d{{1,15}})(?:/(html|source|attachments/\d{{1,4}}))?")
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
#: a mail's document: no script, no origin, no remote content; links may open new windows
_MAIL_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'{styles}; "
    "img-src data:{images}; font-src data:{styles}; form-action 'none'; frame-ancestors 'self'"
)
_PRIVATE = (("cache-control", "no-store"), ("referrer-policy", "no-referrer"), ("x-content-type-options", "nosniff"))


class OutboxPage(FakeService):
    """`GET /` and `GET /_outbox…`."""

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        folder = Path(__file__).parent
        self._files = {path: ((folder / name).read_bytes(), kind) for path, (name, kind) in _FILES.items()}

    def serves(self, path: str) -> bool:
        return path in ("/", ROOT) or path.startswith(f"{ROOT}/")

    def answer(self, incoming: Incoming) -> Answer:
        if not _is_local_name(incoming.headers.get("host") or incoming.headers.get(":authority", "")):
            return json_answer(403, {"error": "open the outbox by an IP address or by localhost"})
        path = ROOT if incoming.path == "/" else incoming.path
        if (incoming.method, path) == ("POST", REPLY):
            return self._reply(incoming)
        if incoming.method != "GET":
            return json_answer(405, {"error": "GET only"}, (("allow", "GET"),))
        if (file := self._files.get(path.removeprefix(ROOT))) is not None:
            return _answer(*file, _PAGE_POLICY)
        query = {name: values[-1] for name, values in parse_qs(incoming.query).items()}
        try:
            return self._messages(query) if path == f"{ROOT}/messages" else self._message(path, query)
        except ValueError as error:
            return json_answer(400, {"error": str(error)})

    def _reply(self, incoming: Incoming) -> Answer:
        """`{"number": "+14155550100", "text": "STOP"}`: the owner of the number answers the newest SMS. Only JSON: a
        page of another origin may post a form, but asks before it posts JSON, and is not allowed to."""
        if incoming.headers.get("content-type", "").partition(";")[0] != "application/json":
            return json_answer(415, {"error": "content-type must be application/json"}, _PRIVATE)
        try:
            reply = orjson.loads(incoming.body)
            number, text = str(reply["number"]), str(reply["text"])[:LONGEST_REPLY]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return json_answer(400, {"error": "the body must be {number: number, text: text}"}, _PRIVATE)
        if not self.state.phones.answer(number, text):
            error = "no service waits for answers of this number"
            return json_answer(404, {"error": error}, _PRIVATE)
        return json_answer(200, {}, _PRIVATE)

    def _messages(self, query: Mapping[str, str]) -> Answer:
        """`channel`, `search` (in address and title), `address` (exactly), `after` and `before` (numbers), `limit`."""
        outbox = self.state.outbox
        chosen = outbox.messages(query.get("channel", ""), query.get("search", ""), int(query.get("after", 0)))
        if before := int(query.get("before", 0)):
            chosen = (kept for kept in chosen if kept.number < before)
        if address := query.get("address"):
            chosen = (kept for kept in chosen if kept.item.address == address)
        limit = min(int(query.get("limit", LISTED)), MOST_LISTED)
        answer = {
            "run": outbox.run,
            "last": outbox.last,
            "channels": outbox.channels(),
            "messages": [reading.summary(kept) for kept in islice(chosen, max(limit, 0))],
        }
        return json_answer(200, answer, _PRIVATE)

    def _message(self, path: str, query: Mapping[str, str]) -> Answer:
        parts = _MESSAGE.fullmatch(path)
        kept = self.state.outbox.find(int(parts[1])) if parts else None
        if parts is None or kept is None:
            return json_answer(404, {"error": "no such message; only the newest are kept"}, _PRIVATE)
        if parts[2] is None:
            return json_answer(200, reading.details(kept), _PRIVATE)
        if parts[2] == "html":
            return _mail_document(kept, remote=query.get("images") == "1")
        if parts[2] == "source":
            mail = kept.item.mime
            name = f"message-{kept.number}.{'eml' if mail else 'txt'}"
            return _download(kept.item.source, "message/rfc822" if mail else "text/plain", name)
        attachments = reading.whole(kept.item).attachments
        number = int(parts[2].rpartition("/")[2])
        if number >= len(attachments):
            return json_answer(404, {"error": "no such attachment"}, _PRIVATE)
        return _download(attachments[number].content, "application/octet-stream", attachments[number].name)


def _mail_document(kept: Kept, *, remote: bool) -> Answer:
    policy = _MAIL_POLICY.format(images=" https: http:" if remote else "", styles=" https:" if remote else "")
    html = reading.document(reading.whole(kept.item))
    return _answer(html.encode("utf-8", "replace"), "text/html; charset=utf-8", policy)


def _answer(body: bytes, content_type: str, policy: str) -> Answer:
    headers = (*_PRIVATE, ("content-security-policy", policy))
    return Answer(200, body, headers, content_type=content_type)


def _download(body: bytes, content_type: str, name: str) -> Answer:
    """A file that the browser saves and never shows: an attachment may hold a script."""
    headers = (*_PRIVATE, ("content-disposition", f"attachment; filename*=UTF-8''{quote(name, safe='')}"))
    return Answer(200, body, headers, content_type=content_type)


def _is_local_name(host: str) -> bool:
    """Whether the browser asked for an IP address or a name without dots. A web page whose own domain resolves to the
    loopback (DNS rebinding) must not read the messages."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return "." not in name
    return True


class OutboxServer(FakeServer):
    """The outbox page without TLS: no browser trusts the sandbox's certificate authority."""

    port_offset = 2

    def __init__(self, state: SandboxState, tls: ssl.SSLContext) -> None:
        super().__init__(state, tls)
        self._page = OutboxPage(state)

    def protocol(self) -> asyncio.Protocol:
        return PlainConnection(self._page)


class PlainConnection(asyncio.Protocol):
    """One browser."""

    def __init__(self, page: OutboxPage) -> None:
        self._page = page

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._http = Http1(cast(asyncio.WriteTransport, transport), partial(_answer_page, self._page))

    def data_received(self, data: bytes) -> None:
        self._http.feed(data)


def _answer_page(page: OutboxPage, incoming: Incoming) -> Answer:
    if not page.serves(incoming.path):
        return json_answer(404, {"error": f"no such page; there is {ROOT}"})
    return page.answer(incoming)
