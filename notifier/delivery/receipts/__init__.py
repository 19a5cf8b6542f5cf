"""What providers report about messages: storing a call raw, and reading it in a worker.

Called by `notifier.receipts` (`incoming`) in the web process; calls accounts, the ledger and the providers. Read
`incoming` first.
"""
