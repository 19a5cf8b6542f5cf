"""A user of the admin with the means of a browser: cookies, forms with their hidden fields, CSRF."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import urlencode

from tests.flows.http import Answer, Caller, CallFailed

_INPUT = re.compile(r"<input\b[^>]*>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r'([\w-]+)="([^"]*)"')


@dataclass
class Browser:
    """A browser. It does not follow redirects, so that a test sees them."""

    origin: str
    cookies: dict[str, str] = field(default_factory=dict)

    def log_in(self, username: str, password: str) -> None:
        answer = self.submit("/admin/login/?next=/admin/", username=username, password=password)
        if answer.status != 302:
            raise CallFailed(f"log in as {username}", answer)

    def get(self, path: str) -> Answer:
        return self._send("GET", path, None)

    def submit(self, path: str, **values: str) -> Answer:
        """Open the page and send its form with its hidden fields and these values."""
        page = self.get(path)
        if page.status != 200:
            raise CallFailed(f"GET {path}", page)
        return self.post(path, **{**hidden_fields(page.text), **values})

    def post(self, path: str, **values: str) -> Answer:
        """A POST without opening the page first."""
        csrf = {"csrfmiddlewaretoken": self.cookies.get("csrftoken", "")}
        return self._send("POST", path, urlencode({**csrf, **values}).encode())

    def _send(self, method: str, path: str, body: bytes | None) -> Answer:
        headers = {"cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if body is not None:
            headers["content_type"] = "application/x-www-form-urlencoded"
        answer = Caller(self.origin).send(method, path, body, **headers)
        for cookie in answer.cookies:
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer


def hidden_fields(page: str) -> dict[str, str]:
    """Name and value of every hidden input."""
    inputs = (dict(_ATTRIBUTE.findall(tag)) for tag in _INPUT.findall(page))
    return {i["name"]: unescape(i.get("value", "")) for i in inputs if i.get("type") == "hidden" and "name" in i}
