"""The statements on the ledger (notifier_delivery and the tables beside it). Only `sweep` has further SQL that writes
these tables.

Called by accept (accepted_rows), send and dispatch (claims, settle, retry), sweep, the API (history, dead_letters),
receipts (receipt_rows, awaited_receipts, reported) and campaigns (campaign_rows, campaign_counts, awaited_receipts,
leases, settle); calls infra and wakeup. Read one row's life in this order: accepted_rows, ordering, claims, leases,
retry, settle, dead_addresses, history, dead_letters. After that: receipt_rows (calls of providers that wait to be
read), awaited_receipts (messages about which a server must be asked), reported (what they change); waiting_rows (what
the API cancels or moves), stale_devices (devices that were not seen for too long), recipient_conditions (what segments
ask of messages).
"""
