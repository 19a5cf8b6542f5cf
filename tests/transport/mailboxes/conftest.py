from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from notifier.transport import egress
from tests.transport.mailboxes import dovecot
from tests.transport.mailboxes.dovecot import Dovecot


@pytest.fixture(scope="session")
def mail_server() -> Iterator[Dovecot]:
    if dovecot.PROGRAM is None:
        pytest.skip("Dovecot (Debian: dovecot-imapd, dovecot-pop3d) is not installed")
    # the path of a socket has at most 107 characters, and pytest's folders are long
    with tempfile.TemporaryDirectory(prefix="mail-") as folder:
        Path(folder).chmod(0o755)
        server = dovecot.start(Path(folder))
        yield server
        server.stop()


@pytest.fixture
def trusted(mail_server: Dovecot, monkeypatch: pytest.MonkeyPatch) -> Dovecot:
    """The server, whose certificate this process trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(mail_server.ca))
    return mail_server


@pytest.fixture(autouse=True)
def internal_hosts_allowed() -> Iterator[None]:
    egress.allow(["127.0.0.0/8"])
    yield
    egress.allow(settings.INTERNAL_HOSTS)
