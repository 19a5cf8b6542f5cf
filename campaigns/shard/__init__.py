"""What a shard stores: the payload (the messages, written once by arming) and the outcomes (written by the sender).

Called by arming (packs payloads), sending (reads payloads, writes outcomes) and report (reads both, and copies the
outcomes into the ledger). Calls the engine's bulk statements only. Each file can be read by itself.
"""
