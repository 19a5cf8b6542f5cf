"""Opens, clicks and arrivals that no provider reports: what the site's own pixel and links saw, and what a tenant's app
reported.

`notifier.web.links.tracking` and `notifier.api.events` call `hits` in the web process; `notifier.tasks` calls `apply`
in a worker. `apply` calls `notifier.delivery.receipts`, which moves statuses as for a provider's event. Read `hits`
first, then `machines` (who opened it: a person or a scanner), `apply`, and `counts` (campaigns counted without
persons).
"""
