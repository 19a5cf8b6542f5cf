"""A provider's call of the receipts address, in the web process: which account it is for, and keeping it raw."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import structlog
from django.db import connection, transaction

from notifier.delivery.accounts import receipts_address, registry
from notifier.delivery.infra import bulk
from notifier.delivery.infra.ttl_cache import TtlCache
from notifier.delivery.ledger import receipt_rows
from notifier.delivery.ledger.receipt_rows import ReceiptRow
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
    account = _accounts.get(account_id) or _load(account_id)
    if account is None or account.provider != provider or not receipts_address.is_secret_of(account, secret):
        raise NotFound("There is nothing at this address.")
    return account


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


def _load(account_id: uuid.UUID) -> ProviderAccount | None:
    """The enabled account of an active tenant. The transaction's scope is the account's own tenant."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT tenant_of_account(%s)", [account_id])
            [tenant_id] = cursor.fetchone()
        if tenant_id is None:
            return None
        set_scope([tenant_id])
        account = ProviderAccount.objects.filter(pk=account_id).first()
    if account is not None:
        _accounts.keep(account_id, account)
    return account


def reset() -> None:
    """Forget what this process read of accounts."""
    _accounts.clear()
