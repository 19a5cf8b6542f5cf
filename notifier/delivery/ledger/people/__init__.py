"""What the ledger knows of a recipient, and does to one: dead addresses and stale devices, conditions of segments,
export and erasure. Called by `settle`, receipts, tasks and segments; `NotifierConfig.ready` registers the last two."""
