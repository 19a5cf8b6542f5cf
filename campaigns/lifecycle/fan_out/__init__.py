"""Which shards of a campaign leave when, and the end, when nothing is left to send.

`waves` says which shards are due of a campaign at local time; `fanout` puts those that may leave on the queue, in two
levels of tasks; `finish` ends a campaign. Called by `launching` and `running`, by the tasks and the sweep, and by
`campaigns.sending` after each shard; reports and preflight read `waves`. Calls the models, the engine's ledger and
`notifier.tasks`. Read in this order.
"""
