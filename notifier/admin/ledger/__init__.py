"""Pages about sent messages, read-only. `notifier.admin` registers them; they call the engine's ledger and `explain`.

`lists` has the base classes of the lists, for `inbox.admin` and `notifier.admin.digests`, too; `notifications`,
`deliveries` and `dead_letters` are the lists; `explain` is the page "Why did this person not get it?". For pages of
`tenants.admin`, `notifier.apps` registers `timeline` (messages of a person) and `references` (rows that forbid a
deletion). Read `lists`, `notifications`, `deliveries`, then the rest.
"""
