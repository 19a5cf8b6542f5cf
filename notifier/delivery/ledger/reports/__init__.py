"""What comes back about messages, as rows: calls of providers, receipts that must be fetched, what they report of which
delivery, and whether an in-app message was seen. `notifier.delivery.receipts`, `settle` and routes call it."""
