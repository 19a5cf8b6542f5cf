"""`manage.py read_bounces` with Dovecot: reports become receipts, other mail stays, and nothing is lost."""

from __future__ import annotations

import socket
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import Client
from structlog.testing import capture_logs

from notifier.channels import base as channels_base
from notifier.channels.email import EmailMessage
from notifier.delivery.accounts import receipts_address, registry
from notifier.delivery.bounces import accounts_with_mailbox, read_mailbox, read_mailboxes, tenants_with_mailbox
from notifier.delivery.receipts import reading, sealing
from notifier.local.servers.ports import free_port
from notifier.mail_reports.return_path import address_for
from notifier.models import ProviderAccount, Receipt
from notifier.providers.smtp import Smtp, SmtpConfig
from notifier.transport import egress
from notifier.transport.mailboxes import MailboxError, OpenMailbox, open_mailbox
from notifier.vocabulary.http import HttpClient
from notifier.vocabulary.mail import BounceMailbox
from notifier.vocabulary.people import Address
from notifier.vocabulary.receipts import ReceiptEvent, ReceiptRequest
from notifier.vocabulary.status import Status
from tenants.models import Recipient, Suppression, Tenant
from tests.fixtures import People
from tests.flows.wait import until
from tests.mail_reports import samples
from tests.receipts.deliveries import a_delivery
from tests.transport.mailboxes import postfix
from tests.transport.mailboxes.conftest import mail_server, trusted  # noqa: F401
from tests.transport.mailboxes.dovecot import PASSWORD, Dovecot
from tests.transport.mailboxes.postfix import Postfix

DELIVERY = uuid.uuid4()


@pytest.fixture(autouse=True)
def internal_hosts_allowed() -> Iterator[None]:
    egress.allow(["127.0.0.0/8"])
    yield
    egress.allow(settings.INTERNAL_HOSTS)
    registry.reset()


def an_account(tenant: Tenant, server: Dovecot | None = None, user: str = "x", **values: Any) -> ProviderAccount:
    account = ProviderAccount(tenant=tenant, name=f"mail {uuid.uuid4().hex[:6]}", provider="smtp")
    settings_ = {
        "host": "smtp.example.com", "from_address": "news@example.com", "bounce_address": "bounces@example.com",
        "bounce_mailbox": "imap", "bounce_host": "127.0.0.1", "bounce_user": user, "bounce_password": PASSWORD,
        "bounce_port": server.ports["imap", "tls"] if server else 0, **values,
    }  # fmt: skip
    registry.save_config(account, settings_)
    account.save()
    return account


class Cut:
    """A mailbox whose connection is cut before anything is deleted."""

    def __init__(self, mailbox: OpenMailbox) -> None:
        self.waiting, self.read = mailbox.waiting, mailbox.read

    def finish(self, reports: Sequence[str], others: Sequence[str]) -> None:
        raise MailboxError("cut")


def report_about(account: ProviderAccount, sample: str = samples.POSTFIX) -> bytes:
    to = address_for("bounces@example.com", DELIVERY, registry.provider_for(account).signing_keys[0])
    return sample.replace("{to}", to).replace("{id}", "x@example.com").replace("\n", "\r\n").encode()


def bodies(account: ProviderAccount) -> list[bytes]:
    rows = Receipt.objects.filter(account_id=account.pk).order_by("id")
    return [sealing.unseal_call(row.tenant_id, bytes(row.sealed)).body for row in rows]


@pytest.mark.django_db
def test_reports_become_receipts_and_other_mail_stays(people: People, trusted: Dovecot) -> None:  # noqa: F811
    account = an_account(people.acme, trusted, "acme")
    bounce, complaint = report_about(account), report_about(account, samples.ARF)
    trusted.deliver("acme", bounce, b"Subject: an invoice\r\n\r\n", complaint)
    assert read_mailbox([account]) == (2, 1, "")
    assert bodies(account) == [bounce, complaint]
    assert trusted.left("acme") == [b"Subject: an invoice\r\n\r\n"]
    assert read_mailbox([account]) == (0, 0, "")


@pytest.mark.django_db
def test_a_report_that_could_not_be_deleted_is_stored_once_more(people: People, trusted: Dovecot) -> None:  # noqa: F811
    account = an_account(people.acme, trusted, "stuck")
    trusted.deliver("stuck", report_about(account))

    @contextmanager
    def cut_before_the_end(mailbox: BounceMailbox) -> Iterator[OpenMailbox]:
        with open_mailbox(mailbox) as opened:
            yield Cut(opened)

    result = read_mailbox([account], cut_before_the_end)
    assert result.error and len(bodies(account)) == 1 and len(trusted.left("stuck")) == 1
    assert read_mailbox([account]) == (1, 0, "")
    assert len(bodies(account)) == 2 and trusted.left("stuck") == []


class Breaking(Smtp):
    """Stands for a reader with a defect."""

    def receipts(self, request: ReceiptRequest, client: HttpClient) -> Sequence[ReceiptEvent]:
        raise RecursionError(request.body)


@pytest.mark.django_db
def test_a_message_that_no_reader_takes_stops_no_other_and_is_kept_for_a_person(
    people: People,
    trusted: Dovecot,  # noqa: F811
) -> None:
    account = an_account(people.acme, trusted, "broken")
    trusted.deliver("broken", report_about(account), report_about(account, samples.ARF))
    registry.override_provider(account.pk, Breaking(SmtpConfig.parse(registry.settings_of(account))))
    assert read_mailbox([account]) == (2, 0, "")
    assert trusted.left("broken") == [] and reading.read_due()
    rows = Receipt.objects.filter(account_id=account.pk)
    assert [row.state for row in rows] == [Receipt.State.UNREADABLE] * 2


@pytest.mark.django_db
def test_the_mailboxes_of_a_tenant_share_a_minute(people: People, trusted: Dovecot) -> None:  # noqa: F811
    good, other = an_account(people.acme, trusted, "mine"), an_account(people.globex, trusted, "theirs")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for _ in range(20):
            an_account(people.acme, bounce_user=uuid.uuid4().hex, bounce_port=silent.getsockname()[1])
        assert set(tenants_with_mailbox()) == {people.acme.pk, people.globex.pk}
        trusted.deliver("theirs", report_about(other))
        with capture_logs() as lines:
            read_mailboxes(people.acme.pk, seconds=0.5)
    assert [line["tenant"] for line in lines if line["event"] == "mailboxes not read"] == [str(people.acme.pk)]
    assert not bodies(good) and not bodies(other)
    read_mailboxes(people.globex.pk)
    assert len(bodies(other)) == 1


@pytest.mark.django_db
def test_a_mailbox_of_two_accounts_is_read_for_both(people: People, trusted: Dovecot) -> None:  # noqa: F811
    first, second = (an_account(people.acme, trusted, "shared") for _ in range(2))
    foreign = an_account(people.globex, trusted, "shared")
    an_account(people.acme, trusted, "shared", bounce_mailbox="none")
    groups = accounts_with_mailbox()
    assert sorted(map(len, groups.values())) == [1, 2]
    trusted.deliver("shared", report_about(second), report_about(first), report_about(foreign))
    assert read_mailbox(groups[first.pk]) == (2, 1, "")
    assert (len(bodies(first)), len(bodies(second)), len(bodies(foreign))) == (1, 1, 0)


@pytest.mark.django_db(transaction=True)
def test_the_command_reads_every_mailbox_although_one_is_away(people: People, trusted: Dovecot) -> None:  # noqa: F811
    good, gone = an_account(people.acme, trusted, "good"), an_account(people.globex, trusted, "x", bounce_port=1)
    trusted.deliver("good", report_about(good))
    out = StringIO()
    with pytest.raises(CommandError, match="Not every mailbox"):
        call_command("read_bounces", stdout=out)
    assert f"{good.name}: 1 reports, 0 other messages\n" in out.getvalue()
    assert f"{gone.name}: 0 reports, 0 other messages; no connection" in out.getvalue()
    assert len(bodies(good)) == 1 and PASSWORD not in out.getvalue()
    call_command("read_bounces", account=good.pk, stdout=out)
    with pytest.raises(CommandError, match="names no bounce mailbox"):
        call_command("read_bounces", account=uuid.uuid4(), stdout=out)


@pytest.mark.django_db
def test_a_mail_server_may_post_a_report(people: People) -> None:
    account = an_account(people.acme, bounce_mailbox="none")
    delivery = a_delivery(account)
    key = registry.provider_for(account).signing_keys[0]
    body = samples.POSTFIX.replace("{to}", address_for("bounces@example.com", delivery.pk, key)).encode()
    path = "/" + receipts_address.address_of(account).split("/", 3)[3]
    answers = [Client().post(path, each, content_type="message/rfc822") for each in (body, body, b"Subject: x\n\n")]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert Client().post(path, b"", content_type="message/rfc822").status_code == 401
    while reading.read_due():
        pass
    delivery.refresh_from_db()
    assert (Status(delivery.status), delivery.reason) == (Status.BOUNCED, "hard_bounce")
    assert Suppression.objects.filter(tenant=people.acme, cause="bounce").count() == 1
    assert not Receipt.objects.exists()


class Refusing:
    """A mail server that knows no mailbox, for aiosmtpd."""

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:
        return "550 5.1.1 There is no mailbox of this name"


@pytest.fixture
def postfix_server(trusted: Dovecot) -> Iterator[Postfix]:  # noqa: F811
    if not postfix.CAN_RUN:
        pytest.skip("Postfix runs as root only")
    refusing = Controller(Refusing(), hostname="127.0.0.1", port=free_port())
    refusing.start()
    with tempfile.TemporaryDirectory(prefix="postfix-") as folder:
        Path(folder).chmod(0o755)
        maildirs = trusted.folder / "mail"
        maildirs.mkdir(exist_ok=True)
        maildirs.chmod(0o777)
        server = postfix.start(Path(folder), free_port(), maildirs, refusing.port)
        yield server
        server.stop()
    refusing.stop()


@pytest.mark.django_db(transaction=True)
def test_a_bounce_of_postfix_ends_the_message_and_its_address(
    people: People,
    trusted: Dovecot,  # noqa: F811
    postfix_server: Postfix,
) -> None:
    account = an_account(
        people.acme, trusted, "returned", host="127.0.0.1", port=postfix_server.port, security="none",
        bounce_address="returned@bounces.example",
    )  # fmt: skip
    recipient = Recipient.objects.create(tenant=people.acme, external_id="ann", email="ann@remote.example")
    delivery = a_delivery(account, address="ann@remote.example", recipient_id=recipient.pk)
    envelope = channels_base.Envelope(
        delivery.pk, people.acme.pk, recipient.pk, Address("ann@remote.example"), delivery.pk.hex
    )
    provider, client = registry.provider_for(account), registry.http_client_for(account)
    message = EmailMessage(envelope, subject="Hello", text="Hello, Ann.")
    assert [verdict for answers in provider.send([message], client) for _, verdict in answers] != []
    until(lambda: trusted.left("returned"), f"the report of Postfix; {postfix_server.log}")
    assert read_mailbox([account]) == (1, 0, "")
    assert reading.read_due()
    delivery.refresh_from_db()
    assert (Status(delivery.status), delivery.reason) == (Status.BOUNCED, "hard_bounce")
    assert "5.1.1 There is no mailbox of this name" in delivery.detail and "ann@" not in delivery.detail
    suppression = Suppression.objects.get(tenant=people.acme)
    assert (suppression.address, suppression.cause) == ("ann@remote.example", "bounce")
