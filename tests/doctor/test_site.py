"""Settings, the site's address, uploads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from notifier.local.servers.ports import free_port
from notifier.settings import INSECURE_SECRET_KEY
from tenants.models import Import, Tenant
from tests.doctor.conftest import Look


class Broken(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(502)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on standard error."""


@pytest.fixture
def broken_site() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Broken)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_production_with_a_default_secret(look: Look, settings: Settings) -> None:
    settings.DEBUG, settings.SECRET_KEY, settings.ALLOWED_HOSTS = False, INSECURE_SECRET_KEY, ["example.com"]
    lines = look("settings")
    assert any(line.startswith("error settings: notifier.E001: SECRET_KEY is the public default.") for line in lines)
    assert any(line.startswith("warning settings-weak: notifier.W001: ") for line in lines)


def test_debug_on_a_public_site(look: Look, settings: Settings) -> None:
    settings.DEBUG, settings.SITE_URL = True, "https://notify.example.com"
    assert "error debug: DEBUG is on, and people reach the site at https://notify.example.com." in look("settings")


def test_a_site_that_does_not_answer(look: Look, settings: Settings) -> None:
    settings.SITE_URL = f"http://127.0.0.1:{free_port()}"
    assert look("address of the site") == [
        f"error site: {settings.SITE_URL} cannot be reached (ConnectionRefusedError)."
    ]


def test_a_proxy_without_a_site_behind_it(look: Look, settings: Settings, broken_site: str) -> None:
    settings.SITE_URL = broken_site
    assert look("address of the site") == [f"error site: {broken_site}/healthz answers 502."]


def test_an_address_that_is_none(look: Look, settings: Settings) -> None:
    settings.SITE_URL = "notify.example.com"
    assert look("address of the site") == ["error site: SITE_URL (notify.example.com) is no http address."]


def test_uploads_that_cannot_be_written(look: Look, settings: Settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = str(tmp_path / "new")
    assert look("uploads") == []
    tmp_path.joinpath("file").write_text("no folder")
    settings.MEDIA_ROOT = str(tmp_path / "file" / "uploads")
    assert look("uploads") == [f"error uploads: This process may not write into {tmp_path / 'file'}."]


def test_a_file_that_only_another_machine_has(look: Look, settings: Settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = str(tmp_path)
    tenant = Tenant.objects.create(name="ACME", slug="acme")
    Import.objects.create(tenant=tenant, filename="people.csv", stored="imports/people.csv")
    assert look("files of imports") == [f"error uploads-shared: An import waits, and its file is not in {tmp_path}."]
