"""Reads the mailboxes to which bounces come back, and stores each report as a call of the receipts address.

A report is stored, and the transaction committed, before it is deleted from the mailbox. So a worker that is killed in
between leaves the report in the mailbox; the next worker stores it once more, and a repeated event changes nothing.
"""

from __future__ import annotations

import random
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import structlog

from notifier.delivery.accounts import registry
from notifier.delivery.receipts import incoming
from notifier.errors import NotifierError
from notifier.mail_reports.report import LARGEST
from notifier.models import ProviderAccount
from notifier.providers import Provider, providers
from notifier.transport.mailboxes import MailboxError, OpenMailbox, open_mailbox
from notifier.vocabulary.http import HttpClient
from notifier.vocabulary.mail import BounceMailbox
from notifier.vocabulary.receipts import ReceiptRequest

log = structlog.get_logger("notifier.bounces")

#: messages that are read before the reports among them are stored and deleted
CHUNK = 50
#: messages of one mailbox in one run; the next run goes on
MOST_MESSAGES = 200
#: seconds for all mailboxes of a tenant in one run. Servers that do not answer would otherwise keep the workers of the
#: queue, which arm the campaigns of all tenants, for a minute each
TENANT_SECONDS = 60.0


class Read(NamedTuple):
    """What was found in one mailbox. `error`: why it could not be read to its end."""

    reports: int = 0
    others: int = 0
    error: str = ""


def accounts_with_mailbox() -> dict[uuid.UUID, list[ProviderAccount]]:
    """Accounts that share a mailbox, by the id of the first of them. A tenant may name one mailbox in several
    accounts; it is read once, for all of them."""
    groups: defaultdict[tuple[uuid.UUID, BounceMailbox], list[ProviderAccount]] = defaultdict(list)
    by_smtp = [name for name, cls in providers().items() if cls.protocol == "smtp"]
    accounts = ProviderAccount.objects.filter(provider__in=by_smtp, enabled=True, sandbox=False, tenant__active=True)
    for account in accounts.order_by("tenant_id", "id"):
        if mailbox := mailbox_of(account):
            groups[account.tenant_id, mailbox].append(account)
    return {group[0].id: group for group in groups.values()}


def tenants_with_mailbox() -> list[uuid.UUID]:
    """The tenants whose accounts name a mailbox."""
    return list({accounts[0].tenant_id: None for accounts in accounts_with_mailbox().values()})


def read_mailboxes(tenant_id: uuid.UUID, seconds: float = TENANT_SECONDS) -> None:
    """Read the tenant's mailboxes one after the other. Those for which no time is left have better luck in another
    run: the order is random."""
    groups = [accounts for accounts in accounts_with_mailbox().values() if accounts[0].tenant_id == tenant_id]
    until = time.monotonic() + seconds
    random.shuffle(groups)
    for number, accounts in enumerate(groups):
        left = until - time.monotonic()
        if left <= 0:
            unread = len(groups) - number
            log.warning("mailboxes not read", action="read bounces", tenant=str(tenant_id), mailboxes=unread)
            return
        read_mailbox(accounts, partial(open_mailbox, deadline=left))


def mailbox_of(account: ProviderAccount) -> BounceMailbox | None:
    """The mailbox of the account's bounces; None without one, and for settings that cannot be used."""
    try:
        return registry.provider_for(account).bounce_mailbox
    except (NotifierError, ValueError):
        return None  # sending records what is wrong with the settings


def read_mailbox(
    accounts: Sequence[ProviderAccount],
    open_: Callable[[BounceMailbox], AbstractContextManager[OpenMailbox]] = open_mailbox,
) -> Read:
    """Read the mailbox that these accounts share, for a minute at most."""
    mailbox = mailbox_of(accounts[0])
    if mailbox is None:
        return Read()
    reports = others = 0
    try:
        with open_(mailbox) as opened:
            names = iter(opened.waiting(MOST_MESSAGES))
            while chunk := list(islice(names, CHUNK)):
                of_us, of_others = _take(accounts, opened, chunk)
                opened.finish(of_us, of_others)
                reports, others = reports + len(of_us), others + len(of_others)
    except MailboxError as error:
        log.warning("bounces not read", action="read bounces", account=str(accounts[0].id), error=str(error))
        return Read(reports, others, str(error))
    if reports or others:
        log.info("bounces read", action="read bounces", account=str(accounts[0].id), reports=reports, others=others)
    return Read(reports, others)


def _take(
    accounts: Sequence[ProviderAccount], mailbox: OpenMailbox, names: Iterable[str]
) -> tuple[list[str], list[str]]:
    """Store the reports among these messages; returns the names of reports and of other messages."""
    providers = [(a, registry.provider_for(a), registry.http_client_for(a)) for a in accounts]
    reports: list[str] = []
    others: list[str] = []
    for name in names:
        raw = mailbox.read(name, LARGEST)
        account = _account_of(providers, raw)
        if account is None:
            others.append(name)
        else:
            incoming.keep([(account, _as_call(raw))])
            reports.append(name)
    return reports, others


def _account_of(
    providers: Iterable[tuple[ProviderAccount, Provider[Any], HttpClient]], raw: bytes
) -> ProviderAccount | None:
    """The account about whose message the report is; None for any other message."""
    call = _as_call(raw)
    for account, provider, client in providers:
        try:
            if provider.receipts(call, client):
                return account
        except Exception as error:
            # a message that no parser takes must not stop the messages behind it; the reading of receipts keeps it
            # for a person
            log.error("report unreadable", action="read bounces", account=str(account.id), error=type(error).__name__)
            return account
    return None


def _as_call(raw: bytes) -> ReceiptRequest:
    return ReceiptRequest("POST", "", {"content-type": "message/rfc822"}, raw)
