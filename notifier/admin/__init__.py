"""The engine's admin pages. Importing this package registers them on `tenants.admin.admin_site`.

accounts    provider accounts, their connection test, receipts that no worker could read
caps        frequency caps
composer    the editor on the page of a template
content     templates, their versions and uses, layouts, senders, stored files
digests     how categories gather their messages, and the digests themselves
engagement  opens and clicks that are counted without persons
find        what the search box of the header finds
home        cards of the home page
incidents   incidents of status pages
ledger      notifications, deliveries, dead letters: read-only; `lists` has the base classes of these lists
webhooks    webhook endpoints, and the page of what was sent to one

The pages call `notifier.delivery`, `notifier.webhooks` and the base classes of `tenants.admin`. `digests` and
`inbox.admin` build on `ledger.lists`, and `campaigns.apps` registers with it when a campaign was armed.
"""

from notifier.admin import caps, digests, engagement, incidents
from notifier.admin.accounts import provider_accounts, unreadable_receipts
from notifier.admin.content import layouts, senders, stored_files, templates
from notifier.admin.ledger import dead_letters, deliveries, notifications
from notifier.admin.webhooks import endpoints

__all__ = [
    "caps",
    "dead_letters",
    "deliveries",
    "digests",
    "endpoints",
    "engagement",
    "incidents",
    "layouts",
    "notifications",
    "provider_accounts",
    "senders",
    "stored_files",
    "templates",
    "unreadable_receipts",
]
