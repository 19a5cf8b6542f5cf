"""Store a planned range: its shards with their payloads, and the rows of the ledger."""
