"""Request bodies: their size, their sender, their speed, and which of them are written to disk."""

from __future__ import annotations

import json
import select
from base64 import b64encode
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from campaigns.models import Audience
from notifier.delivery.content import templates
from notifier.models import Template
from tenants.models import Recipient
from tests.fixtures import People
from tests.inbox.web import Web
from tests.web.conftest import on_disk
from tests.web.raw import HOST, TIMEOUT, Dripping, Raw, is_alive, request

pytestmark = pytest.mark.django_db(transaction=True)

MIB = 1024 * 1024
CHUNK = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
JSON = "Content-Type: application/json\r\n"
CSV = "Content-Type: text/csv\r\n"


def head(method: str, path: str, *headers: str) -> str:
    return f"{method} {path} HTTP/1.1\r\n{HOST}{''.join(headers)}\r\n"


def bearer(key: str) -> str:
    return f"Authorization: Bearer {key}\r\n"


def length(size: int) -> str:
    return f"Content-Length: {size}\r\n"


CHUNKED = "Transfer-Encoding: chunked\r\n"


# -- callers without valid credentials ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v1/notifications", 401),
        ("PUT", "/v1/audiences/01890000-0000-7000-8000-000000000000/members", 401),
        ("POST", "/v1/inbox/read", 401),
        ("POST", "/v1/unknown", 404),
        ("GET", "/v1/recipients", 401),
        ("POST", "/admin/login/", 302),
        ("POST", "/admin/tenants/import/add/", 302),
        ("POST", "/healthz", 302),
        ("POST", "/nothing", 404),
    ],
)
@pytest.mark.parametrize("with_key", ["", "Authorization: Bearer nk_live_wrong\r\n", "Cookie: sessionid=wrong\r\n"])
def test_an_unknown_caller_is_refused_before_200_mb_arrive_and_nothing_is_stored(
    web: Web, spool: Path, method: str, path: str, status: int, with_key: str
) -> None:
    with Raw(web) as client:
        client.send(head(method, path, CSV, CHUNKED, with_key))
        sent = client.flood(CHUNK, 200 * MIB)
        assert sent < 20 * MIB
        assert on_disk(web, spool) == 0
    with Raw(web) as client:
        # as much as a client sends before it reads an answer
        client.send(head(method, path, JSON, CHUNKED, with_key))
        client.send(CHUNK * 4)
        got = client.receive()
        assert (got.status, got.headers["connection"]) == (status, "close")
        assert client.is_closed()
    if status == 401:
        assert got.body["code"] in ("unauthenticated", "token_missing", "token_malformed")
        assert got.headers["www-authenticate"].startswith("Bearer")
    assert is_alive(web)


def test_an_unknown_caller_that_announces_a_large_body_is_refused_at_once(web: Web) -> None:
    with Raw(web) as client:
        client.send(head("POST", "/v1/notifications", JSON, length(200 * MIB)))
        assert client.receive().status == 401
        assert client.is_closed()


def test_an_unknown_caller_that_waits_for_a_100_is_refused(web: Web) -> None:
    with Raw(web) as client:
        client.send(head("POST", "/v1/notifications", JSON, length(20), "Expect: 100-continue\r\n"))
        assert client.receive().status == 401


# -- callers with valid credentials ------------------------------------------------------------------------------------


def test_a_known_caller_gets_the_limit_and_the_rest_of_its_body_is_not_read(
    web: Web, people: People, spool: Path
) -> None:
    with Raw(web) as client:
        client.send(head("POST", "/v1/notifications/bulk", JSON, CHUNKED, bearer(people.acme_key)))
        assert client.flood(CHUNK, 200 * MIB) < 20 * MIB
        assert on_disk(web, spool) == 0
    for announced in (CHUNKED, length(MIB + 400_000)):
        with Raw(web) as client:
            client.send(head("POST", "/v1/notifications/bulk", JSON, announced, bearer(people.acme_key)))
            client.send(CHUNK * 20)
            got = client.receive()
            assert (got.status, got.body["code"]) == (413, "body_too_large")
            assert client.is_closed()


@pytest.mark.parametrize("announced", [True, False])
def test_a_large_body_of_a_known_caller_is_read_completely(web: Web, people: People, announced: bool) -> None:
    content = b'{"name": "Ann", "attributes": {"a": "' + b" " * 10_000 + b'"}}' + b" " * 900_000
    with Raw(web) as client:
        kind = length(len(content)) if announced else CHUNKED
        client.send(head("PUT", "/v1/recipients/ann", JSON, kind, bearer(people.acme_key)))
        client.send(content if announced else b"%x\r\n%b\r\n0\r\n\r\n" % (len(content), content))
        assert client.receive("PUT").status == 201
        # the connection stays usable
        client.send(head("GET", "/v1/recipients/ann", bearer(people.acme_key)))
        assert client.receive().body["name"] == "Ann"
    assert Recipient.objects.get(tenant=people.acme).name == "Ann"


def test_a_known_caller_that_waits_for_a_100_gets_it(web: Web, people: People) -> None:
    with Raw(web) as client:
        expects = (JSON, length(15), "Expect: 100-continue\r\n", bearer(people.acme_key))
        client.send(head("PUT", "/v1/recipients/ann", *expects))
        assert client.socket.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send('{"name": "Ann"}')
        assert client.receive("PUT").status == 201


def test_a_csv_of_ids_of_an_authorized_caller_is_read_up_to_its_own_limit(
    web: Web, people: People, spool: Path
) -> None:
    audience = Audience.objects.create(tenant=people.acme, name="all", source="list")
    path = f"/v1/audiences/{audience.pk}/members"
    content = b"external_id\n" + b"".join(b"user-%0120d\n" % n for n in range(18_000))
    with Raw(web) as client:
        client.send(head("PUT", path, CSV, length(len(content)), bearer(people.acme_key)))
        client.send(content[: 2 * MIB])
        wait_for_file(web, spool)
        client.send(content[2 * MIB :])
        assert client.receive("PUT").body["stored"] == 18_000
    with Raw(web) as client:
        client.send(head("PUT", path, CSV, length(9 * MIB), bearer(people.acme_key)))
        assert client.receive("PUT").status == 413
    with Raw(web) as client:
        client.send(head("PUT", path, CSV, CHUNKED, bearer(people.acme_key)))
        assert client.flood(CHUNK, 200 * MIB) < 30 * MIB
    assert on_disk_ends(web, spool)


def test_a_csv_to_an_address_without_csv_has_the_limit_of_json(web: Web, people: People, spool: Path) -> None:
    with Raw(web) as client:
        client.send(head("POST", "/v1/notifications", CSV, CHUNKED, bearer(people.acme_key)))
        client.flood(CHUNK, 200 * MIB)
        assert on_disk(web, spool) == 0
    got = request(web, head("POST", "/v1/notifications", CSV, length(3), bearer(people.acme_key)) + "a,b")
    assert got.status == 415


def test_a_tenant_sends_two_large_bodies_at_a_time(web: Web, people: People) -> None:
    audience = Audience.objects.create(tenant=people.acme, name="all", source="list")
    path = f"/v1/audiences/{audience.pk}/members"
    with ExitStack() as open_:
        clients = [open_.enter_context(Raw(web)) for _ in range(3)]
        for client in clients:
            client.send(head("PUT", path, CSV, length(2 * MIB), bearer(people.acme_key)))
            open_.enter_context(Dripping(client, b"\n" * 2048))
        answered, _, _ = select.select([client.socket for client in clients], [], [], TIMEOUT)
        assert len(answered) == 1
        got = next(client for client in clients if client.socket is answered[0]).receive("PUT")
        assert (got.status, got.body["code"]) == (503, "too_many_uploads")
        assert int(got.headers["retry-after"]) > 0
        # a small body needs no slot
        small = head("PUT", path, CSV, length(16), bearer(people.acme_key)) + "external_id\nann\n"
        assert request(web, small).body["stored"] == 1


def test_a_logged_in_member_uploads_through_the_admin(web: Web, people: People, spool: Path) -> None:
    browser = Client()
    browser.force_login(people.ana)
    cookie = f"Cookie: sessionid={browser.cookies[settings.SESSION_COOKIE_NAME].value}\r\n"
    form = "Content-Type: multipart/form-data; boundary=b\r\n"
    part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n' + b"x" * (2 * MIB)
    with Raw(web) as client:
        client.send(head("POST", "/admin/tenants/import/add/", form, length(4 * MIB), cookie))
        client.send(part)
        wait_for_file(web, spool)
    with Raw(web) as client:
        client.send(head("POST", "/admin/tenants/import/add/", form, length(100 * MIB), cookie))
        assert client.receive("POST").status == 413
    urlencoded = "Content-Type: application/x-www-form-urlencoded\r\n"
    with Raw(web) as client:
        client.send(head("POST", "/admin/tenants/import/add/", urlencoded, length(4 * MIB), cookie))
        assert client.receive("POST").status == 413


# -- speed -------------------------------------------------------------------------------------------------------------


def with_files(people: People, size: int) -> bytes:
    """A notification with so many bytes of files, which may be sent."""
    template = Template.objects.create(tenant=people.acme, key=f"invoice{size}")
    templates.publish(template, {"email": {"en": {"subject": "Hi", "text": "Your invoice"}}})
    Recipient.objects.get_or_create(tenant=people.acme, external_id="ann", defaults={"email": "ann@example.com"})
    files = [{"name": f"{n}.pdf", "content": b64encode(bytes(size // 10)).decode()} for n in range(10)]
    return json.dumps({"recipient": "ann", "template": template.key, "attachments": files}).encode()


def test_a_notification_with_10_mb_of_files_is_accepted_and_a_larger_one_is_not(web: Web, people: People) -> None:
    for size, status in ((10 * MIB - 10, 202), (10 * MIB + 100, 400), (13 * MIB, 413)):
        content = with_files(people, size)
        with Raw(web) as client:
            client.send(head("POST", "/v1/notifications", JSON, length(len(content)), bearer(people.acme_key)))
            if status != 413:  # the announced length alone is refused
                client.send(content)
            assert client.receive("POST").status == status


def test_a_third_large_document_of_one_tenant_waits_and_small_ones_do_not(web: Web, people: People) -> None:
    content = with_files(people, 3 * MIB)
    start = head("POST", "/v1/notifications", JSON, length(len(content)), bearer(people.acme_key))
    with ExitStack() as clients:
        for _ in range(2):
            client = clients.enter_context(Raw(web))
            client.send(start)
            client.send(content[: 2 * MIB])
        with Raw(web) as third:
            third.send(start)
            got = third.receive("POST")
            assert (got.status, got.body["code"]) == (503, "too_many_uploads")
        small = with_files(people, 500_000)
        with Raw(web) as fourth:
            fourth.send(head("POST", "/v1/notifications", JSON, length(len(small)), bearer(people.acme_key)))
            fourth.send(small)
            assert fourth.receive("POST").status == 202


@pytest.mark.parametrize("announced", [length(1000), CHUNKED, length(500_000)])
def test_a_body_that_drips_is_cut_off(web: Web, people: People, announced: str) -> None:
    with Raw(web) as client:
        client.send(head("POST", "/v1/notifications", JSON, announced, bearer(people.acme_key)))
        with Dripping(client, b"1\r\nx\r\n" if announced == CHUNKED else b"x"):
            got = client.receive("POST")
            assert (got.status, got.body["code"]) == (408, "too_slow")
            assert client.is_closed()


def test_a_body_that_arrives_slowly_without_a_long_pause_is_accepted(web: Web, people: People) -> None:
    """The body takes longer than a pause may last."""
    content = b'{"name": "Ann"}' + b" " * 40_000
    with Raw(web) as client:
        client.send(head("PUT", "/v1/recipients/ann", JSON, length(len(content)), bearer(people.acme_key)))
        client.send(content[:16])
        parts = [content[16 + n : 16 + n + 4_000] for n in range(0, len(content) - 16, 4_000)]
        for part in parts:
            assert not client.is_closed(0.4)
            client.socket.settimeout(60)
            client.send(part)
        assert client.receive("PUT").status == 201


def test_endless_chunk_extensions_are_refused(web: Web, people: People) -> None:
    with Raw(web) as client:
        client.send(head("POST", "/v1/notifications", JSON, CHUNKED, bearer(people.acme_key)) + "1;")
        with Dripping(client, b"a" * 10_000, 0.1):
            assert client.receive("POST").status in (400, 408)


# -- waiting for the server --------------------------------------------------------------------------------------------


def wait_for_file(web: Web, spool: Path) -> None:
    """Wait until the server has a temporary file."""
    for _ in range(6_000):
        if on_disk(web, spool):
            return
        is_alive(web)
    pytest.fail("the server wrote no temporary file")


def on_disk_ends(web: Web, spool: Path) -> bool:
    return any(not on_disk(web, spool) for _ in range(1_000) if is_alive(web))
