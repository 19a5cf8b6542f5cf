"""A small REST client on the standard library, for the demo and the benchmark."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from typing import Any


class CallFailed(Exception):
    """The server answered with an error."""


class Client:
    """JSON over HTTP(S) to one origin, with one bearer token."""

    def __init__(self, origin: str, token: str = "", ca: str = "") -> None:
        self.origin = origin.rstrip("/")
        self._headers = {"content-type": "application/json"}
        if token:
            self._headers["authorization"] = f"Bearer {token}"
        self._tls = ssl.create_default_context(cafile=ca) if ca else None

    def get(self, path: str) -> Any:
        return self._call("GET", path, None, {})

    def page(self, path: str) -> str:
        """The text of a page."""
        return self._open("GET", path, None, {}).decode()

    def put(self, path: str, body: Any) -> Any:
        return self._call("PUT", path, body, {})

    def put_csv(self, path: str, csv: bytes) -> Any:
        return self._send("PUT", path, csv, {"content-type": "text/csv"})

    def post(self, path: str, body: Any = None, idempotency_key: str = "") -> Any:
        headers = {"idempotency-key": idempotency_key} if idempotency_key else {}
        return self._call("POST", path, body if body is not None else {}, headers)

    def _call(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Any:
        return self._send(method, path, None if body is None else json.dumps(body).encode(), headers)

    def _send(self, method: str, path: str, data: bytes | None, headers: dict[str, str]) -> Any:
        raw = self._open(method, path, data, headers)
        return json.loads(raw) if raw else None

    def _open(self, method: str, path: str, data: bytes | None, headers: dict[str, str]) -> bytes:
        request = urllib.request.Request(  # noqa: S310
            self.origin + path, data=data, headers={**self._headers, **headers}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=60, context=self._tls) as response:  # noqa: S310
                raw: bytes = response.read()
                return raw
        except urllib.error.HTTPError as error:
            raise CallFailed(f"{method} {path}: {error.code} {error.read(2000).decode(errors='replace')}") from error
