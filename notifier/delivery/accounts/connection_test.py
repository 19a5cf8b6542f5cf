"""Test a provider account without reaching a recipient: connection, login, and the DNS records of an email sender.

The admin's button calls `notifier.tasks.request_test`; a worker of the queue `batch` runs `run_test` and stores the
result with the account. A channel's own workers would not do: a server that hangs would keep them from sending.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import structlog

from notifier.delivery.accounts import registry, sender_dns
from notifier.errors import NotifierError
from notifier.models import ProviderAccount
from notifier.values.text import cleaned
from notifier.vocabulary.checks import ConnectionCheck

log = structlog.get_logger("notifier.delivery")

#: a test without a result after so long was lost, or no worker runs
LOST_AFTER = timedelta(seconds=90)
#: checks of an account, at most: a tenant may have many senders
MOST_CHECKS = 30


def mark_requested(account: ProviderAccount) -> None:
    """Note that a test of the account begins; the page then waits for its result."""
    account.test_requested_at = datetime.now(UTC)
    account.save(update_fields=["test_requested_at"])


def is_running(account: ProviderAccount, now: datetime) -> bool:
    """Whether a test was requested, and its result may still come."""
    requested, tested = account.test_requested_at, account.tested_at
    return requested is not None and (tested is None or tested < requested) and now - requested < LOST_AFTER


def run_test(account_id: uuid.UUID) -> None:
    """Test the account and store the result. Does nothing for an account that was deleted."""
    account = ProviderAccount.objects.filter(pk=account_id).first()
    if account is None:
        return
    checks = _all_checks(account)
    # the words of a mail server, of DNS and of a provider may hold characters that PostgreSQL cannot store
    account.checks = [[check.name, check.passed, cleaned(check.text)[:500]] for check in checks]
    account.tested_at = datetime.now(UTC)
    account.save(update_fields=["checks", "tested_at"])
    failed = [check.name for check in checks if check.passed is False]
    log.info("account tested", action="test", tenant=str(account.tenant_id), account=str(account.pk), failed=failed)


def checks_of(account: ProviderAccount) -> list[ConnectionCheck]:
    """The stored result of the last test."""
    return [ConnectionCheck(name, passed, text) for name, passed, text in account.checks]


def _all_checks(account: ProviderAccount) -> list[ConnectionCheck]:
    try:
        provider, client = registry.provider_for(account), registry.http_client_for(account)
    except (NotifierError, ValueError) as error:
        # the type only: the text may quote the settings
        return [
            ConnectionCheck(
                "settings", False, f"The settings cannot be used ({type(error).__name__}). Save them again."
            )
        ]
    checks: list[ConnectionCheck] = []
    try:
        checks += provider.test(client)
        if not account.sandbox:  # the sandbox's domains have no DNS records
            for sender in provider.sender_domains():
                checks += sender_dns.check_sender(sender)
    except Exception as error:  # a provider's file may have a defect; the owner must see that the test ended
        log.exception("account test failed", action="test", account=str(account.pk))
        checks.append(ConnectionCheck("test", False, f"The test itself broke off ({type(error).__name__})."))
    return checks[:MOST_CHECKS] or [
        ConnectionCheck("connection", None, "This provider has nothing that can be tested.")
    ]
