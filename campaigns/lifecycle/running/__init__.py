"""What changes a campaign after GO, by a person (`lifecycle.controls`) or by its outcomes (sweep, tasks, senders).

`pausing` is pause, resume and halt; `stopping` is the stop; `retrying` sends again what failed; `thresholds` decides
whether a campaign does harm (pure), for `canary`, the small share that leaves first, and for senders; `winner` is the
choice in an A/B test. They call `fan_out` and the engine's ledger. Read in this order.
"""
