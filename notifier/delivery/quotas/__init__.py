"""Quotas: how many messages a tenant may send on a channel in a day and in a month.

PostgreSQL has the counts, in the transaction that accepts the messages, so neither a flushed Redis nor a killed process
changes them. `accept` and `campaigns.lifecycle` call this package; a tenant without quotas costs them one look at a
column that they have read anyway.

counting.py   the counts: read, add, give back
accepting.py  which requests of an acceptance are over the quota
campaigns.py  what a campaign takes at GO, and what it gives back
watching.py   the warnings at 80 and 100 percent
"""
