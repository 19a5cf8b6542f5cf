"""Writes events for webhooks into the spool, in the transaction of the change that they tell: an event is neither lost
nor told of a change that was undone. `notifier.webhooks` sends them.

Called by the ledger, by acceptance, by receipts, and by `campaigns`; triggers of PostgreSQL (the migration) write
consent changes and imports. Read: subscriptions.py (which events a tenant wants), deliveries.py (sets of events about
messages), spool.py (one event about something else).
"""
