"""What every page about a model is built from, here and in the packages above.

`model_admin` has the base classes: read it first, then what it is built from: `visibility` (which rows a request may
see), `forms`, `filters`, `deletion` (which packages above register references with), `hardening` (malformed requests),
`paging` (bounded counts), `json_field`, `indexes` (a block that prefers indexes). It calls `audit_entries`, `roles` and
`localization`.
"""
