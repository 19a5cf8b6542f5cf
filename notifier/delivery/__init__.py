"""The engine: accepts requests, sends what is due, settles the outcomes. It knows no web framework and no Celery.

Called by the API and the admin (`accept`, `redrive`), by the tasks (`send.deliver`, `sweep.sweep`) and by campaigns.
Read one notification in this order: accept, accept_context, accept_kind, planning/, content/, draft; quotas/; routes/,
digests/, caps/ (what may change the rows of several requests together); queue_joining, ledger/accepted_rows; wakeup/;
send, ledger/claims, recheck, messages, dispatch, accounts/; ledger/settle. `sweep` repairs what a killed worker left
behind, starts the later steps of routes and closes digests. `explain` tells the deciding rule by rule; `waiting`
cancels and reschedules; `opt_in/` confirms opt-ins by mail. `infra/` is what all of them need of PostgreSQL and Redis.

What comes back: `receipts/` (what providers report), `engagement/` (opens and clicks that the site saw, and events of
apps), `bounces` (reports that come into a mailbox). What is told: `webhooks/` (events for servers of tenants),
`channel_status/` (how well channels work). What has a clock: `load_shedding/` (whether the installation is overloaded),
`retention/` (what is too old).
"""

from notifier.delivery.accept import Accepted, AcceptedDelivery, accept
from notifier.delivery.ledger.dead_letters import redrive

__all__ = ["Accepted", "AcceptedDelivery", "accept", "redrive"]
