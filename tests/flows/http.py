"""An HTTP client on the standard library, with one connection a request. It imports nothing of the product."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

#: longer than any answer takes: a server that hangs makes the test fail instead of hanging
TIMEOUT = 60.0


@dataclass(frozen=True)
class Answer:
    """An HTTP answer. Names of `headers` are in lower case; of several headers with one name, the last counts."""

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
    """Sends requests to one origin, with the same headers each time."""

    origin: str
    headers: dict[str, str] = field(default_factory=dict)
    ca: str = ""

    def send(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """The answer, whatever its status. Raises OSError or HTTPException if there is no answer."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection = self._connection()
        try:
            connection.request(method, path, body, {**self.headers, **named})
            response = connection.getresponse()
            text = response.read().decode(errors="replace")
        finally:
            connection.close()
        lower = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, lower, text, tuple(response.headers.get_all("set-cookie") or ()))

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """`send` with a JSON body."""
        raw = None if body is None else json.dumps(body).encode()
        return self.send(method, path, raw, content_type="application/json", **headers)

    def request_json(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The JSON of a successful answer. Raises CallFailed for any other."""
        answer = self.call(method, path, body, **headers)
        if not 200 <= answer.status < 300:
            raise CallFailed(f"{method} {path}", answer)
        return answer.json

    def _connection(self) -> http.client.HTTPConnection:
        url = urlsplit(self.origin)
        assert url.hostname is not None
        if url.scheme == "https":
            trust = ssl.create_default_context(cafile=self.ca)
            return http.client.HTTPSConnection(url.hostname, url.port, timeout=TIMEOUT, context=trust)
        return http.client.HTTPConnection(url.hostname, url.port, timeout=TIMEOUT)


def query(path: str, **values: object) -> str:
    return f"{path}?{urlencode(values)}"
