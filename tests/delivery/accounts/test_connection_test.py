"""Test connection: what an owner reads about a mail server, a login and the DNS records of the sender's domain."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import dns.message
import dns.rrset
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from pytest_django import Settings

from notifier.delivery.accounts import connection_test, registry
from notifier.delivery.accounts.sender_dns import check_sender
from notifier.local.servers.ports import free_port
from notifier.models import ProviderAccount
from notifier.vocabulary.checks import SenderDomain
from tests.delivery.build import Shop
from tests.sandbox.process import Sandbox

pytest_plugins = ["tests.sandbox.fixtures"]

KEY = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAxx"
SIGNED = SenderDomain("news.shop.example", "s1", KEY)
WHOLE = {
    "news.shop.example": ["other=1", "v=spf1 include:mail.example ~all"],
    "s1._domainkey.news.shop.example": [f"v=DKIM1; k=rsa; p={KEY[:20]} {KEY[20:]}"],
    "_dmarc.shop.example": ["v=DMARC1; p=quarantine"],
}
NO_RECORD: list[str] = []


class MailServer:
    """An aiosmtpd handler that takes mail of shop@shop.example only."""

    def __init__(self) -> None:
        self.messages = 0

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address != "shop@shop.example":
            return "550 5.7.1 Sender address rejected"
        envelope.mail_from = address
        return "250 2.1.0 ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.messages += 1
        return "250 ok"


@pytest.fixture
def mail_server() -> Iterator[tuple[MailServer, int]]:
    handler = MailServer()
    port = free_port()
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    yield handler, port
    controller.stop()


@contextmanager
def a_dns_server(records: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Answers TXT questions over UDP; yields host:port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                try:
                    question, sender = listener.recvfrom(4096)
                except OSError:
                    return
                query = dns.message.from_wire(question)
                response = dns.message.make_response(query)
                name = query.question[0].name.to_text(omit_final_dot=True)
                if texts := records.get(name):
                    quoted = [f'"{text}"' for text in texts]
                    response.answer = [dns.rrset.from_text(f"{name}.", 60, "IN", "TXT", *quoted)]
                listener.sendto(response.to_wire(), sender)

        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def an_account(shop: Shop, **settings: Any) -> ProviderAccount:
    account = ProviderAccount(tenant=shop.tenant, name="mail", provider="smtp")
    config = {"host": "127.0.0.1", "security": "none", "from_address": "shop@shop.example", **settings}
    registry.save_config(account, config)
    account.save()
    return account


def results(account: ProviderAccount) -> dict[str, bool | None]:
    connection_test.run_test(account.pk)
    account.refresh_from_db()
    return {check.name: check.passed for check in connection_test.checks_of(account)}


def text_of(account: ProviderAccount, name: str) -> str:
    return next(check.text for check in connection_test.checks_of(account) if check.name == name)


@pytest.mark.django_db
def test_a_working_server_and_a_well_kept_domain_pass(
    shop: Shop, mail_server: tuple[MailServer, int], settings: Settings
) -> None:
    handler, port = mail_server
    records = {"shop.example": ["v=spf1 mx -all"], "_dmarc.shop.example": ["v=DMARC1; p=reject"]}
    with a_dns_server(records) as server:
        settings.DNS_SERVERS = [server]
        account = an_account(shop, port=port)
        assert results(account) == {"connection": True, "SPF": True, "DKIM": None, "DMARC": True}
    assert handler.messages == 0


@pytest.mark.django_db
def test_a_sender_that_the_server_refuses_is_named_with_the_servers_words(
    shop: Shop, mail_server: tuple[MailServer, int], settings: Settings
) -> None:
    with a_dns_server({}) as server:
        settings.DNS_SERVERS = [server]
        account = an_account(shop, port=mail_server[1], from_address="other@shop.example")
        assert results(account) == {"connection": False, "SPF": False, "DKIM": None, "DMARC": False}
    assert "from_address" in text_of(account, "connection") and "5.7.1" in text_of(account, "connection")
    assert '"v=DMARC1; p=none;' in text_of(account, "DMARC")


def test_a_sender_deep_below_its_domain_costs_few_questions() -> None:
    asked: list[str] = []

    def lookup(name: str) -> list[str]:
        asked.append(name)
        return []

    list(check_sender(SenderDomain("a." * 60 + "shop.example"), lookup))
    policies = [name for name in asked if name.startswith("_dmarc.")]
    assert len(policies) == 8 and policies[0] == "_dmarc." + "a." * 60 + "shop.example"
    assert policies[-1] == "_dmarc.shop.example"


@pytest.mark.django_db
def test_words_that_cannot_be_stored_are_left_out(shop: Shop, settings: Settings) -> None:
    settings.DNS_SERVERS = ["127.0.0.1:1"]
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"554 5.7.1 go\x00away \xff\r\n")
                connection.recv(100)

        threading.Thread(target=serve, daemon=True).start()
        account = an_account(shop, port=listener.getsockname()[1])
        assert results(account)["connection"] is False
    assert "goaway" in text_of(account, "connection")


@pytest.mark.django_db
def test_a_server_that_is_not_there_and_a_dns_that_is_not_there_are_told_apart(shop: Shop, settings: Settings) -> None:
    port = free_port()
    settings.DNS_SERVERS = [f"127.0.0.1:{port}"]
    account = an_account(shop, port=port)
    assert results(account) == {"connection": False, "SPF": None, "DKIM": None, "DMARC": None}
    assert "firewall" in text_of(account, "connection")


@pytest.mark.django_db
def test_the_sandbox_takes_the_login_over_an_encrypted_connection(
    shop: Shop, sandbox: Sandbox, settings: Settings
) -> None:
    settings.SANDBOX_URL, settings.SANDBOX_CA = sandbox.url, str(sandbox.ca)
    account = registry.choose_account(shop.tenant, "email", "", "test")
    assert results(account) == {"connection": True}
    assert "took the login of sandbox" in text_of(account, "connection")
    assert sandbox.report()["accepted"] == 0


@pytest.mark.django_db
def test_a_test_runs_until_its_result_comes(shop: Shop) -> None:
    account = an_account(shop, port=9)
    connection_test.mark_requested(account)
    assert account.test_requested_at is not None
    assert connection_test.is_running(account, account.test_requested_at)
    assert not connection_test.is_running(account, account.test_requested_at + connection_test.LOST_AFTER)


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ({}, {"SPF": True, "DKIM": True, "DMARC": True}),
        ({"news.shop.example": NO_RECORD}, {"SPF": False}),
        ({"news.shop.example": ["v=spf1 ~all", "v=spf1 -all"]}, {"SPF": False}),
        ({"news.shop.example": ["v=spf1 +all"]}, {"SPF": False}),
        ({"news.shop.example": ["v=spf1 mx all"]}, {"SPF": False}),
        ({"news.shop.example": ["v=spf10 mx"]}, {"SPF": False}),
        ({"s1._domainkey.news.shop.example": NO_RECORD}, {"DKIM": False}),
        ({"s1._domainkey.news.shop.example": ["v=DKIM1; p=another"]}, {"DKIM": False}),
        ({"_dmarc.shop.example": NO_RECORD}, {"DMARC": False}),
        ({"_dmarc.news.shop.example": ["v=DMARC1; p=none"]}, {"DMARC": True}),
        ({"_dmarc.shop.example": ["v=DMARC1; p=none", "v=DMARC1; p=reject"]}, {"DMARC": False}),
        ({"_dmarc.example": ["v=DMARC1; p=none"], "_dmarc.shop.example": NO_RECORD}, {"DMARC": False}),
    ],
)
def test_the_records_of_a_domain(records: dict[str, list[str]], expected: dict[str, bool]) -> None:
    found = {**WHOLE, **records}
    results = {check.name: check.passed for check in check_sender(SIGNED, lambda name: found.get(name, []))}
    assert results == {"SPF": True, "DKIM": True, "DMARC": True, **expected}
