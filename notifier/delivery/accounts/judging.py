"""The health of a provider account, judged by what its provider answered to one batch of messages."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from notifier.channels import channel
from notifier.delivery.accounts import health
from notifier.delivery.accounts.recent_answers import recent
from notifier.models import ProviderAccount
from notifier.providers import provider_class
from notifier.vocabulary.verdicts import InDoubt, Misconfigured, Permanent, Sent, Temporary, Verdict

log = structlog.get_logger("notifier.delivery")


def _shares_connections(account: ProviderAccount) -> bool:
    """Whether a lost connection carries other messages at once, which are repeated. Where not, a server that ends each
    connection is a failing one."""
    return provider_class(account.provider).protocol == "http" and channel(account.channel).repeat_when_in_doubt


def update_health(account: ProviderAccount, verdicts: Sequence[Verdict], taken: int = 0) -> None:
    """Move the account's health: a misconfigured or mostly failing account gets worse, a working one recovers. `taken`:
    how many more messages were sent, without a verdict each. A provider that takes other messages of the account
    refuses only some of its senders or destinations, which must not stop the rest; what is about one address
    (`one_address`) says nothing about the account, nor does a connection that another message may have ended, unless
    the account ends every connection and answers nothing."""
    verdicts = [v for v in verdicts if not (isinstance(v, Misconfigured | Temporary) and v.one_address)]
    answers = [v for v in verdicts if not (isinstance(v, InDoubt | Temporary) and v.disconnected)]
    if not taken and not answers and verdicts and recent.only_loses(account.id):
        _move_unavailable(account)
        return
    if taken or answers or _shares_connections(account):
        verdicts = answers
    if any(isinstance(v, Misconfigured) for v in verdicts):
        log.warning("account misconfigured", action="send", account=str(account.id), tenant=str(account.tenant_id))
        if not taken and not any(isinstance(v, Sent) for v in verdicts):
            health.move(account.id, -5)
            return
    if verdicts and not taken and all(isinstance(v, Temporary) and v.unavailable for v in verdicts):
        _move_unavailable(account)
        return
    good, answered = taken + sum(isinstance(v, Sent | Permanent) for v in verdicts), taken + len(verdicts)
    if good < answered / 2:
        health.move(account.id, -1)
    elif answered and good == answered and health.read_weights([account.id])[account.id] < health.FULL:
        health.move(account.id, 1)


def _move_unavailable(account: ProviderAccount) -> None:
    """Two such batches open the circuit, and the account's messages go to another account, or wait."""
    health.move(account.id, -5)
    log.warning("account unavailable", action="send", account=str(account.id), tenant=str(account.tenant_id))
