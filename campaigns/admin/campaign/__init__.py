"""The page of a campaign: its list, its form, and the panel that always shows the state and the next step.

`page` is CampaignAdmin, which `campaigns.admin` registers: it gathers the views of `launch`, `report` and `variants` as
mixins and calls `preflight` and `lifecycle`. `form` is its form, checked by `campaigns.edit`; `writing` is what the
form shows while it is written; `listing` is a row of the list. Read `page`, then `form`, `writing`, `listing`.
"""
