"""No request reaches this machine or a private network, however its address is written: a corpus of URLs, a name whose
address changes between two questions, and redirects. The count is at the listener."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator

import dns.message
import dns.query
import dns.rrset
import pytest

from notifier.transport import egress
from notifier.transport.https_post import PostFailed, Request, post
from notifier.values import webhook_url
from notifier.values.internal_addresses import is_internal
from tests.webhooks.receiver import receiver

#: addresses of this machine, of private networks, of the metadata services of clouds, and ways around a filter
ADDRESSES = [
    *("127.0.0.1", "127.1", "127.0.1", "127.255.255.254", "0.0.0.0", "0", "0.1.2.3", "2130706433", "0x7f000001"),
    *("0x7f.0.0.1", "0x7f.1", "0X7F.0X0.0X0.0X1", "017700000001", "0177.0.0.1", "0177.1", "00000177.0.0.1"),
    *("127.0.0.1.", "127.0.0.01", "0127.0.0.1", "127.0x0.0.1", "4294967295", "2852039166", "0xa9fea9fe"),
    *(
        "169.254.169.254",
        "169.254.170.2",
        "169.254.0.1",
        "0251.0376.0251.0376",
        "0xa9.0xfe.0xa9.0xfe",
        "425.510.425.510",
    ),
    *("10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.254", "192.168.0.1", "192.168.255.255", "100.64.0.1"),
    *("100.127.255.254", "192.0.0.1", "192.0.0.8", "192.0.0.170", "192.0.2.1", "192.88.99.1", "198.18.0.1"),
    *("198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
    *("[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[0000::0001]", "[::127.0.0.1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"),
    *("[0:0:0:0:0:ffff:169.254.169.254]", "[::ffff:10.0.0.1]", "[::ffff:0:127.0.0.1]", "[64:ff9b::127.0.0.1]"),
    *("[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::1]", "[64:ff9b:1:ffff::10.0.0.1]", "[2002:7f00:1::]"),
    *(
        "[2002:c0a8:1::]",
        "[2001::1]",
        "[2001:0:7f00:1::]",
        "[2001:db8::1]",
        "[fc00::1]",
        "[fd00::1]",
        "[fd00:ec2::254]",
    ),
    *(
        "[fe80::1]",
        "[fe80::1%25eth0]",
        "[fe80::1%eth0]",
        "[::1%25lo]",
        "[fec0::1]",
        "[ff02::1]",
        "[ff0e::1]",
        "[5f00::1]",
    ),
    *("[5f00::1]", "[100::1]", "[3fff::1]", "localhost", "LOCALHOST", "localhost.", "ip6-localhost"),
    *("１２７.０.０.１", "①②⑦.⓪.⓪.①", "127。0。0。1", "127．0．0．1", "①⑥⑨.②⑤④.①⑥⑨.②⑤④"),
]
#: URLs that libraries read in different ways
TRICKS = [
    "https://user@127.0.0.1/", "https://user:password@127.0.0.1/", "https://example.com@127.0.0.1/",
    "https://127.0.0.1@example.com/", "https://example.com:443@127.0.0.1/", "https://127.0.0.1:443@example.com:443/",
    "https://example.com%40127.0.0.1/", "https://example.com#@127.0.0.1/", "https://example.com/#@127.0.0.1",
    "https://example.com?@127.0.0.1/#x", "https://127.0.0.1#@example.com/", "https://127.0.0.1\\@example.com/",
    "https://example.com\\@127.0.0.1/", "https:\\\\127.0.0.1/", "https:/127.0.0.1/", "https:127.0.0.1/",
    "https:///127.0.0.1/", "https:////127.0.0.1/", "//127.0.0.1/", "127.0.0.1", "https://", "https://:443/", "",
    "http://127.0.0.1/", "http://example.com/", "HTTP://127.0.0.1/", "ftp://127.0.0.1/", "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_INFO", "dict://127.0.0.1:11211/stat", "data:text/plain,x", "javascript:alert(1)",
    "jar:https://127.0.0.1!/", "ldap://127.0.0.1/", "tftp://127.0.0.1/", "unix:///var/run/docker.sock",
    "https://127.0.0.1:22/", "https://example.com:22/", "https://example.com:80/", "https://example.com:8443/",
    "https://example.com:0/", "https://example.com:65536/", "https://example.com:99999999/", "https://example.com:-1/",
    "https://example.com:443:22/", "https://example.com:４４３/", "https://example.com:0x1bb/",
    "https://example.com: 443/",
    "https://exa mple.com/", "https://example.com\t/", "https://example.com\r\nHost: 127.0.0.1/", "https://example.com\n/",
    "https://example.com\x00.internal/", " https://example.com/", "https://example.com/ path", "https://example.com/\x7f",
    "https://[::1/", "https://::1/", "https://[::1]x/", "https://[example.com]/", "https://[]/", "https://[v1.x]/",
    "https://.example.com/", "https://example..com/", "https://-example.com/", "https://example-.com/",
    "https://exa$mple.com/", "https://example.com,127.0.0.1/", "https://example.com;127.0.0.1/", "https://%31%32%37.0.0.1/",
    "https://127.0.0.1%00.example.com/", "https://127.0.0.1%2eexample.com/", "https://{host}/", "https://<host>/",
    'https://"host"/', "https://host`id`/", "https://intranet/", "https://redis:6379/", "https://metadata/",
    "https://" + "a" * 64 + ".com/", "https://" + "a." * 130 + "com/", "https://example.com/" + "a" * 500,
    "https://１２７.０.０.１:443/", "https://0x7f.1:443/", "https://[::ffff:127.0.0.1]:443/", "https://2130706433:443/",
]  # fmt: skip


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Port of this machine that counts connections, on both families where the machine has both."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def connections(server: socket.socket) -> int:
    try:
        server.accept()[0].close()
    except BlockingIOError:
        return 0
    return 1


def attempt(url: str, port: int, resolve: egress.Resolve | None = None) -> str:
    """Why no request was made."""
    egress.allow([])
    try:
        parsed = webhook_url.parse(url, [443, port])
    except ValueError as error:
        return str(error) or "no IP address"
    try:
        asyncio.run(post(Request(parsed, {}, b"{}"), ssl.create_default_context(), resolve=resolve))
    except PostFailed as failed:
        return str(failed)
    raise AssertionError(f"{url} was answered")


def test_the_corpus_is_large() -> None:
    assert len({*ADDRESSES, *TRICKS}) >= 150


@pytest.mark.parametrize("address", ADDRESSES, ids=range(len(ADDRESSES)))
def test_no_connection_to_an_internal_address(address: str, listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    why = attempt(f"https://{address}:{port}/hook", port)
    assert connections(listener) == 0
    # nothing was tried: the URL, the resolver or the connector refused it
    assert "could not be reached" not in why or "gaierror" in why, why


@pytest.mark.parametrize("url", TRICKS, ids=range(len(TRICKS)))
def test_an_odd_url_is_refused_before_its_name_is_resolved(url: str) -> None:
    def resolve(host: str, port: int) -> None:
        raise AssertionError(f"{host} was resolved")

    try:
        parsed = webhook_url.parse(url)
    except ValueError:
        return
    # what is left names an IP address in its usual form, which the connector refuses
    assert is_internal(parsed.host), url


@pytest.mark.parametrize(
    ("url", "host", "target"),
    [
        ("https://hooks.example.com", "hooks.example.com", "/"),
        ("https://Hooks.Example.COM:443/a/b?c=d&e=%20", "hooks.example.com", "/a/b?c=d&e=%20"),
        ("https://bücher.example/x", "xn--bcher-kva.example", "/x"),
        ("https://8.8.8.8/x", "8.8.8.8", "/x"),
        ("https://[2a00:1450:4013::1A]/", "2a00:1450:4013::1a", "/"),
        ("HTTPS://example.com/ü", "example.com", "/%C3%BC"),
    ],
)
def test_plain_urls_are_taken(url: str, host: str, target: str) -> None:
    parsed = webhook_url.parse(url)
    assert (parsed.host, parsed.port, parsed.target) == (host, 443, target)


class FlippingDns(threading.Thread):
    """A DNS server that says a public address first, and 127.0.0.1 to every later question."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.questions = 0

    def run(self) -> None:
        while True:
            try:
                raw, client = self._socket.recvfrom(4096)
            except OSError:
                return
            question = dns.message.from_wire(raw)
            answer = dns.message.make_response(question)
            address = "127.0.0.1" if self.questions else "192.0.2.1"
            self.questions += 1
            answer.answer.append(dns.rrset.from_text(question.question[0].name, 0, "IN", "A", address))
            self._socket.sendto(answer.to_wire(), client)

    async def resolve(self, host: str, port: int) -> list[str]:
        question = dns.message.make_query(host, "A")
        answer = await asyncio.to_thread(dns.query.udp, question, "127.0.0.1", 30, self.port)
        return [str(record) for rrset in answer.answer for record in rrset]

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def flipping() -> Iterator[FlippingDns]:
    server = FlippingDns()
    server.start()
    yield server
    server.close()


def test_a_name_that_changes_its_address_is_resolved_once(flipping: FlippingDns, listener: socket.socket) -> None:
    """The first answer, which was looked at, is where the connection goes: to nobody, and never to this machine. The
    second answer is refused."""
    port = listener.getsockname()[1]
    url = f"https://rebinding.example.com:{port}/"

    async def first() -> list[str]:
        return await flipping.resolve("rebinding.example.com", port)

    assert asyncio.run(first()) == ["192.0.2.1"]
    assert attempt(url, port, flipping.resolve) == "the host has an internal address, to which no webhook may go"
    assert flipping.questions == 2
    assert connections(listener) == 0


def test_one_internal_address_among_public_ones_refuses_the_name(listener: socket.socket) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["8.8.8.8", "127.0.0.1"]

    port = listener.getsockname()[1]
    assert "internal address" in attempt(f"https://both.example.com:{port}/", port, resolve)
    assert connections(listener) == 0


def test_the_connection_goes_to_the_address_that_was_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxies of the environment are not asked, and the name is not resolved again."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    asked: list[str] = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    egress.allow(["127.0.0.0/8"])
    with receiver() as got:
        port = int(got.url.rsplit(":", 1)[1].partition("/")[0])
        parsed = webhook_url.parse(f"http://name.example.com:{port}/x", plain_http=True)
        answer = asyncio.run(post(Request(parsed, {}, b"{}"), ssl.create_default_context(), resolve=resolve))
    assert answer.status == 204
    assert asked == ["name.example.com"]
    assert got.calls[0].headers["host"] == f"name.example.com:{port}"
