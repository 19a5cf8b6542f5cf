"""One POST over HTTP/1.1, by asyncio. Redirects are answers, proxies of the environment are not used, and the whole
exchange has one limit of time: a server that sends a byte a second gains nothing."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from notifier.transport import egress
from notifier.transport.egress import Resolve
from notifier.values.webhook_url import WebhookUrl

#: characters of an answer's line and headers together
_HEAD = 32 * 1024


@dataclass(frozen=True)
class Limits:
    """Of one exchange."""

    seconds: float = 15.0
    #: bytes of an answer's body that are read
    body: int = 64 * 1024


LIMITS = Limits()


@dataclass(frozen=True)
class Request:
    url: WebhookUrl
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """`headers` by names in small letters; `body` is what came within the limit."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class PostFailed(Exception):
    """There was no answer. The message is one of our own sentences; it names no other host than the URL's."""


async def post(
    request: Request, context: ssl.SSLContext, limits: Limits = LIMITS, resolve: Resolve | None = None
) -> Answer:
    """Raises PostFailed."""
    try:
        async with asyncio.timeout(limits.seconds):
            return await _exchange(request, context, limits, resolve)
    except TimeoutError:
        raise PostFailed(f"no answer within {limits.seconds:g} seconds") from None
    except egress.InternalHost:
        raise PostFailed("the host has an internal address, to which no webhook may go") from None
    except ssl.SSLCertVerificationError as error:
        raise PostFailed(f"the certificate is not valid: {error.verify_message}"[:200]) from None
    except ssl.SSLError:
        raise PostFailed("TLS could not be agreed on") from None
    except _NoHttp as error:
        raise PostFailed(str(error)) from None
    except (OSError, EOFError, UnicodeError, ValueError) as error:
        raise PostFailed(_words(error)) from None


class _NoHttp(Exception):
    """The answer is not HTTP/1.1, or too large."""


def _words(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "the connection was refused"
    if isinstance(error, (ConnectionError, EOFError)):
        return "the connection was closed before an answer came"
    return f"the host could not be reached ({type(error).__name__})"


class _Protocol(asyncio.StreamReaderProtocol):
    """Keeps the transport, which `egress.connect` gives to the protocol only."""

    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        super().connection_made(transport)


async def _exchange(request: Request, context: ssl.SSLContext, limits: Limits, resolve: Resolve | None) -> Answer:
    url = request.url
    reader = asyncio.StreamReader(limit=_HEAD)
    protocol = _Protocol(reader)
    await egress.connect(protocol, (url.host, url.port), context if url.secure else None, resolve=resolve)
    writer = asyncio.StreamWriter(protocol.transport, protocol, reader, asyncio.get_running_loop())
    try:
        writer.write(_head(request) + request.body)
        # a server may answer before it has read the body
        sending = asyncio.ensure_future(writer.drain())
        try:
            status, headers = await _read_head(reader)
            body = await _read_body(reader, status, headers, limits.body)
        finally:
            sending.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await sending
        return Answer(status, headers, body)
    finally:
        # not close(): it would wait for a peer that does not answer the end of TLS
        protocol.transport.abort()


def _head(request: Request) -> bytes:
    headers = {"Host": request.url.host_header, **request.headers, "Content-Length": str(len(request.body))}
    headers |= {"Connection": "close", "Accept-Encoding": "identity"}
    lines = [f"POST {request.url.target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    text = "\r\n".join(lines)
    if text.count("\n") != len(lines) - 1:
        raise ValueError("a header has a line break")
    return text.encode("ascii") + b"\r\n\r\n"


async def _read_head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    """The status and headers of the first answer that is final."""
    for _ in range(5):
        try:
            raw = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            raise _NoHttp(f"the answer has more than {_HEAD // 1024} KiB of headers") from None
        line, *fields = raw.decode("latin-1").split("\r\n")
        version, _, rest = line.partition(" ")
        code = rest.partition(" ")[0]
        if version not in ("HTTP/1.1", "HTTP/1.0") or not (len(code) == 3 and code.isascii() and code.isdigit()):
            raise _NoHttp("the answer is not HTTP/1.1")
        if int(code) >= 200 or int(code) == 101:
            pairs = (field.partition(":") for field in fields if ":" in field)
            return int(code), {name.strip().lower(): value.strip() for name, _, value in pairs}
    raise _NoHttp("the answer never became final")


async def _read_body(reader: asyncio.StreamReader, status: int, headers: Mapping[str, str], limit: int) -> bytes:
    """At most `limit` bytes. What the status says counts already, so a body that breaks off is no failure."""
    if status in (204, 304):
        return b""
    try:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return await _read_chunks(reader, limit)
        length = headers.get("content-length", "")
        size = min(int(length), limit) if length.isascii() and length.isdigit() and len(length) < 20 else limit
        return await _read_up_to(reader, size)
    except (OSError, EOFError, ValueError, asyncio.LimitOverrunError):
        return b""


async def _read_up_to(reader: asyncio.StreamReader, size: int) -> bytes:
    body = b""
    while len(body) < size and (piece := await reader.read(min(16_384, size - len(body)))):
        body += piece
    return body


async def _read_chunks(reader: asyncio.StreamReader, limit: int) -> bytes:
    body = b""
    while len(body) < limit:
        size = int((await reader.readuntil(b"\r\n")).split(b";")[0].strip() or b"0", 16)
        if size <= 0:
            break
        body += await _read_up_to(reader, min(size, limit - len(body)))
        await reader.readuntil(b"\r\n") if len(body) < limit else None
    return body
