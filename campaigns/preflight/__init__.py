"""What is shown and done before GO: preflight, the steps to GO, silent runs, test sends, capacity.

The API, the admin and `manage.py plan_capacity` call this package; the sweep launches armed silent runs. It calls
`approval`, `arming`, `lifecycle.launching`, `report` and the engine's planning, templates and accounts. Read
`preflight` with its parts (`capacity`, `workers`, `spot_check`, `warnings`, `preview`), `site_capacity` with
`site_costs` (a whole installation), then `rehearse`, `test_send`, `road` (the steps), `go_sentence`.
"""
