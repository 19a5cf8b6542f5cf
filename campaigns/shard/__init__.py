"""What a shard stores, and how fast shards leave.

`payload` has the messages, written once by arming; `outcomes` has what became of them, written by the sender; `erasing`
removes a person from payloads; `full_speed` is a flag of senders in Redis, for which the copying of outcomes waits.
Called by arming (packs payloads), sending (reads payloads, writes outcomes) and report (reads both, and copies the
outcomes into the ledger); `campaigns.apps` registers `erasing`. Calls the engine's `infra`, and imports no package of
campaigns but the models. Read `payload`, then `outcomes`.
"""
