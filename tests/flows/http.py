"""A caller from outside: HTTP on the standard library, one connection a request, nothing of ours imported."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

#: longer than any answer takes, so that a hanging server is a failure and not a hanging test
TIMEOUT = 60.0


@dataclass(frozen=True)
class Answer:
    """What came back. `headers` in lower case; of several with one name, the last."""

    status: int
    headers: Mapping[str, str]
    text: str
    cookies: tuple[str, ...] = ()

    @property
    def json(self) -> Any:
        return json.loads(self.text) if self.text else None


class CallFailed(AssertionError):
    """An answer that the test did not expect."""

    def __init__(self, call: str, answer: Answer) -> None:
        super().__init__(f"{call}: {answer.status} {answer.text[:2000]}")
        self.answer = answer


@dataclass
class Caller:
    """One origin and the headers that go with every request to it."""

    origin: str
    headers: dict[str, str] = field(default_factory=dict)
    ca: str = ""

    def send(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """Any answer is one; OSError and HTTPException mean that none came."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection = self._connection()
        try:
            connection.request(method, path, body, {**self.headers, **named})
            got = connection.getresponse()
            text = got.read().decode(errors="replace")
        finally:
            connection.close()
        lower = {name.lower(): value for name, value in got.getheaders()}
        return Answer(got.status, lower, text, tuple(got.headers.get_all("set-cookie") or ()))

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """The same with a JSON body."""
        raw = None if body is None else json.dumps(body).encode()
        return self.send(method, path, raw, content_type="application/json", **headers)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """What a successful answer says. Raises Refused."""
        answer = self.call(method, path, body, **headers)
        if not 200 <= answer.status < 300:
            raise CallFailed(f"{method} {path}", answer)
        return answer.json

    def _connection(self) -> http.client.HTTPConnection:
        where = urlsplit(self.origin)
        assert where.hostname is not None
        if where.scheme == "https":
            trust = ssl.create_default_context(cafile=self.ca)
            return http.client.HTTPSConnection(where.hostname, where.port, timeout=TIMEOUT, context=trust)
        return http.client.HTTPConnection(where.hostname, where.port, timeout=TIMEOUT)


def query(path: str, **values: object) -> str:
    return f"{path}?{urlencode(values)}"
