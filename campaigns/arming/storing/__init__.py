"""Store a planned range, in one transaction of a worker. `arming.workers.run` calls this room.

`sharding` splits the messages into shards and packs their payloads, with the bodies that `prepared` makes for providers
that ask for it; `ledger` writes the rows of the ledger by one statement. They call `campaigns.shard` and the engine's
ledger. Read in this order.
"""
