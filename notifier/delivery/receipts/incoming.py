"""A provider's call of the receipts address, in the web process: which account it is for, and keeping it raw."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence

import structlog
from django.db import connection, transaction

from notifier.delivery.accounts import receipts_address, registry
from notifier.delivery.infra import bulk
from notifier.delivery.infra.ttl_cache import TtlCache
from notifier.delivery.ledger.reports import receipt_rows
from notifier.delivery.ledger.reports.receipt_rows import ReceiptRow
from notifier.delivery.receipts import sealing
from notifier.errors import Forged, NotFound, NotifierError
from notifier.models import ProviderAccount, Receipt
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.receipts import ReceiptRequest
from tenants.access import set_scope

log = structlog.get_logger("notifier.receipts")

#: a disabled account and a renewed secret take effect within so many seconds
_accounts = TtlCache[uuid.UUID, ProviderAccount](seconds=2.0)


def find_account(provider: str, account_id: uuid.UUID, secret: str) -> ProviderAccount:
    """The account to which the address belongs. Raises NotFound, with one text for every reason: a caller must not
    learn which accounts exist."""
    return check_address(load_accounts({account_id}).get(account_id), provider, secret)


def check_address(account: ProviderAccount | None, provider: str, secret: str) -> ProviderAccount:
    """The account, if the other parts of the address belong to it. Raises NotFound as `find_account` does."""
    if account is None or account.provider != provider or not receipts_address.is_secret_of(account, secret):
        raise NotFound("There is nothing at this address.")
    return account


def load_accounts(account_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, ProviderAccount]:
    """Those of these accounts that are enabled and of an active tenant. One transaction for all: a caller that guesses
    ids makes the calls of its batch wait for 0.5 ms, and not for 0.5 ms each."""
    accounts = {each: account for each in account_ids if (account := _accounts.get(each))}
    if unread := [each for each in account_ids if each not in accounts]:
        for account in _read(unread):
            _accounts.keep(account.pk, account)
            accounts[account.pk] = account
    return accounts


def _read(account_ids: Sequence[uuid.UUID]) -> list[ProviderAccount]:
    """The scope of the transaction is the tenants of the accounts."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT id, tenant_of_account(id) FROM unnest(%s::uuid[]) AS id", [list(account_ids)])
            tenant_of = {account_id: tenant_id for account_id, tenant_id in cursor.fetchall() if tenant_id}
        if not tenant_of:
            return []
        set_scope(sorted(set(tenant_of.values())))
        return list(ProviderAccount.objects.filter(pk__in=tenant_of))


def verify(account: ProviderAccount, request: ReceiptRequest) -> tuple[str, bytes]:
    """Content type and body of the answer to a call. Raises Forged for a call that the provider's server did not
    make: a call that the provider's file cannot even check is such a call, and no error of this site."""
    provider = registry.provider_for(account)
    try:
        provider.verify(request)
        return provider.receipt_answer(request)
    except NotifierError:
        raise
    except Exception as error:
        # the type only: the text of an error may quote the call
        log.error("receipt not checked", action="receipts", account=str(account.pk), error=type(error).__name__)
        raise Forged("The call cannot be checked.") from None


def keep(calls: Sequence[tuple[ProviderAccount, ReceiptRequest]]) -> None:
    """Store verified calls for a worker, encrypted, in one transaction whose scope is the tenants of their accounts."""
    rows = [
        ReceiptRow(
            new_id(), account.tenant_id, account.pk, Receipt.State.NEW.value, sealing.seal_call(account.tenant_id, call)
        )
        for account, call in calls
    ]
    with transaction.atomic(), bulk.pipelined():
        set_scope(sorted({row.tenant_id for row in rows}))
        receipt_rows.store(rows)


def reset() -> None:
    """Forget what this process read of accounts."""
    _accounts.clear()
