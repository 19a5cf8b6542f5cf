"""The cards of campaigns on the home page of the admin (`tenants.admin.home`). `campaigns.apps` registers them.

`approvals_and_drafts` has the two cards of its name; `sending` has the cards of what was sent, leaves now and is
planned, and registers that of `first_steps`, which leads an empty tenant to its first message. Each file can be read by
itself.
"""
