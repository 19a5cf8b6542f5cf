"""GO, now or at a planned time. `lifecycle.controls`, the admin, the sweep and silent runs call this room.

`checks` is what must hold for GO (it raises, and changes nothing); `launch` is GO: one conditional UPDATE, then the
fan-out; `planned` stores a plan, and launches by it; `quotas` takes what the messages need of the tenant's quotas, and
gives back. Read in this order. `edit` and `preflight` ask `checks`, `planned` and `quotas` beforehand.
"""
