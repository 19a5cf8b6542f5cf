"""Checks and stores the calls of all providers, those that came meanwhile in one transaction."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from notifier import failpoints
from notifier.channels.queues import RECEIPTS
from notifier.delivery.receipts import incoming
from notifier.delivery.wakeup import signal
from notifier.models import ProviderAccount
from notifier.vocabulary.receipts import ReceiptRequest
from notifier.web.serving.group_commit import GroupCommit, GroupLimits

log = structlog.get_logger("notifier.receipts")

#: one thread, because the calls of all accounts are stored together; a call waits for those before it, 0.1 ms each
LIMITS = GroupLimits(threads=1, calls=100, owner_bytes=32 * 1024 * 1024)

#: content type and body, or what refuses the call
Answer = tuple[str, bytes] | BaseException


@dataclass(frozen=True)
class Call:
    """A call to a receipts address."""

    provider: str
    account_id: uuid.UUID
    secret: str = field(repr=False)
    request: ReceiptRequest


def group_commit() -> GroupCommit[Call, tuple[str, bytes]]:
    """One for each process. An answer is content type and body; `submit` raises NotFound, Forged, Busy, and the errors
    of a database that is away."""
    return GroupCommit("receipts", _answers, LIMITS)


def _answers(calls: Sequence[Call]) -> Sequence[Answer]:
    """The answer to each call, after those that are genuine are stored. After an error of the database the callers get
    its problem document, and call again later."""
    accounts = incoming.load_accounts({call.account_id for call in calls})
    checked = [_check(call, accounts.get(call.account_id)) for call in calls]
    genuine = [(account, call.request) for (account, _), call in zip(checked, calls, strict=True) if account]
    if genuine:
        incoming.keep(genuine)
        failpoints.reach("receipts.before-wakeup")
        signal.notify([RECEIPTS])
        log.info("receipts stored", action="receipts", calls=len(genuine))
    return [answer for _, answer in checked]


def _check(call: Call, named: ProviderAccount | None) -> tuple[ProviderAccount | None, Answer]:
    """The account of a genuine call, and the answer. `named`: the account whose id the address has."""
    try:
        account = incoming.check_address(named, call.provider, call.secret)
        return account, incoming.verify(account, call.request)
    except Exception as error:
        return None, error
