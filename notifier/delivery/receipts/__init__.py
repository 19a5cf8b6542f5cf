"""What providers report about messages: storing a call raw, and reading it in a worker; and asking the servers that
do not call us.

Called by `notifier.receipts` in the web process (`incoming`), and by `notifier.tasks` in a worker (`reading`,
`fetching`); calls accounts, the providers and the ledger (`receipt_rows`, `awaited_receipts`, `reported`,
`dead_addresses`, `history`). Read one call's life in this order: incoming, sealing; reading, events, apply, progress
(what a status becomes; pure), consequences. `fetching` stores events as `reading` parks them.
"""
