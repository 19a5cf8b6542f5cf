"""Fallback routes: the next channel when an earlier one failed or was not seen in time.

Read `decide` first, which is pure: what becomes of the next step. `read_route` reads what requests and templates bring;
`accepting` lets the later steps of a request wait (`accept` calls); `sweep` starts or ends them (`delivery.sweep`
calls); `show` and `explain` tell people. The statements are in `ledger.route_rows`."""
