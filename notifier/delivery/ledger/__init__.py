"""The statements on the ledger (notifier_delivery and the tables beside it): one table of SQL for all that send.

Called by accept (accepted_rows), send and dispatch (claims, settle, retry), sweep, the API (history, dead_letters) and
campaigns (campaign_rows, campaign_counts, leases); calls infra and wakeup. Read one row's life in this order:
accepted_rows, ordering, claims, leases, retry, settle, history, dead_letters.
"""
