"""Fallback routes: the next channel when an earlier one failed or was not seen in time.

`accept` lets the later steps of a request wait; `sweep` starts or ends them. Calls the ledger and planning."""
