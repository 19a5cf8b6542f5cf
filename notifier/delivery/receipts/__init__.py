"""What providers report about messages: storing a call raw, and reading it in a worker.

Called by `notifier.receipts` in the web process (`incoming`), and by `notifier.tasks` in a worker (`reading`); calls
accounts, the providers and the ledger (`receipt_rows`, `reported`, `dead_addresses`, `history`). Read one call's life
in this order: incoming, sealing; reading, events, apply, progress (what a status becomes; pure), consequences.
"""
