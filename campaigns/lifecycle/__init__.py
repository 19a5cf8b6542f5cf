"""A campaign from GO to its end: launching, fan-out, canary, pausing, stopping, finishing.

`controls` is the table of what an actor can do to a campaign; the API, the admin and the command line call its rows.
The sweep and the tasks call `launch`, `planned`, `fanout`, `canary` and `stopping`; senders call `pausing`,
`thresholds` and `full_speed`. This package calls `arming`, the states, the audit log, and the engine's `post` and
ledger. Read `controls` first, then `transition`, `launch_checks`, `launch`, `planned`, `waves`, `fanout`,
`canary`, `finish`.
"""
