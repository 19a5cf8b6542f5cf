"""Pages about provider accounts. `notifier.admin` registers them; they call `notifier.delivery.accounts` and
`receipts`.

`provider_accounts` is the list and the form, made from the provider's own settings; `connection_test` is the page
behind its button; `unreadable_receipts` lists receipts that no worker could read. Read in this order.
"""
