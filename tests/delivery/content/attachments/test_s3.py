"""The storage of attachments in a bucket: boto3 against a server that answers as S3 does for objects."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from notifier.delivery.content.attachments import storage
from notifier.errors import Unavailable
from notifier.models import StoredFile
from notifier.vocabulary.mail import NewFile, Unreadable
from tests.fixtures import People

CONTENT = b"%PDF " + bytes(range(256)) * 20


class Bucket(BaseHTTPRequestHandler):
    """PUT, HEAD and GET of objects."""

    objects: dict[str, bytes] = {}

    def do_PUT(self) -> None:
        self.objects[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(200, b"", {"ETag": '"1"'})

    def do_HEAD(self) -> None:
        self._object(with_body=False)

    def do_GET(self) -> None:
        self._object(with_body=True)

    def _object(self, *, with_body: bool) -> None:
        content = self.objects.get(self.path)
        if content is None:
            self._answer(404, b"")
            return
        headers = {"ETag": '"1"', "Last-Modified": "Sat, 28 Nov 2026 12:00:00 GMT"}
        self._answer(200, content if with_body else b"", {**headers, "Content-Length": str(len(content))})

    def _answer(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def bucket(settings: Any) -> Iterator[dict[str, bytes]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    options = {
        "bucket_name": "files", "endpoint_url": f"http://127.0.0.1:{server.server_port}", "region_name": "eu-1",
        "access_key": "key", "secret_key": "secret",
    }  # fmt: skip
    backend = "notifier.delivery.content.attachments.s3.AttachmentBucket"
    settings.STORAGES = {**settings.STORAGES, "attachments": {"BACKEND": backend, "OPTIONS": options}}
    Bucket.objects.clear()
    storage.reset()
    yield Bucket.objects
    server.shutdown()
    server.server_close()
    storage.reset()


@pytest.mark.django_db
def test_a_file_is_stored_once_under_its_tenant_and_read_again(bucket: dict[str, bytes], people: People) -> None:
    digest, tenant = sha256(CONTENT).hexdigest(), people.acme.pk
    for _ in range(2):
        storage.store(tenant, [NewFile(digest, "a.pdf", "application/pdf", CONTENT)])
    assert bucket == {f"/files/attachments/{tenant}/{digest[:2]}/{digest}": CONTENT}
    assert StoredFile.objects.filter(tenant=tenant).count() == 1
    assert storage.read(tenant, digest) == CONTENT
    bucket.clear()
    assert storage.read(tenant, digest) == CONTENT  # this process read it already
    storage.reset()
    with pytest.raises(Unreadable):
        storage.read(tenant, digest)


@pytest.mark.django_db
def test_a_bucket_that_is_away_refuses_a_file(bucket: dict[str, bytes], people: People, settings: Any) -> None:
    attachments = settings.STORAGES["attachments"]
    nowhere = {**attachments["OPTIONS"], "endpoint_url": "http://127.0.0.1:9"}
    settings.STORAGES = {**settings.STORAGES, "attachments": {**attachments, "OPTIONS": nowhere}}
    with pytest.raises(Unavailable):
        storage.store(people.acme.pk, [NewFile("0" * 64, "a.pdf", "application/pdf", b"x")])
    assert not StoredFile.objects.exists()
