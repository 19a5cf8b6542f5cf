"""A/B tests after GO: what the variants did, and the rule that chooses the winner.

The API, the admin and the sweep call it. It calls `campaigns.lifecycle.running.winner`, which writes the choice, and
the ledger's counts. Reading order: statistics (pure), counting, rule, results, stored (kept counts of a large
campaign), sentences. The variants themselves are edited in `campaigns.edit.variants`, assigned in
`campaigns.arming.planning` (assignment, variants), and the rest is armed in `campaigns.arming.workers.rest`.
"""
