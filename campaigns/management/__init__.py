"""The operator's commands of campaigns: `campaign` calls `lifecycle.controls`, `arm_campaign` `arming`, `plan_capacity`
`preflight`, and `after_restore` `operations.restored`.
"""
