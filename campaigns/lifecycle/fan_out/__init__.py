"""Which shards of a campaign leave when: waves, fan-out, and the end, when nothing is left to send."""
