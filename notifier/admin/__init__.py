"""The engine's admin pages. Importing this package registers them on `tenants.admin.admin_site`.

content     templates and their versions; `content_setup` has layouts and senders
accounts    provider accounts
caps        frequency caps
digests     how categories gather their messages, and the digests themselves
engagement  opens and clicks that are counted without persons
incidents   incidents of status pages
webhooks    webhook endpoints; `webhook_page` has what was sent to one
receipts    what providers reported and no worker could read
ledger      notifications, deliveries, dead letters: read-only; `sent` has the base classes of these lists
references  rows of the ledger that name a recipient or an account without a foreign key

The pages call `notifier.delivery` and the base classes of `tenants.admin`; `inbox.admin` and `campaigns.admin` use
`sent`.
"""

from notifier.admin import (
    accounts,
    caps,
    content,
    content_setup,
    digests,
    engagement,
    incidents,
    ledger,
    receipts,
    webhooks,
)

__all__ = [
    "accounts",
    "caps",
    "content",
    "content_setup",
    "digests",
    "engagement",
    "incidents",
    "ledger",
    "receipts",
    "webhooks",
]
