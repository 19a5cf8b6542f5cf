"""The demo's mail before judges that are not ours: Mailpit, the standard library's parser, mail-parser.

Mailpit is a Go program: `GOBIN=$PWD/.local/bin go install github.com/axllent/mailpit@v1.33.1`. Without it the tests
that need it are skipped.
"""

from __future__ import annotations

import email
import email.policy
import json
import os
import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import mailparser
import pytest
from pytest_django import Settings

from campaigns.models import Audience, Campaign
from notifier.api.layouts import write_layout
from notifier.delivery.accounts import registry
from notifier.delivery.content import templates
from notifier.delivery.send import deliver
from notifier.demo.content import LAYOUT_KEY, TEMPLATES, layout
from notifier.local.processes.programs import PROJECT
from notifier.local.servers.ports import free_port
from notifier.models import ProviderAccount, Template
from notifier.vocabulary.people import SendRequest
from notifier.vocabulary.status import Lane
from tenants.models import Category, Recipient
from tests.delivery.build import Shop, a_shop
from tests.delivery.scenes import running, send_shards
from tests.sandbox.process import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)
NAME = "Łukasz O'Neil & Co"
#: of a mail's elements and styles, the least and the largest share that mail clients support and do not support, by
#: the statistics of caniemail.com
SUPPORTED_PERCENT, UNSUPPORTED_PERCENT = 90, 2  #: the rest is supported in part


class Mailpit:
    """A running Mailpit. `site`: a web site to which the mails' links lead."""

    def __init__(self, binary: str, folder: Path, site: str) -> None:
        self.site, self.port, smtp = site, free_port(), free_port()
        self.smtp = smtp
        self._process = subprocess.Popen(
            [binary, "--listen", f"127.0.0.1:{self.port}", "--smtp", f"127.0.0.1:{smtp}", "--quiet",
             "--allow-internal-http-requests", "--disable-version-check", "--database", str(folder / "mail.db")],
        )  # fmt: skip

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=60) as answer:
            return json.load(answer)

    def wait(self) -> None:
        until = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.smtp), 1).close()
                self.get("/api/v1/messages")
                return
            except OSError:
                assert time.monotonic() < until and self._process.poll() is None
                time.sleep(0.1)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=30)


class Page(BaseHTTPRequestHandler):
    """Answers 200 to every address."""

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    do_GET = do_HEAD

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def mailpit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailpit]:
    binary = shutil.which("mailpit", path=f"{PROJECT / '.local' / 'bin'}{os.pathsep}{os.environ['PATH']}")
    if binary is None:
        pytest.skip("no mailpit: GOBIN=$PWD/.local/bin go install github.com/axllent/mailpit@v1.33.1")
    site = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    mailpit = Mailpit(binary, tmp_path_factory.mktemp("mailpit"), f"http://127.0.0.1:{site.server_address[1]}")
    try:
        mailpit.wait()
        yield mailpit
    finally:
        mailpit.close()
        site.shutdown()
        site.server_close()


def a_demo_shop() -> Shop:
    """A shop with the demo's templates."""
    shop = a_shop()
    categories = {"order-updates": Category.objects.get(tenant=shop.tenant)}
    categories["promotions"] = Category.objects.create(
        tenant=shop.tenant, key="promotions", name="Promotions", kind="marketing"
    )
    Template.objects.filter(tenant=shop.tenant).delete()
    write_layout(shop.tenant, LAYOUT_KEY, layout())
    for key, template in TEMPLATES.items():
        stored = Template.objects.create(tenant=shop.tenant, key=key, category=categories[template["category"]])
        templates.publish(stored, {"email": template["content"]["email"]})
    return shop


@pytest.fixture
def live(mailpit: Mailpit, settings: Settings) -> Shop:
    """A live shop whose mail server is Mailpit, which also follows the links to our own site."""
    settings.SITE_URL = mailpit.site
    shop = a_demo_shop()
    shop.tenant.sandbox = False
    shop.tenant.save()
    account = ProviderAccount(tenant=shop.tenant, name="mailpit", provider="smtp")
    config = {"host": "127.0.0.1", "port": mailpit.smtp, "security": "none", "from_address": "news@northwind.example"}
    registry.save_config(account, {**config, "from_name": "Northwind"})
    account.save()
    return shop


def person(shop: Shop, external_id: str, locale: str) -> str:
    """The email address of a new recipient."""
    address = f"{external_id}@{shop.tenant.slug}.example"
    Recipient.objects.create(
        tenant=shop.tenant, external_id=external_id, name=NAME, email=address, locale=locale,
        attributes={"plan": "family"},
    )  # fmt: skip
    return address


def send(shop: Shop, template: str, locale: str, site: str) -> str:
    """Send one mail of this template; the address that gets it."""
    address = person(shop, f"{template}-{locale}", locale)
    order = {"order": "A-1042", "site": site}
    data = {**order, "items": [order, order], "count": 2}
    [accepted] = shop.accept(SendRequest(f"{template}-{locale}", template, data=data))
    assert not isinstance(accepted, Exception), accepted
    deliver("email", tuple(Lane))
    assert shop.statuses() == ["sent"], shop.deliveries()[-1].detail
    return address


MAILS = [(key, locale) for key, template in TEMPLATES.items() for locale in template["content"]["email"]]


@pytest.mark.parametrize(("template", "locale"), MAILS)
def test_mailpit_finds_nothing_wrong_with_a_single_mail(
    live: Shop, mailpit: Mailpit, template: str, locale: str
) -> None:
    address = send(live, template, locale, mailpit.site)
    assert faults(mailpit, address, marketing=TEMPLATES[template]["category"] == "promotions") == []


def test_mailpit_finds_nothing_wrong_with_the_mails_of_a_campaign(live: Shop, mailpit: Mailpit) -> None:
    addresses = [person(live, "ann", "en"), person(live, "bea", "de"), person(live, "cyd", "en")]
    audience = Audience.objects.create(tenant=live.tenant, name="all", source="everybody")
    template = Template.objects.get(tenant=live.tenant, key="big-game")
    campaign = Campaign.objects.create(
        tenant=live.tenant, name="Game", template=template, audience=audience, channels=["email"],
        data={"site": mailpit.site},
    )  # fmt: skip
    send_shards(running(campaign))
    for address in addresses:
        assert faults(mailpit, address, marketing=True) == []


def faults(mailpit: Mailpit, address: str, *, marketing: bool) -> list[str]:
    """What Mailpit finds wrong with the one mail to this address."""
    [listed] = mailpit.get(f"/api/v1/search?query=to:{address}")["messages"]
    mail = f"/api/v1/message/{listed['ID']}"
    message, html, links = mailpit.get(mail), mailpit.get(f"{mail}/html-check"), mailpit.get(f"{mail}/link-check")
    lines = [str(link) for link in links["Links"] if link["StatusCode"] != 200]
    if message["From"] != {"Name": "Northwind", "Address": "news@northwind.example"}:
        lines.append(f"From: {message['From']}")
    if [to["Address"] for to in message["To"]] != [address]:
        lines.append(f"To: {message['To']}")
    if NAME not in message["Text"] or not links["Links"]:
        lines.append(message["Text"])
    way_out = message["ListUnsubscribe"]
    if way_out["Errors"] or bool(way_out["Links"]) != marketing or bool(way_out["HeaderPost"]) != marketing:
        lines.append(f"List-Unsubscribe: {way_out}")
    total = html["Total"]
    if total["Supported"] < SUPPORTED_PERCENT or total["Unsupported"] > UNSUPPORTED_PERCENT:
        lines += [f"{total}", *(f"{each['Slug']}: {each['Score']}" for each in html["Warnings"])]
    return lines


@pytest.mark.parametrize(("template", "locale"), MAILS)
def test_other_parsers_read_the_same_mail(sandbox: Sandbox, settings: Settings, template: str, locale: str) -> None:
    settings.SANDBOX_URL, settings.SANDBOX_CA = sandbox.url, sandbox.ca
    shop = a_demo_shop()
    address = send(shop, template, locale, "https://northwind.example")
    [arrived] = sandbox.get(f"/_mail?address={address}")
    by_library = email.message_from_string(arrived["raw"], policy=email.policy.default)
    assert isinstance(by_library, EmailMessage)
    by_mail_parser = mailparser.parse_from_string(arrived["raw"])
    subject = TEMPLATES[template]["content"]["email"][locale]["subject"]
    subject = subject.replace("{{ recipient.name }}", NAME).replace("{{ order }}", "A-1042").replace("{{ count }}", "2")
    assert by_library["subject"] == by_mail_parser.subject == subject
    assert by_library["to"] == address == by_mail_parser.to[0][1]
    for kind, read in (("plain", by_mail_parser.text_plain), ("html", by_mail_parser.text_html)):
        part = by_library.get_body((kind,))
        assert part is not None and part.get_content().split() == "".join(read).split()
    assert NAME in "".join(by_mail_parser.text_plain)
    assert [part.defects for part in by_library.walk() if part.defects] == [] == by_mail_parser.defects
