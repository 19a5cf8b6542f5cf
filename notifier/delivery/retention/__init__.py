"""Deletes what is older than its tenant keeps it, after it is counted. Registered in `notifier.apps`; what runs it is
in `tenants.retention`.

counts      counts rows of the ledger that go, in the transaction in which they go
rows        deletes rows of the ledger with what belongs to them; upper packages register what follows them
requests    requests with their messages, tenant by tenant
partitions  months whose messages are all too old: detached, counted, dropped
files       attachments that nothing refers to any more
"""
