"""`make chaos`: the real stack, a load, one fault after the other, and a receiver that counts.

`python -m tests.chaos` runs it; pytest collects only the tests of its pure parts. docs/chaos.md has the rows and what
each may cost. Reading order: `row` (what a row is), `rows/` (all rows, one file a family), `context` (what a row may
do), `runner` (one load with its rows), `stack/` (processes, the fault proxy, a shifted clock), `load/` (two tenants
with their campaigns and a trickle of single notifications), `judging/` (what the ledger and the receiver say, and
whether that keeps the invariants), `report`, `soak`.
"""
