"""The operator's commands: `campaign`, `arm_campaign`, `plan_capacity`. They call `lifecycle.controls`, `arming` and
`preflight.capacity`."""
