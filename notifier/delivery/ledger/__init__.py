"""The statements on the ledger (notifier_delivery and the tables beside it). Only `sweep` has further SQL that writes
these tables.

Called by accept (accepted_rows), send and dispatch (claims, settle, retry), sweep, routes (route_rows), the API
(history, dead_letters, waiting_rows), receipts and campaigns; calls infra and wakeup. Read one row's life in this
order: accepted_rows, ordering, claims, leases, retry, settle, history, dead_letters; then waiting_rows (what the API
cancels or moves) and route_rows (later steps), urgent_waits (how long urgent messages wait). Rooms: `reports` (what
comes back about messages), `campaigns` (rows of campaigns), `people` (what concerns one recipient or address).
"""
