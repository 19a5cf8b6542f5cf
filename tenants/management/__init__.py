"""The commands of tenants: `create_tenant`, `import_recipients`, `erase_recipient`, `reset_second_factor`, `shedding`
(the switch of load shedding) and `verify_audit`.
"""
