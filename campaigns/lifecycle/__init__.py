"""A campaign from GO to its end: launching, fan-out, canary, pausing, stopping, finishing.

`controls` is the table of what an actor can do to a campaign; the API, the admin and the command line call its rows.
Below it are `launching` (GO, now or planned), `running` (what changes a campaign after GO) and `fan_out` (which shards
leave when). The sweep and the tasks call these three; senders call `running` and `fan_out`. This package calls
`arming`, the states, the audit log, `notifier.tasks.post` and the engine's ledger. The engine asks `policies` and
`digest_items`. Read `controls` first, then `transition` (the conditional UPDATE of a state), `launching`: checks,
launch, planned; `fan_out`: waves, fanout; `running`: canary, pausing; `fan_out.finish`.
"""
