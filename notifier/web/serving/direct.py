"""What the ASGI applications share that answer a POST without Django's handler and its middlewares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from django.conf import settings
from django.core.exceptions import RequestAborted
from django.http.request import split_domain_port, validate_host

from notifier.api.framework.errors import MEDIA_TYPE, RETRY_AFTER, Problem
from notifier.web.serving.admission import REFUSALS, Question
from notifier.web.serving.bodies import Body, Receive, Scope, TooSlow, announced_length

Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = tuple[tuple[bytes, bytes], ...]

#: headers that change the meaning of a request when they are repeated
_SINGLE = {b"authorization", b"content-encoding", b"content-length", b"content-type", b"host", b"idempotency-key"}
#: hosts that were allowed already; a client that makes names up must not fill the memory
_allowed_hosts: set[str] = set()
_MOST_HOSTS = 100


@dataclass(frozen=True)
class Answer:
    """The answer to a POST."""

    status: int
    content: bytes
    content_type: str = "application/json"
    headers: Headers = ()


def refusal(problem: Problem, path: str = "") -> Answer:
    """The answer that a view gives for the problem. With `path` it names the request."""
    headers = tuple((name.lower().encode(), value.encode()) for name, value in problem.headers.items())
    return Answer(problem.status, orjson.dumps(problem.document(path)), MEDIA_TYPE, headers)


def busy(what: str) -> Problem:
    """The refusal of a call while too many wait."""
    detail = f"Too many {what} wait to be stored; call again."
    return Problem(503, "busy", detail, headers={"Retry-After": str(RETRY_AFTER)})


def is_plain(scope: Scope, max_bytes: int) -> bool:
    """Whether the request is a POST that needs nothing of Django's middlewares: a body of a known length that is not
    compressed, and HTTPS where the site redirects HTTP. The caller looks at the query and the host."""
    if scope["method"] != "POST" or not 0 < announced_length(scope) <= max_bytes:
        return False
    headers = dict(scope["headers"])
    if b"expect" in headers or headers.get(b"content-encoding", b"identity") != b"identity":
        return False
    names = Counter(name for name, _ in scope["headers"] if name in _SINGLE)
    if names.total() > len(names):
        return False
    return is_secure(scope, headers) or not settings.SECURE_SSL_REDIRECT


def is_secure(scope: Scope, headers: Mapping[bytes, bytes]) -> bool:
    """Whether the client came by HTTPS, to this server or to the proxy before it."""
    return headers.get(b"x-forwarded-proto") == b"https" or scope["scheme"] == "https"


def is_our_host(host: bytes) -> bool:
    """Whether ALLOWED_HOSTS has the host of the header."""
    name = host.decode("latin-1")
    if name in _allowed_hosts:
        return True
    domain, _ = split_domain_port(name)
    allowed = settings.ALLOWED_HOSTS or ([".localhost", "127.0.0.1", "[::1]"] if settings.DEBUG else [])
    if not domain or not validate_host(domain, allowed):
        return False
    if len(_allowed_hosts) < _MOST_HOSTS:
        _allowed_hosts.add(name)
    return True


async def read_and_answer(
    streams: tuple[Receive, Send],
    max_bytes: int,
    answer: Callable[[bytes], Awaitable[Answer]],
    path: str = "",
    headers: Headers = (),
) -> Answer | None:
    """Read the body, send the answer to it, and return the answer; None when the client has left. `path`: named in a
    refusal of the body. `headers` are sent with every answer. Nothing is sent
    when `answer` raises."""
    receive, send = streams
    body = Body(receive)
    try:
        if await body.read(max_bytes):
            answered = await answer(body.file().read())
        else:
            answered = refusal(REFUSALS[Question.TOO_LARGE], path)
    except TooSlow:
        answered = refusal(REFUSALS[Question.TOO_SLOW], path)
    except RequestAborted:
        return None
    finally:
        body.close()
    await (_answer if body.is_complete else answer_unread)(send, answered, headers)
    return answered


async def answer_unread(send: Send, answered: Answer, headers: Headers = ()) -> None:
    """Answer before the end of the body: the client may not send another request behind it."""
    await _answer(send, answered, (*headers, (b"connection", b"close")))


async def _answer(send: Send, answered: Answer, headers: Headers) -> None:
    lines = [
        (b"content-type", answered.content_type.encode("latin-1")),
        (b"content-length", str(len(answered.content)).encode()),
        *answered.headers,
        *headers,
    ]
    await send({"type": "http.response.start", "status": answered.status, "headers": lines})
    await send({"type": "http.response.body", "body": answered.content})


def read_again(body: bytes, receive: Receive) -> Receive:
    """What an application receives of a request whose body was read already."""
    read = False

    async def receive_again() -> Mapping[str, Any]:
        nonlocal read
        if read:
            return await receive()
        read = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again
